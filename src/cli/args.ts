import { parseArgs } from 'node:util'
import { findNearest } from '../config/nearest.ts'

/** Wrong words on the command line; `main` prints the message and exits with 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What one flag takes: nothing (`boolean`), or a value, once or several times. */
export interface Flag {
  readonly type: 'boolean' | 'string'
  readonly multiple?: boolean
}

/** The words of a command after its name, told apart. */
export interface Arguments {
  readonly words: readonly string[]
  has (flag: string): boolean
  /** The value of a flag that may be given once; `undefined` when it was not. */
  value (flag: string): string | undefined
  /** Every value of a flag that may be given several times, in order. */
  values (flag: string): readonly string[]
}

/**
 * Reads the words of one command. `--name value` and `--name=value` are the same; `--` ends the flags.
 *
 * @throws UsageError for an unknown flag (naming the nearest known one), a missing value, or a single-valued
 * flag given twice.
 */
export function parseArguments (argv: readonly string[], flags: Readonly<Record<string, Flag>>): Arguments {
  const { tokens } = parseArgs({
    args: [...argv],
    options: { ...flags },
    strict: false,
    tokens: true,
    allowPositionals: true,
  })
  const words: string[] = []
  const given = new Map<string, string[]>()
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value)
    if (token.kind !== 'option') continue
    const flag = Object.hasOwn(flags, token.name) ? flags[token.name] : undefined
    if (flag === undefined) throw new UsageError(`${token.rawName}: no such flag${suggestion(token.name, Object.keys(flags))}`)
    const earlier = given.get(token.name) ?? []
    if (flag.type === 'boolean') {
      if (token.value !== undefined) throw new UsageError(`${token.rawName}: takes no value; write ${token.rawName} alone`)
    } else if (token.value === undefined || token.value === '' || (!token.inlineValue && token.value.startsWith('--'))) {
      throw new UsageError(`${token.rawName}: needs a value; write ${token.rawName} VALUE`)
    }
    if (earlier.length > 0 && flag.multiple !== true) throw new UsageError(`${token.rawName}: given twice; write it once`)
    given.set(token.name, [...earlier, token.value ?? ''])
  }
  return {
    words,
    has: (flag) => given.has(flag),
    value: (flag) => given.get(flag)?.[0],
    values: (flag) => given.get(flag) ?? [],
  }
}

/** `; did you mean --x?` for the nearest known name within two edits, else nothing. */
export function suggestion (word: string, known: readonly string[], prefix = '--'): string {
  const near = findNearest(word, known)
  return near === undefined ? '' : `; did you mean ${prefix}${near}?`
}
