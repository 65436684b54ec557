/**
 * Exit codes of every command; scripts depend on them.
 */
export const exitCode = {
  /** Done, or the target is allowed. */
  ok: 0,
  /** The target is denied, or a check failed. */
  denied: 1,
  /** Bad usage or bad configuration; nothing was started. */
  usage: 2,
  /** Could not start: a port is taken or forbidden. */
  notStarted: 3,
  /** Done, but what was asked for could not be written to standard output. */
  notWritten: 4,
} as const

export type ExitCode = typeof exitCode[keyof typeof exitCode]

/** A stream that a command writes for a person or a script: `process.stdout`, or a collector in a test. */
export interface Output {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  write (text: string): unknown
}

/** All that a command may touch of the process it runs in. */
export interface Terminal {
  /** What was asked for; with `--json`, one document and nothing else. */
  readonly stdout: Output
  /** Messages for a person: progress, problems, hints. */
  readonly stderr: Output
  /**
   * Takes the next SIGINT or SIGTERM, which aborts the signal that is returned: the command then ends what it began.
   * Those that no command takes end the process, so only what has something to put away needs to ask.
   */
  takeStop (): AbortSignal
}

/** One command of `acr-egress`; commands.ts lists them all. */
export interface Command {
  /** The full text of `acr-egress NAME --help`: usage, flags, examples. */
  readonly help: string
  /**
   * Runs to its end and returns the exit code. Throws `UsageError` for wrong words;
   * anything else thrown is a bug.
   */
  run (argv: readonly string[], terminal: Terminal): Promise<ExitCode>
}
