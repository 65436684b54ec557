import type { ExitCode } from './exit-code.ts'
import type { Help } from './help.ts'

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
  /** What `acr-egress NAME --help`, the manual page and the completions are made from, and its flags are parsed by. */
  readonly help: Help
  /**
   * Runs to its end and returns the exit code. Throws `UsageError` for wrong words;
   * anything else thrown is a bug.
   */
  run (argv: readonly string[], terminal: Terminal): Promise<ExitCode>
}

/** A command by its name, loaded when it is asked for: none pays for what another one needs. */
export interface CommandEntry {
  readonly name: string
  /** Half a line for the list of commands. */
  readonly summary: string
  readonly load: () => Promise<Command>
}
