import { resolve } from 'node:path'
import { listTagNeed } from '../acr/address-tags.ts'
import { quoteForShell } from '../client-files/quoting.ts'
import type { Configuration } from '../config/configuration.ts'
import { type LoadResult, loadConfiguration } from '../config/load.ts'
import { escapeControls } from '../config/problem.ts'
import { listTagNames, listUncovered } from '../export/addresses.ts'
import { renderAzureFirewall } from '../export/azure-firewall.ts'
import { renderCilium } from '../export/cilium.ts'
import { renderNftables } from '../export/nftables.ts'
import { renderNsg } from '../export/nsg.ts'
import { ExportError, type ExportSources } from '../export/sources.ts'
import { renderSquid } from '../export/squid.ts'
import { createConfiguredPolicy } from '../gateway-parts.ts'
import { describeWriteFailure, replaceFile } from '../host/replace-file.ts'
import { readTextFile } from '../host/text-file.ts'
import { type TagFileReading, readTagFile } from '../tags/tag-file.ts'
import { version } from '../version.ts'
import { type Arguments, UsageError, parseArguments, readAction } from './args.ts'
import type { Command, Terminal } from './command.ts'
import { configurationFlags, printProblems, printWarnings, readLoadOptions } from './configuration-flags.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import { type Help, listFlags } from './help.ts'
import { listStorageAccounts, storageAccountsHelp } from './storage-accounts.ts'

type FormatName = 'nftables' | 'squid' | 'azure-firewall' | 'nsg' | 'cilium'

/** A firewall that the rules can be written for. */
interface Format {
  readonly render: (sources: ExportSources) => string
  /** What it tells targets by; what has no addresses is told of. */
  readonly by: 'names' | 'addresses'
  /** Whether it has the prefixes themselves, and not only the names of service tags. */
  readonly hasPrefixes?: boolean
}

const formats: Readonly<Record<FormatName, Format>> = {
  nftables: { render: renderNftables, by: 'addresses', hasPrefixes: true },
  squid: { render: renderSquid, by: 'names' },
  'azure-firewall': { render: renderAzureFirewall, by: 'names' },
  nsg: { render: renderNsg, by: 'addresses' },
  cilium: { render: renderCilium, by: 'names' },
}

const help = {
  paragraphs: [
    'Writes the rules of the gateway for another firewall, from the same configuration. What comes out is complete, says ' +
      'how to load and check it and what the firewall cannot do. Loading it shuts nobody out, but for squid, whose whole ' +
      'configuration it is.',
  ],
  actions: {
    nftables: { summary: 'addresses: sets and chains for nft -f; needs addresses.serviceTagsFile, or privateEndpoints' },
    squid: { summary: 'names: a whole squid.conf' },
    'azure-firewall': { summary: 'names: an ARM template of application rules for a firewall policy' },
    nsg: { summary: 'service tags: an ARM template of a network security group' },
    cilium: { summary: 'names: a CiliumNetworkPolicy' },
    'storage-accounts': storageAccountsHelp,
  },
  flags: {
    ...configurationFlags,
    output: {
      type: 'string',
      value: 'FILE',
      takes: 'file',
      description: 'write FILE, replaced whole, in place of standard output (-)',
    },
  },
  exits: {
    [exitCode.ok]: 'it is done, with or without warnings',
    [exitCode.usage]: 'bad usage, a bad configuration, rules that the format cannot hold, a file that cannot be written, ' +
      'or a gateway that does not answer',
  },
  examples: [
    {
      purpose: 'Load the rules into nftables',
      line: 'acr-egress export nftables --output /etc/nftables.d/acr-egress.nft && nft -f /etc/nftables.d/acr-egress.nft',
    },
    {
      purpose: 'Write a configuration for Squid, and have Squid check it',
      line: 'acr-egress export squid --output squid.conf && squid -k parse -f squid.conf',
    },
    { purpose: 'Write application rules for Azure Firewall', line: 'acr-egress export azure-firewall --output rules.json' },
    {
      purpose: 'Deploy a network security group',
      line: 'acr-egress export nsg --output nsg.json && az deployment group create -g GROUP -f nsg.json',
    },
    { purpose: 'Apply a policy to a namespace', line: 'acr-egress export cilium | kubectl apply --namespace builds -f -' },
    { purpose: 'List the storage accounts to pin', line: 'acr-egress export storage-accounts' },
  ],
} satisfies Help

/** Those of every export; the last one has a flag of its own. */
type ExportFlags = typeof help.flags & Partial<typeof storageAccountsHelp.flags>
type Given = Arguments<keyof ExportFlags>

/** `acr-egress export`: the same rules for another firewall. */
export const exportCommand: Command = {
  help,

  async run ([word, ...argv], terminal) {
    // Also as a flag, for whoever looks for it among the flags.
    const name = readAction('export', help, word === '--storage-accounts' ? 'storage-accounts' : word)
    const given = parseArguments(argv, { flags: listFlags(help, name) })
    const [extra] = given.words
    if (extra !== undefined) throw new UsageError(`export takes one format; write --output ${extra} for a file`)
    return name === 'storage-accounts'
      ? await exportAccounts(given, terminal)
      : await exportRules(name, given, terminal)
  },
}

async function exportAccounts (given: Given, terminal: Terminal): Promise<ExitCode> {
  const text = await listStorageAccounts(given, terminal)
  if (text === undefined) return exitCode.usage
  return await writeText(text, given.value('output'), { name: 'storage-accounts', terminal })
}

async function exportRules (name: FormatName, given: Given, terminal: Terminal): Promise<ExitCode> {
  const format = formats[name]
  // What goes by names neither needs the file of service tags nor changes with it.
  const result = await loadConfiguration({ ...readLoadOptions(given), skipTagFile: format.by === 'names' })
  if (!result.ok) {
    printProblems(terminal, result.problems)
    return exitCode.usage
  }
  printWarnings(terminal, result.warnings)
  const tags = format.by === 'addresses' ? await readTags(result.configuration) : undefined
  if (tags?.ok === false) {
    return fail(terminal, name, `${result.configuration.addresses.serviceTagsFile} ${tags.message}`)
  }
  const sources = createSources({ name, given, result, tags })
  const text = renderOrProblem(format, sources)
  if (typeof text !== 'string') return fail(terminal, name, text.message)
  printGaps(terminal, name, format, sources)
  return await writeText(text, given.value('output'), { name, terminal })
}

/** Writes to standard output, or to the file that was asked for. */
async function writeText (text: string, output: string | undefined, place: Place): Promise<ExitCode> {
  if (output !== undefined && output !== '-') return await writeOutput(output, text, place)
  place.terminal.stdout.write(text)
  return exitCode.ok
}

/**
 * The file of service tags. With `addresses.mode: off` the gateway does not look at it, but another firewall may have
 * nothing else to go by, so it is read here.
 */
async function readTags ({ registries, bundles, addresses }: Configuration): Promise<TagFileReading | undefined> {
  const { tagFile, serviceTagsFile, scope } = addresses
  if (tagFile !== undefined) return { ok: true, tagFile }
  if (serviceTagsFile === undefined) return undefined
  return await readTagFile(serviceTagsFile, listTagNeed({ registries, bundles }, scope))
}

interface Origin {
  readonly name: string
  readonly given: Given
  readonly result: Extract<LoadResult, { ok: true }>
  readonly tags: Extract<TagFileReading, { ok: true }> | undefined
}

function createSources ({ name, given, result: { configuration, source }, tags }: Origin): ExportSources {
  const { clients, listen, dns, addresses } = configuration
  const tagFile = tags?.tagFile
  return {
    version,
    configuration: escapeControls(source),
    command: writeCommand(name, given),
    rules: createConfiguredPolicy(configuration).rules,
    clients: clients.allow,
    hasPasswords: clients.passwordFile !== undefined,
    listen,
    nameServers: dns.servers ?? [],
    tagScope: addresses.scope,
    ...tagFile === undefined
      ? {}
      : {
          tags: {
            file: escapeControls(tagFile.file),
            day: new Date(tagFile.datedAt).toISOString().slice(0, 10),
            serviceTags: tagFile.serviceTags,
          },
        },
  }
}

/** The command line without the place that it writes to, so that the same rules are the same bytes everywhere. */
function writeCommand (name: string, given: Given): string {
  const names = Object.keys(configurationFlags) as Array<keyof typeof configurationFlags>
  const flags = names.flatMap((flag) => given.values(flag).flatMap((value) => {
    return [`--${flag}`, flag === 'config' ? resolve(value) : value]
  }))
  return escapeControls(['acr-egress', 'export', name, ...flags].map(quoteForShell).join(' '))
}

function renderOrProblem ({ render }: Format, sources: ExportSources): string | ExportError {
  try {
    return render(sources)
  } catch (error) {
    if (error instanceof ExportError) return error
    throw error
  }
}

/** Which export it is, and whom it is told. */
interface Place {
  readonly name: string
  readonly terminal: Terminal
}

/** What stands in the export too, but would be read too late there. */
function printGaps ({ stderr }: Terminal, name: string, { by, hasPrefixes }: Format, sources: ExportSources): void {
  if (name === 'squid' && sources.hasPasswords) {
    stderr.write('warning: that Squid asks for no user and password, as clients.passwordFile has the gateway do; ' +
      'add auth_param and proxy_auth by hand\n')
  }
  if (by === 'names') return
  const known = hasPrefixes === true && sources.tags === undefined ? [] : listTagNames(sources.rules)
  // Of tags that are a guess nobody needs to be warned: these names are hardly asked for.
  const uncovered = listUncovered(sources.rules, known)
    .filter(({ tags }) => !tags.isReportOnly)
    .map(({ pattern }) => pattern)
  if (uncovered.length > 0) {
    const advice = sources.tags === undefined && hasPrefixes === true ? 'set addresses.serviceTagsFile, or ' : ''
    stderr.write(`warning: not let through by ${name}, because no addresses are known for them: ${uncovered.join(', ')}; ` +
      `${advice}add rules for their addresses by hand\n`)
  }
  if (hasPrefixes === true && sources.nameServers.length === 0) {
    stderr.write('warning: port 53 of every address is let through, because the configuration names no name servers; set dns.servers\n')
  }
}

async function writeOutput (file: string, text: string, { name, terminal }: Place): Promise<ExitCode> {
  const existing = await readTextFile(file, Math.max(Buffer.byteLength(text), 1), { takesPipe: false })
  if (existing.ok && existing.text === text) {
    terminal.stdout.write(`${escapeControls(file)} is as it should be already; nothing was written.\n`)
    return exitCode.ok
  }
  try {
    await replaceFile(file, text)
  } catch (error) {
    const problem = describeWriteFailure(error)
    if (problem === undefined) throw error
    return fail(terminal, name, `${file} ${problem}`)
  }
  terminal.stdout.write(`${escapeControls(file)} is written. How to load and check it stands at its top.\n`)
  return exitCode.ok
}

function fail ({ stderr }: Terminal, name: string, message: string): ExitCode {
  stderr.write(`acr-egress export ${name}: ${escapeControls(message)}\n`)
  return exitCode.usage
}
