import { defaultFile } from '../config/load.ts'
import type { CommandEntry } from './command.ts'
import {
  type Entry, type Example, type Help, type Paragraph, type UsageForm, describeFlag, listExits, listUsage,
} from './help.ts'
import { listAllFlags } from './help-text.ts'
import { escapeTroff, renderEntries, renderLiteral, renderTitle } from './troff.ts'

interface Page {
  readonly version: string
  readonly commands: readonly CommandEntry[]
}

/** The manual page acr-egress(1), in the macros of man(7); loads all commands. */
export async function createManual ({ version, commands }: Page): Promise<string> {
  const helps = await Promise.all(commands.map(async ({ name, summary, load }) => {
    return { name, summary, help: (await load()).help }
  }))
  const lines = [
    ...renderTitle('acr-egress', 1, { version, source: 'src/cli' }),
    ...introduction,
    '.SH COMMANDS',
    ...helps.flatMap(({ name, summary, help }) => renderCommand(name, summary, help)),
    '.SH EXIT STATUS',
    ...renderExits(helps),
    '.SH ENVIRONMENT',
    ...renderEntries(environment),
    '.SH FILES',
    ...renderEntries(files),
    '.SH EXAMPLES',
    ...helps.flatMap(({ name, help: { examples } }) => [`.SS ${escapeTroff(name)}`, ...examples.flatMap(renderExample).slice(1)]),
    ...ending,
  ]
  return `${lines.join('\n')}\n`
}

const introduction = [
  '.SH NAME',
  'acr\\-egress \\- let a network reach its Azure container registries, and nothing else',
  '.SH SYNOPSIS',
  '.nf',
  '\\fBacr\\-egress\\fR \\fICOMMAND\\fR [\\fIACTION\\fR] [\\fIFLAGS\\fR]',
  '\\fBacr\\-egress help\\fR [\\fICOMMAND\\fR [\\fIACTION\\fR]]',
  '\\fBacr\\-egress \\-\\-version\\fR',
  '.fi',
  '.SH DESCRIPTION',
  escapeTroff('A CONNECT proxy for networks that may reach their Azure container registries and nothing else. The ' +
    'configuration names the registries and their regions; the names and addresses that are let through follow from ' +
    'that. Clients have the gateway as HTTPS_PROXY; what is refused says why.'),
  '.PP',
  escapeTroff('A whole configuration is'),
  '.PP',
  ...renderLiteral('acr-egress serve --registry contoso.azurecr.io --region eastus'),
  '.PP',
  escapeTroff('--flag VALUE and --flag=VALUE are the same; -- ends the flags. Every command and every action has --help, or -h.'),
]

const environment: readonly Entry[] = [
  ['LISTEN_FDS, LISTEN_PID', 'a socket that systemd has opened, which serve takes in place of the configured address'],
  ['HTTPS_PROXY, NO_PROXY', 'the proxy through which tags refresh goes, and the hosts for which it does not'],
  ['NODE_EXTRA_CA_CERTS', 'a file of further authorities that tags refresh trusts, for a mirror with one of its own'],
]

const files: readonly Entry[] = [
  [defaultFile, 'the configuration, unless --config names another; acr-egress-config(5) has every key'],
  ['/var/lib/acr-egress-tags/service-tags.json', 'Microsoft\'s service tags, where the systemd units of the package put them'],
]

const ending = [
  '.SH SEE ALSO',
  '.BR acr\\-egress\\-config (5),',
  '.BR systemd.socket (5),',
  '.BR skopeo (1),',
  '.BR podman (1),',
  '.BR docker (1)',
  '.PP',
  escapeTroff('In the package: docs/refusals.md (what each reason of a refusal means, and what to do), ' +
    'docs/service-tags.md, systemd/README.md.'),
]

function renderCommand (name: string, summary: string, help: Help): readonly string[] {
  const actions = Object.entries(help.actions ?? {})
  return [
    `.SS ${escapeTroff(name)}`,
    `${escapeTroff(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}`)}.`,
    ...listUsage(name, help).flatMap(renderUsage),
    ...help.paragraphs.flatMap(renderParagraph),
    ...actions.flatMap(([action, { summary, paragraphs = [`${summary}.`] }]) => {
      return ['.TP', `\\fB${escapeTroff(action)}\\fR`, ...paragraphs.flatMap(renderIndented)]
    }),
    ...listAllFlags(help).flatMap(({ name, flag, of }) => {
      const value = flag.type === 'boolean' ? '' : ` \\fI${escapeTroff(flag.value)}\\fR`
      return ['.TP', `\\fB${escapeTroff(`--${name}`)}\\fR${value}`, escapeTroff(`${of}${describeFlag(flag)}`)]
    }),
  ]
}

/** The lines after the first are indented, and broken between the pieces only. */
function renderUsage (form: UsageForm): readonly string[] {
  return ['.HP 4', form.map((piece) => escapeTroff(piece).replaceAll(' ', '\\ ')).join(' ')]
}

function renderParagraph (paragraph: Paragraph): readonly string[] {
  return typeof paragraph === 'string' ? ['.PP', escapeTroff(paragraph)] : renderEntries(paragraph)
}

/** A paragraph below a term, which the first one follows at once. */
function renderIndented (paragraph: Paragraph, index: number): readonly string[] {
  if (typeof paragraph === 'string') return [...index === 0 ? [] : ['.IP'], escapeTroff(paragraph)]
  return ['.RS', ...renderEntries(paragraph), '.RE']
}

interface NamedHelp {
  readonly name: string
  readonly help: Help
}

/** Each code with what it says of each command. */
function renderExits (helps: readonly NamedHelp[]): readonly string[] {
  const meanings = new Map<number, Map<string, string[]>>()
  for (const { name, help } of helps) {
    for (const [code, meaning] of listExits(help)) {
      const own = meanings.get(code) ?? new Map<string, string[]>()
      meanings.set(code, own.set(meaning, [...own.get(meaning) ?? [], name]))
    }
  }
  return [...meanings].sort(([one], [other]) => one - other).flatMap(([code, own]) => [
    '.TP',
    `\\fB${code}\\fR`,
    [...own].map(([meaning, names]) => {
      const who = names.length === helps.length ? 'every command' : names.join(', ')
      return `\\fI${escapeTroff(who)}\\fR: ${escapeTroff(meaning)}`
    }).join('\n.br\n'),
  ])
}

function renderExample ({ purpose, line }: Example): readonly string[] {
  return ['.PP', `${escapeTroff(purpose)}:`, '.PP', ...renderLiteral(line)]
}
