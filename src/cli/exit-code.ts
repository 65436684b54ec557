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
