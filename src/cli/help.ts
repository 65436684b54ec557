import { type ExitCode, exitCode } from './exit-code.ts'

/**
 * What a value or a word may be, where that is known: a file, a directory, or one of a closed list. The list is checked
 * when the command line is read; all three are completed in a shell.
 */
export type Takes = 'file' | 'directory' | readonly string[]

/** A flag that is there or not. */
export interface Switch {
  readonly type: 'boolean'
  /** Begins in lower case and ends without a full stop; up to its first semicolon it is what a shell shows. */
  readonly description: string
}

/** A flag with a value. */
export interface ValueFlag {
  readonly type: 'string'
  /** What stands for the value in usage and help, in capitals: `FILE`. */
  readonly value: string
  readonly takes?: Takes
  /** May be given several times; the help says so by itself. */
  readonly multiple?: boolean
  /** Must be given, which the command itself demands; usage shows it without brackets. */
  readonly required?: boolean
  /** As that of a switch. */
  readonly description: string
}

export type Flag = Switch | ValueFlag
/** Flags by their names, without `--`; shown in this order. */
export type Flags = Readonly<Record<string, Flag>>

/** The words besides flags. */
export interface Words {
  /** As usage shows them: `HOST[:PORT]`, `[FILE|-]`, `OLD NEW`. */
  readonly form: string
  /** What each of them is. */
  readonly takes?: Takes
}

/** A term of a list and what it means. */
export type Entry = readonly [term: string, meaning: string]
/** A text to be wrapped, or a list. */
export type Paragraph = string | readonly Entry[]

/** A command line to be copied, and what it is for. */
export interface Example {
  /** A sentence without its full stop. */
  readonly purpose: string
  /** One line for a POSIX shell. */
  readonly line: string
}

/** What one action of a command is: `refresh` of `acr-egress tags refresh`. */
export interface ActionHelp {
  /** Half a line for the list of actions. */
  readonly summary: string
  readonly words?: Words
  /** What is to be said about this action alone. */
  readonly paragraphs?: readonly Paragraph[]
  /** Those that it has besides the command's own. */
  readonly flags?: Flags
}

/**
 * What one command is, for `--help`, the manual page and the completions of shells. `parseArguments` takes the flags
 * from it too, so that none can be parsed without being told, or told without being parsed.
 */
export interface Help {
  /** Of a command without actions. */
  readonly words?: Words
  readonly paragraphs: readonly Paragraph[]
  /** By their names, which are the first word behind the command's. */
  readonly actions?: Readonly<Record<string, ActionHelp>>
  /** The command's own; those of every action, if it has actions. */
  readonly flags: Flags
  /** What each exit code says, but for `exitCode.notWritten`, which every command has from `main`. */
  readonly exits: Readonly<Partial<Record<ExitCode, string>>>
  /** Those of all actions. */
  readonly examples: readonly Example[]
}

/** `--help` and `-h`, which `main` answers for every command. */
export const helpFlag = { type: 'boolean', description: 'print this, and do nothing else' } as const satisfies Flag

/** Every flag of a command, or of one of its actions. */
export function listFlags ({ flags, actions }: Help, action?: string): Flags {
  return action === undefined ? flags : { ...flags, ...actions?.[action]?.flags }
}

/** Every exit code that can come, lowest first. */
export function listExits ({ exits }: Help): ReadonlyArray<readonly [code: number, meaning: string]> {
  const all = { ...exits, [exitCode.notWritten]: 'it is done, but standard output could not be written' }
  return Object.entries(all).map(([code, meaning]) => [Number(code), meaning])
}

/** One form of a command's usage, in pieces between which it may be broken into lines. */
export type UsageForm = readonly string[]

/** The usage of a command, or of one of its actions. Actions that differ in nothing but their name share a form. */
export function listUsage (command: string, help: Help, action?: string): readonly UsageForm[] {
  const { words, actions = {} } = help
  const own = Object.keys(actions).filter((name) => action === undefined || name === action)
  if (own.length === 0) return [formUsage(command, words, help.flags)]
  const alike = own.filter((name) => actions[name]?.flags === undefined && actions[name]?.words === undefined)
  const others = own.filter((name) => !alike.includes(name))
  return [
    ...alike.length === 0 ? [] : [formUsage(`${command} ${alike.join('|')}`, undefined, help.flags)],
    ...others.map((name) => formUsage(`${command} ${name}`, actions[name]?.words, listFlags(help, name))),
  ]
}

function formUsage (command: string, words: Words | undefined, flags: Flags): UsageForm {
  const pieces = Object.entries(flags).map(([name, flag]) => formFlag(name, flag))
  const isOptional = (piece: string): boolean => piece.startsWith('[')
  const ordered = [...pieces.filter((piece) => !isOptional(piece)), ...pieces.filter(isOptional)]
  return ['acr-egress', ...command.split(' '), ...words === undefined ? [] : [words.form], ...ordered]
}

function formFlag (name: string, flag: Flag): string {
  if (flag.type === 'boolean') return `[--${name}]`
  const text = flag.required === true ? `--${name} ${flag.value}` : `[--${name} ${flag.value}]`
  return flag.multiple === true ? `${text}...` : text
}

/** All that is to be said about a flag, as half a sentence. */
export function describeFlag (flag: Flag): string {
  if (flag.type === 'boolean') return flag.description
  const { description, takes, multiple } = flag
  const values = Array.isArray(takes) ? `; one of ${takes.join(', ')}` : ''
  return `${description}${values}${multiple === true ? '; may be given several times' : ''}`
}
