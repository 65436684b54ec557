import { parseArgs } from 'node:util'
import { findNearest } from '../config/nearest.ts'
import { escapeControls } from '../config/problem.ts'
import { type Flag, type Flags, type Help, listUsage } from './help.ts'

/** Wrong words on the command line; `main` prints the message, free of control characters, and exits with 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'

  constructor (message: string) {
    super(escapeControls(message))
  }
}

/** The words of a command after its name, told apart. Only flags that its help tells can be asked for. */
export interface Arguments<Name extends string = string> {
  readonly words: readonly string[]
  has (flag: Name): boolean
  /** The value of a flag that may be given once; `undefined` when it was not. */
  value (flag: Name): string | undefined
  /** Every value of a flag that may be given several times, in order. */
  values (flag: Name): readonly string[]
}

/**
 * Reads the words of one command, or of one action, by the flags of its help. `--name value` and `--name=value` are the
 * same; `--` ends the flags.
 *
 * @throws UsageError for an unknown flag (naming the nearest known one), a missing value, one that is not of the flag's
 * closed list, or a single-valued flag given twice.
 */
export function parseArguments<F extends Flags> (
  argv: readonly string[], { flags }: { readonly flags: F },
): Arguments<Extract<keyof F, string>> {
  const { tokens } = parseArgs({
    args: [...argv],
    options: { ...flags as Flags },
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
    demandValue(token, flag)
    const earlier = given.get(token.name) ?? []
    const mayRepeat = flag.type === 'string' && flag.multiple === true
    if (earlier.length > 0 && !mayRepeat) throw new UsageError(`${token.rawName}: given twice; write it once`)
    given.set(token.name, [...earlier, token.value ?? ''])
  }
  return {
    words,
    has: (flag) => given.has(flag),
    value: (flag) => given.get(flag)?.[0],
    values: (flag) => given.get(flag) ?? [],
  }
}

interface OptionToken {
  readonly rawName: string
  readonly value: string | undefined
  readonly inlineValue: boolean | undefined
}

/** @throws UsageError when the flag has a value that it does not take, or none that it takes. */
function demandValue ({ rawName, value, inlineValue }: OptionToken, flag: Flag): void {
  if (flag.type === 'boolean') {
    if (value !== undefined) throw new UsageError(`${rawName}: takes no value; write ${rawName} alone`)
    return
  }
  if (value === undefined || value === '' || (inlineValue !== true && value.startsWith('--'))) {
    throw new UsageError(`${rawName}: needs a value; write ${rawName} ${flag.value}`)
  }
  if (!Array.isArray(flag.takes) || flag.takes.includes(value)) return
  throw new UsageError(`${rawName} ${value}: write ${flag.takes.join(', ')}${suggestion(value, flag.takes, '')}`)
}

/**
 * The action that the first word of a command names.
 *
 * @throws UsageError when there is no word, or none like it (naming the nearest one).
 */
export function readAction<H extends Help> (
  command: string, help: H, word: string | undefined,
): Extract<keyof NonNullable<H['actions']>, string> {
  const names = Object.keys(help.actions ?? {})
  if (word === undefined) throw new UsageError(`${command}: say what to do; write ${listForms(command, help, names)}`)
  if (names.includes(word)) return word as Extract<keyof NonNullable<H['actions']>, string>
  throw new UsageError(`${command} ${word}: no such action; ${adviseAction(command, help, word)}`)
}

function adviseAction (command: string, help: Help, word: string): string {
  const names = Object.keys(help.actions ?? {})
  const near = findNearest(word, names)
  return near === undefined ? `write ${listForms(command, help, names)}` : `did you mean ${near}?`
}

/** What may be written: all that one action needs, or the names of several. */
function listForms (command: string, help: Help, names: readonly string[]): string {
  const [first = [], ...more] = listUsage(command, help)
  if (names.length === 1 && more.length === 0) return first.filter((piece) => !piece.startsWith('[')).join(' ')
  return `acr-egress ${command} ${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
}

/** `; did you mean --x?` for the nearest known name within two edits, else nothing. */
export function suggestion (word: string, known: readonly string[], prefix = '--'): string {
  const near = findNearest(word, known)
  return near === undefined ? '' : `; did you mean ${prefix}${near}?`
}
