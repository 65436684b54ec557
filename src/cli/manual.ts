import { defaultFile } from '../config/load.ts'
import type { CommandEntry } from './command.ts'
import {
  type Entry, type Example, type Help, type Paragraph, type UsageForm, describeFlag, listExits, listUsage,
} from './help.ts'
import { listAllFlags } from './help-text.ts'

/**
 * When the words of the page were last looked through as a whole, which is what its date is for: not the day on which
 * it is generated, so that the same sources make the same page.
 */
const reviewedOn = '2026-11-25'

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
    '.\\" Generated from src/cli by npm run generate; edit it there.',
    `.TH ACR\\-EGRESS 1 ${reviewedOn} "acr\\-egress\\-gateway ${version}"`,
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
    ...helps.flatMap(({ name, help: { examples } }) => [`.SS ${escape(name)}`, ...examples.flatMap(renderExample).slice(1)]),
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
  escape('A CONNECT proxy for networks that may reach their Azure container registries and nothing else. The ' +
    'configuration names the registries and their regions; the names and addresses that are let through follow from ' +
    'that. Clients have the gateway as HTTPS_PROXY; what is refused says why.'),
  '.PP',
  escape('A whole configuration is'),
  '.PP',
  '.RS 4',
  escape('acr-egress serve --registry contoso.azurecr.io --region eastus'),
  '.RE',
  '.PP',
  escape('--flag VALUE and --flag=VALUE are the same; -- ends the flags. Every command and every action has --help, or -h.'),
]

const environment: readonly Entry[] = [
  ['LISTEN_FDS, LISTEN_PID', 'a socket that systemd has opened, which serve takes in place of the configured address'],
  ['HTTPS_PROXY, NO_PROXY', 'the proxy through which tags refresh goes, and the hosts for which it does not'],
  ['NODE_EXTRA_CA_CERTS', 'a file of further authorities that tags refresh trusts, for a mirror with one of its own'],
]

const files: readonly Entry[] = [
  [defaultFile, 'the configuration, unless --config names another; docs/configuration.md in the package has every key'],
  ['/var/lib/acr-egress-tags/service-tags.json', 'Microsoft\'s service tags, where the systemd units of the package put them'],
]

const ending = [
  '.SH SEE ALSO',
  '.BR systemd.socket (5),',
  '.BR skopeo (1),',
  '.BR podman (1),',
  '.BR docker (1)',
  '.PP',
  escape('In the package: docs/configuration.md, docs/refusals.md (what each reason of a refusal means, and what to do), ' +
    'docs/service-tags.md, systemd/README.md.'),
]

function renderCommand (name: string, summary: string, help: Help): readonly string[] {
  const actions = Object.entries(help.actions ?? {})
  return [
    `.SS ${escape(name)}`,
    `${escape(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}`)}.`,
    ...listUsage(name, help).flatMap(renderUsage),
    ...help.paragraphs.flatMap(renderParagraph),
    ...actions.flatMap(([action, { summary, paragraphs = [`${summary}.`] }]) => {
      return ['.TP', `\\fB${escape(action)}\\fR`, ...paragraphs.flatMap(renderIndented)]
    }),
    ...listAllFlags(help).flatMap(({ name, flag, of }) => {
      const value = flag.type === 'boolean' ? '' : ` \\fI${escape(flag.value)}\\fR`
      return ['.TP', `\\fB${escape(`--${name}`)}\\fR${value}`, escape(`${of}${describeFlag(flag)}`)]
    }),
  ]
}

/** The lines after the first are indented, and broken between the pieces only. */
function renderUsage (form: UsageForm): readonly string[] {
  return ['.HP 4', form.map((piece) => escape(piece).replaceAll(' ', '\\ ')).join(' ')]
}

function renderParagraph (paragraph: Paragraph): readonly string[] {
  return typeof paragraph === 'string' ? ['.PP', escape(paragraph)] : renderEntries(paragraph)
}

/** A paragraph below a term, which the first one follows at once. */
function renderIndented (paragraph: Paragraph, index: number): readonly string[] {
  if (typeof paragraph === 'string') return [...index === 0 ? [] : ['.IP'], escape(paragraph)]
  return ['.RS', ...renderEntries(paragraph), '.RE']
}

function renderEntries (entries: readonly Entry[]): readonly string[] {
  return entries.flatMap(([term, meaning]) => ['.TP', `\\fB${escape(term)}\\fR`, escape(meaning)])
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
      return `\\fI${escape(who)}\\fR: ${escape(meaning)}`
    }).join('\n.br\n'),
  ])
}

function renderExample ({ purpose, line }: Example): readonly string[] {
  return ['.PP', `${escape(purpose)}:`, '.PP', '.RS 4', '.nf', escape(line), '.fi', '.RE']
}

/**
 * A text that troff prints as it stands: with the characters of ASCII that it would draw otherwise, so that an example
 * can be copied, and no line that it takes for a request.
 */
function escape (text: string): string {
  const characters: Readonly<Record<string, string>> = {
    '\\': '\\e', '-': '\\-', '\'': '\\(aq', '`': '\\(ga', '^': '\\(ha', '~': '\\(ti', '"': '\\(dq',
  }
  return text.replace(/[\\\-'`^~"]/g, (character) => characters[character] ?? character).replace(/^\./gm, '\\&.')
}
