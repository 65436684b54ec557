import type { Path, Place } from './problem.ts'

/** What was written, in a file or on the command line, before it is checked. */
export interface Settings {
  readonly value: unknown
  /**
   * Who wrote the part at a path: its place in a file, and what its writer calls it. `undefined` for what could not be
   * read: its writer has been told, and nothing else can be said of it.
   */
  locate (path: Path, isKey?: boolean): Origin | undefined
}

/** Of a file that could not be read. */
export const unreadSettings: Settings = { value: undefined, locate: () => undefined }

/** How a message names a part of the settings. */
export interface Origin {
  /** Absent for the command line. */
  readonly place?: Place
  readonly key: string
}

/** A map of settings, as opposed to a list, a text or nothing. */
export function isMapping (value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
