import type { CommandEntry } from './command.ts'
import {
  type Entry, type Flag, type Help, type Paragraph, describeFlag, helpFlag, listExits, listFlags, listUsage,
} from './help.ts'
import { layoutEntries, wrapPieces, wrapText } from './text-layout.ts'

/** What is asked about, and for lines of how many characters. */
export interface HelpRequest {
  readonly command: string
  /** One action of the command; absent: the whole command. */
  readonly action?: string | undefined
  readonly width: number
}

/** The text of `acr-egress COMMAND --help` and `acr-egress COMMAND ACTION --help`. */
export function renderHelp (help: Help, { command, action, width }: HelpRequest): string {
  const actions = action === undefined ? Object.entries(help.actions ?? {}) : []
  const paragraphs = action === undefined ? help.paragraphs : listActionParagraphs(help, action)
  const sections = [
    renderUsage(help, { command, action, width }),
    ...paragraphs.map((paragraph) => renderParagraph(paragraph, width)),
    ...actions.length === 0 ? [] : [`Actions:\n${layoutEntries(actions.map(([name, { summary }]) => [name, summary]), width)}`],
    ...actions.some(([, { paragraphs }]) => paragraphs !== undefined)
      ? [wrapText(`acr-egress ${command} ACTION --help says more about an action.`, { width })]
      : [],
    `Flags:\n${layoutEntries(listFlagEntries(help, action), width)}`,
    `Exit codes:\n${layoutEntries(listExits(help).map(([code, meaning]) => [String(code), meaning]), width)}`,
    renderExamples(help, { command, action, width }),
  ]
  return `${sections.join('\n\n')}\n`
}

/** The text of `acr-egress --help`. */
export function renderOverview (version: string, commands: readonly CommandEntry[], width: number): string {
  const entries: Entry[] = commands.map(({ name, summary }) => [name, summary])
  return `${wrapText(`acr-egress ${version}: lets a locked-down network reach its Azure container registries, and nothing else`, { width })}

Usage: acr-egress COMMAND [FLAGS]

${layoutEntries(entries, width)}

acr-egress COMMAND --help, or acr-egress help COMMAND, says more about a command.
acr-egress --version prints the version.
A whole configuration:  acr-egress serve --registry contoso.azurecr.io --region eastus
`
}

function renderUsage (help: Help, { command, action, width }: HelpRequest): string {
  const forms = listUsage(command, help, action)
  return forms.map((pieces, index) => {
    const lead = index === 0 ? 'Usage: ' : '       '
    // About where what follows the names of command and action begins, if that is not far to the right.
    const hang = width < 60 ? lead.length + 2 : 24
    return `${lead}${wrapPieces(pieces, { width, indent: lead.length, hang }).slice(lead.length)}`
  }).join('\n')
}

function listActionParagraphs ({ actions, paragraphs }: Help, action: string): readonly Paragraph[] {
  const { summary = '', paragraphs: own } = actions?.[action] ?? {}
  return own ?? [`${action}: ${summary}.`, ...paragraphs]
}

function renderParagraph (paragraph: Paragraph, width: number): string {
  return typeof paragraph === 'string' ? wrapText(paragraph, { width }) : layoutEntries(paragraph, width)
}

function listFlagEntries (help: Help, action: string | undefined): readonly Entry[] {
  const told = action === undefined
    ? listAllFlags(help)
    : Object.entries(listFlags(help, action)).map(([name, flag]) => ({ name, flag, of: '' }))
  const entries: Entry[] = told.map(({ name, flag, of }) => [formatFlag(name, flag), `${of}${describeFlag(flag)}`])
  return [...entries, ['-h, --help', describeFlag(helpFlag)]]
}

/** How a flag is written. */
function formatFlag (name: string, flag: Flag): string {
  return flag.type === 'boolean' ? `--${name}` : `--${name} ${flag.value}`
}

interface ToldFlag {
  readonly name: string
  readonly flag: Flag
  /** The actions that have it, when others have it not: `show, refresh: `. */
  readonly of: string
}

/** The flags of the command and of all its actions, each once. */
export function listAllFlags (help: Help): readonly ToldFlag[] {
  const actions = Object.keys(help.actions ?? {})
  const holders = new Map<string, Map<Flag, string[]>>()
  for (const action of actions.length === 0 ? [undefined] : actions) {
    for (const [name, flag] of Object.entries(listFlags(help, action))) {
      const own = holders.get(name) ?? new Map<Flag, string[]>()
      holders.set(name, own.set(flag, [...own.get(flag) ?? [], action ?? '']))
    }
  }
  return [...holders].flatMap(([name, flags]) => [...flags].map(([flag, of]) => {
    return { name, flag, of: of.length < actions.length ? `${of.join(', ')}: ` : '' }
  }))
}

function renderExamples ({ examples }: Help, { command, action, width }: HelpRequest): string {
  const start = `acr-egress ${command} ${action}`
  const own = action === undefined ? examples : examples.filter(({ line }) => line.includes(start))
  const shown = own.length === 0 ? examples : own
  return `Examples:\n${shown.map(({ purpose, line }) => `${wrapText(`${purpose}:`, { width, indent: 2 })}\n    ${line}`).join('\n')}`
}
