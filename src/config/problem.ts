/** A place in a file, counted from 1 as editors do; a file as a whole has no line. */
export interface Place {
  readonly file: string
  readonly line?: number
  readonly column?: number
}

/** Something about the configuration that a person should know: an error or a warning, by the list it stands in. */
export interface Problem {
  /** Absent for what was given on the command line. */
  readonly place?: Place
  /** The key or flag that it is about, like `registries[0].regions[1]` or `--region`; '' for a file as a whole. */
  readonly key: string
  /** What is wrong; what to write. Printable, whatever the file held. */
  readonly message: string
}

/** Where in the configuration something is: its keys and list positions, from the top. */
export type Path = ReadonlyArray<string | number>

/** A problem before it is known who wrote the part that it is about. */
export interface Finding {
  readonly path: Path
  /** Whether the key itself is the matter; otherwise its value is. */
  readonly isKey?: boolean
  readonly message: string
}

/** The problem as one line: `FILE:LINE:COLUMN: key: what is wrong; what to write`. */
export function formatProblem ({ place, key, message }: Problem): string {
  return [...place === undefined ? [] : [formatPlace(place)], ...key === '' ? [] : [key], message].join(': ')
}

function formatPlace ({ file, line, column }: Place): string {
  return [escapeControls(file), ...line === undefined ? [] : [line], ...column === undefined ? [] : [column]].join(':')
}

/** `registries[0].loginServer`; a key that is no plain word, like a host name, stands in brackets and quotes. */
export function formatPath (path: Path): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else if (!/^[A-Za-z][A-Za-z0-9_-]{0,39}$/.test(part)) text += `[${quote(part)}]`
    else text += text === '' ? part : `.${part}`
  }
  return text
}

/** A value as a message names it: `the text "abc"`, `the number 10`, `a list`. */
export function describeFound (value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (typeof value === 'string') return value === '' ? 'an empty text' : `the text ${quote(value)}`
  if (typeof value === 'number') return `the number ${value}`
  if (typeof value === 'boolean') return String(value)
  return Array.isArray(value) ? 'a list' : 'a map'
}

// Longer than any login server with an ordinary name, shorter than a line of a terminal.
const maxQuoted = 60

/** A text in quotes, fit for a terminal and a log: without control characters, and cut when long. */
export function quote (text: string): string {
  // Cutting by code points keeps surrogate pairs whole.
  const start = [...text.slice(0, 2 * maxQuoted)].slice(0, maxQuoted).join('')
  return escapeControls(JSON.stringify(start.length < text.length ? `${start}…` : text))
}

/**
 * The text with whatever is not a visible character or a plain space written as an escape. Covers the C1 controls, line
 * separators and the marks that turn the writing direction, which JSON lets through.
 */
export function escapeControls (text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`
  })
}
