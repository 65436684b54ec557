import { resolve } from 'node:path'
import { listTagNeed } from '../acr/address-tags.ts'
import type { Configuration } from '../config/configuration.ts'
import { type LoadResult, loadConfiguration } from '../config/load.ts'
import { escapeControls } from '../config/problem.ts'
import { listTagNames, listUncovered } from '../export/addresses.ts'
import { renderAzureFirewall } from '../export/azure-firewall.ts'
import { renderCilium } from '../export/cilium.ts'
import { renderNftables } from '../export/nftables.ts'
import { renderNsg } from '../export/nsg.ts'
import { ExportError, type ExportRule, type ExportSources } from '../export/sources.ts'
import { renderSquid } from '../export/squid.ts'
import { createConfiguredPolicy } from '../gateway.ts'
import { describeWriteFailure, replaceFile } from '../host/replace-file.ts'
import { readTextFile } from '../host/text-file.ts'
import { type TagFileReading, readTagFile } from '../tags/tag-file.ts'
import { version } from '../version.ts'
import { type Arguments, UsageError, parseArguments, suggestion } from './args.ts'
import { type Command, type ExitCode, type Terminal, exitCode } from './command.ts'
import {
  configurationFlags, configurationFlagsHelp, printProblems, printWarnings, readLoadOptions,
} from './configuration-flags.ts'

/** A firewall that the rules can be written for. */
interface Format {
  readonly render: (sources: ExportSources) => string
  /** What it tells targets by; what has no addresses is told of. */
  readonly by: 'names' | 'addresses'
  /** Whether it has the prefixes themselves, and not only the names of service tags. */
  readonly hasPrefixes?: boolean
}

const formats: Readonly<Record<string, Format>> = {
  nftables: { render: renderNftables, by: 'addresses', hasPrefixes: true },
  squid: { render: renderSquid, by: 'names' },
  'azure-firewall': { render: renderAzureFirewall, by: 'names' },
  nsg: { render: renderNsg, by: 'addresses' },
  cilium: { render: renderCilium, by: 'names' },
}

const help = `\
Usage: acr-egress export FORMAT [--config FILE] [--registry LOGIN_SERVER]... [--region REGION]...
                         [--listen ADDR:PORT] [--output FILE]

Writes the rules of the gateway for another firewall, from the same configuration. What comes out is complete, says how
to load and check it and what the firewall cannot do. Loading it shuts nobody out, but for squid, whose whole
configuration it is.

FORMAT is one of
  nftables        addresses: sets and chains for nft -f; needs addresses.serviceTagsFile, or privateEndpoints
  squid           names: a whole squid.conf
  azure-firewall  names: an ARM template of application rules for a firewall policy
  nsg             service tags: an ARM template of a network security group
  cilium          names: a CiliumNetworkPolicy

Flags:
${configurationFlagsHelp}
  --output FILE            write FILE, replaced whole, in place of standard output (-)

Exit code: 0 when it is done, with or without warnings; 2 for bad usage, a bad configuration, rules that the format
cannot hold, or a file that cannot be written; 4 when standard output cannot be written.

Examples:
  acr-egress export nftables --output /etc/nftables.d/acr-egress.nft && nft -f /etc/nftables.d/acr-egress.nft
  acr-egress export squid --registry contoso.azurecr.io --region eastus > squid.conf && squid -k parse -f squid.conf
  acr-egress export azure-firewall --output rules.json
  acr-egress export nsg --output nsg.json && az deployment group create --resource-group GROUP --template-file nsg.json
  acr-egress export cilium | kubectl apply --namespace builds -f -
`

/** `acr-egress export`: the same rules for another firewall. */
export const exportCommand: Command = {
  help,

  async run (argv, terminal) {
    const given = parseArguments(argv, { ...configurationFlags, output: { type: 'string' } })
    const [name, format] = readFormat(given.words)
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
    const output = given.value('output')
    if (output !== undefined && output !== '-') return await writeOutput(output, text, { name, terminal })
    terminal.stdout.write(text)
    return exitCode.ok
  },
}

function readFormat (words: readonly string[]): readonly [name: string, format: Format] {
  const names = Object.keys(formats)
  const [name, ...more] = words
  if (name === undefined) throw new UsageError(`export: say for which firewall; write acr-egress export with one of ${names.join(', ')}`)
  const format = Object.hasOwn(formats, name) ? formats[name] : undefined
  if (format === undefined) {
    const near = suggestion(name, names, '')
    throw new UsageError(`export ${escapeControls(name)}: no such format${near === '' ? `; write one of ${names.join(', ')}` : near}`)
  }
  if (more.length > 0) throw new UsageError(`export takes one FORMAT; write --output ${more[0]} for a file`)
  return [name, format]
}

/**
 * The file of service tags. With `addresses.mode: off` the gateway does not look at it, but another firewall may have
 * nothing else to go by, so it is read here.
 */
async function readTags ({ registries, addresses }: Configuration): Promise<TagFileReading | undefined> {
  const { tagFile, serviceTagsFile, scope } = addresses
  if (tagFile !== undefined) return { ok: true, tagFile }
  return serviceTagsFile === undefined ? undefined : await readTagFile(serviceTagsFile, listTagNeed(registries, scope))
}

interface Origin {
  readonly name: string
  readonly given: Arguments
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
    rules: createConfiguredPolicy(configuration).rules.map((rule): ExportRule => ({ ...rule, port: 443 })),
    clients: clients.allow,
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
function writeCommand (name: string, given: Arguments): string {
  const flags = Object.keys(configurationFlags).flatMap((flag) => given.values(flag).flatMap((value) => {
    return [`--${flag}`, flag === 'config' ? resolve(value) : value]
  }))
  return escapeControls(['acr-egress', 'export', name, ...flags].map(quoteForShell).join(' '))
}

function quoteForShell (word: string): string {
  return /^[A-Za-z0-9@%+=:,./_-]+$/.test(word) ? word : `'${word.replaceAll('\'', '\'\\\'\'')}'`
}

function renderOrProblem ({ render }: Format, sources: ExportSources): string | ExportError {
  try {
    return render(sources)
  } catch (error) {
    if (error instanceof ExportError) return error
    throw error
  }
}

/** What stands in the export too, but would be read too late there. */
function printGaps ({ stderr }: Terminal, name: string, { by, hasPrefixes }: Format, sources: ExportSources): void {
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

async function writeOutput (
  file: string, text: string, { name, terminal }: { readonly name: string, readonly terminal: Terminal },
): Promise<ExitCode> {
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
