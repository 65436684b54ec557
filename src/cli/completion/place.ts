import type { CommandEntry } from '../command.ts'
import { type Flag, type Flags, type Help, type Words, helpFlag, listFlags } from '../help.ts'

/** A word that may come next, and what it is for. */
export interface Choice {
  readonly word: string
  readonly meaning: string
}

/** Where a person is on the command line, by the words so far, and what can follow them. */
export interface Place {
  /** Those words: none, a command, or a command and its action. */
  readonly path: readonly string[]
  /** The words that lead to the next place. */
  readonly choices: readonly Choice[]
  /** What other words are; absent when there are none. */
  readonly words?: Words
  readonly flags: Flags
}

const versionFlag = { type: 'boolean', description: 'print the version' } as const satisfies Flag
const helpChoice: Choice = { word: 'help', meaning: 'say more about a command' }

/** Every place, the first before any command; loads all commands. */
export async function listPlaces (commands: readonly CommandEntry[]): Promise<readonly Place[]> {
  const choices = commands.map(({ name, summary }) => ({ word: name, meaning: summary }))
  const helps = await Promise.all(commands.map(async ({ name, load }) => ({ name, help: (await load()).help })))
  const withActions = helps.filter(({ help: { actions } }) => actions !== undefined)
  return [
    { path: [], choices: [...choices, helpChoice], flags: { help: helpFlag, version: versionFlag } },
    ...helps.flatMap(({ name, help }) => listCommandPlaces(name, help)),
    { path: [helpChoice.word], choices, flags: {} },
    ...withActions.map(({ name, help }) => ({ path: [helpChoice.word, name], choices: listActions(help), flags: {} })),
  ]
}

function listCommandPlaces (name: string, help: Help): readonly Place[] {
  const { words, actions } = help
  const flags = { ...help.flags, help: helpFlag }
  if (actions === undefined) return [{ path: [name], choices: [], ...words === undefined ? {} : { words }, flags }]
  return [
    // The flags of an action come behind it.
    { path: [name], choices: listActions(help), flags: { help: helpFlag } },
    ...Object.entries(actions).map(([action, { words }]) => ({
      path: [name, action],
      choices: [],
      ...words === undefined ? {} : { words },
      flags: { ...listFlags(help, action), help: helpFlag },
    })),
  ]
}

function listActions ({ actions = {} }: Help): readonly Choice[] {
  return Object.entries(actions).map(([word, { summary }]) => ({ word, meaning: summary }))
}

/** A description as shells show it beside the flag, where there is room for half a line: up to its first semicolon. */
export function shortenDescription ({ description }: Flag): string {
  return description.replace(/;.*/, '')
}
