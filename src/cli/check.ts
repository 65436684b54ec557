import type { Configuration } from '../config/configuration.ts'
import { describeConfiguration } from '../config/effective.ts'
import { type LoadResult, loadConfiguration } from '../config/load.ts'
import { listDrift } from '../config/endpoint-drift.ts'
import { maxEndpointListBytes, readEndpointLists } from '../config/endpoint-list.ts'
import { escapeControls } from '../config/problem.ts'
import { createConfiguredPolicy } from '../gateway-parts.ts'
import { readTextFile } from '../host/text-file.ts'
import { formatSocketAddress } from '../net/address.ts'
import { describeProxyUrl } from '../net/proxy-url.ts'
import { UsageError, parseArguments } from './args.ts'
import type { Command, Terminal } from './command.ts'
import { configurationFlags, printProblems, printWarnings, readLoadOptions } from './configuration-flags.ts'
import { exitCode } from './exit-code.ts'
import type { Help } from './help.ts'

const help = {
  paragraphs: [
    'Reads the configuration as serve would, with the files that it names, and prints the effective ' +
      'allowlist: every host that is let through, and the key that lets it through. Starts nothing and asks nobody.',
    'Problems and warnings go to standard error, one a line: FILE:LINE:COLUMN: key: what is wrong; what to write.',
  ],
  flags: {
    ...configurationFlags,
    endpoints: {
      type: 'string',
      value: 'FILE',
      takes: 'file',
      description: 'what az acr show-endpoints prints; says where the configuration differs from it',
    },
    json: {
      type: 'boolean',
      description: 'print one JSON document: ok, problems, warnings, drift, allowlist, configuration',
    },
  },
  exits: {
    [exitCode.ok]: 'the configuration is good, with or without warnings',
    [exitCode.denied]: 'it differs from --endpoints',
    [exitCode.usage]: 'bad usage, or the configuration is not good',
  },
  examples: [
    { purpose: 'Say what is wrong with this machine\'s configuration, or what it lets through', line: 'acr-egress check' },
    { purpose: 'Check a configuration before it is put in its place', line: 'acr-egress check --config ./config.yaml' },
    {
      purpose: 'List what a registry needs, without a file',
      line: 'acr-egress check --registry contoso.azurecr.io --region eastus --region westeurope',
    },
    { purpose: 'List the hosts alone', line: 'acr-egress check --json | jq -r \'.allowlist[].host\'' },
    {
      purpose: 'See what has changed in Azure since the configuration was written',
      line: 'az acr show-endpoints --name contoso > endpoints.json; acr-egress check --endpoints endpoints.json',
    },
  ],
} satisfies Help

/** `acr-egress check`: what is wrong with a configuration, or what it lets through. */
export const checkCommand: Command = {
  help,

  async run (argv, terminal) {
    const given = parseArguments(argv, help)
    const [word] = given.words
    if (word !== undefined) throw new UsageError(`${word}: check takes no words; write --config ${word} for a file`)
    const result = await loadConfiguration(readLoadOptions(given))
    const drift = await readDrift(given.value('endpoints'), result)
    if (result.ok) printWarnings(terminal, result.warnings)
    else printProblems(terminal, result.problems)
    if (!drift.ok) {
      terminal.stderr.write(`${drift.problem}\n`)
      return exitCode.usage
    }
    for (const message of drift.messages) terminal.stderr.write(`drift: ${message}\n`)
    if (given.has('json')) printDocument(terminal, result, drift.messages)
    else if (result.ok) printSummary(terminal, result.configuration, result.source)
    if (!result.ok) return exitCode.usage
    return drift.messages.length > 0 ? exitCode.denied : exitCode.ok
  },
}

type Drift =
  | { readonly ok: true, readonly messages: readonly string[] }
  | { readonly ok: false, readonly problem: string }

async function readDrift (file: string | undefined, result: LoadResult): Promise<Drift> {
  if (file === undefined) return { ok: true, messages: [] }
  const content = await readTextFile(file, maxEndpointListBytes)
  if (!content.ok) return { ok: false, problem: `${escapeControls(file)} ${content.message}` }
  const read = readEndpointLists(content.text)
  if (!read.ok) return { ok: false, problem: `${escapeControls(file)}: ${read.problem}` }
  return { ok: true, messages: result.ok ? listDrift(result.configuration.registries, read.lists) : [] }
}

/** One rule as it is printed. */
interface AllowlistEntry {
  readonly host: string
  readonly port: number
  readonly class: string
  readonly registry: string
  readonly region: string
  /** The key that the rule comes from. */
  readonly from: string
}

function listAllowed (configuration: Configuration): AllowlistEntry[] {
  return createConfiguredPolicy(configuration).rules.map((rule) => ({
    host: rule.pattern,
    port: rule.port,
    class: rule.class,
    registry: rule.registry,
    region: rule.region,
    from: rule.source,
  }))
}

function printDocument ({ stdout }: Terminal, result: LoadResult, drift: readonly string[]): void {
  const document = {
    ok: result.ok,
    problems: result.ok ? [] : result.problems,
    warnings: result.ok ? result.warnings : [],
    drift,
    allowlist: result.ok ? listAllowed(result.configuration) : [],
    configuration: result.ok ? describeConfiguration(result.configuration) : null,
  }
  stdout.write(`${JSON.stringify(document, null, 2)}\n`)
}

function printSummary ({ stdout }: Terminal, configuration: Configuration, source: string): void {
  const rows = listAllowed(configuration).map((entry) => Object.values(entry).map((cell) => String(cell) || '-'))
  const allowlist = alignColumns([['HOST', 'PORT', 'CLASS', 'REGISTRY', 'REGION', 'FROM'], ...rows])
  const parts = alignColumns([
    ['clients', describeClients(configuration)],
    ['passwords', describePasswords(configuration)],
    ['listener', describeListener(configuration)],
    ['upstream', describeUpstream(configuration)],
    ['dns', describeServers(configuration)],
    ['addresses', describeAddresses(configuration)],
    ['state', describeState(configuration)],
    ['admin', formatSocketAddress(configuration.admin.address, configuration.admin.port)],
  ])
  stdout.write(`The configuration is good: ${source}\n\n${allowlist}\n\n${parts}\n`)
}

/** Whether clients have to be known users. */
function describePasswords ({ clients: { passwordFile } }: Configuration): string {
  if (passwordFile === undefined) return 'not asked for'
  const { file, users: { passwords: { size } } } = passwordFile
  return `asked for: ${size === 1 ? '1 user' : `${size} users`} of ${escapeControls(file)}`
}

/** Where clients may come from, and what they must show. */
function describeClients ({ clients: { allow }, listen: { tls } }: Configuration): string {
  const where = allow.map(({ text }) => text).join(', ')
  if (tls?.clientAuthorities === undefined) return where
  const { caFile, revocation } = tls.clientAuthorities
  const crl = revocation === undefined ? '' : `, and not revoked in ${escapeControls(revocation.crlFile)}`
  return `${where}; with a certificate from ${escapeControls(caFile)}${crl}`
}

function describeListener ({ listen: { address, port, proxyProtocol, tls } }: Configuration): string {
  const balancers = proxyProtocol.map(({ text }) => text).join(', ')
  const where = `${formatSocketAddress(address, port)}${balancers === '' ? '' : `, PROXY protocol from ${balancers}`}`
  if (tls === undefined) return `${where}, clear text only`
  const certificates = tls.pairs.map(({ certFile, expiresAt }) => {
    return `${escapeControls(certFile)} (valid until ${new Date(expiresAt).toISOString().slice(0, 10)})`
  })
  return `${where}, ${tls.clientAuthorities === undefined ? 'clear text and TLS' : 'TLS'} with ${certificates.join(', ')}`
}

/** How the gateway goes out, and who resolves then. */
function describeUpstream ({ upstreamProxy }: Configuration): string {
  if (upstreamProxy === undefined) return 'directly'
  const { url, resolve } = upstreamProxy
  const through = `only through the parent proxy ${describeProxyUrl(url)}${url.credentials === undefined ? '' : ', with a user'}`
  return resolve === 'parent'
    ? `${through}, which resolves the names of registries itself: the gateway checks no address`
    : `${through}, which is asked for addresses that the gateway has resolved and checked; plain HTTP it resolves itself`
}

function describeServers ({ dns: { servers, hosts } }: Configuration): string {
  const asked = servers?.map(({ address, port }) => formatSocketAddress(address.text, port)).join(', ') ?? 'the system\'s name servers'
  return hosts.size === 0 ? asked : `${asked}; not asked for ${[...hosts.keys()].join(', ')}`
}

/** By which service tags addresses are judged, or why by none. */
function describeAddresses ({ addresses: { mode, scope, tagFile }, upstreamProxy }: Configuration): string {
  if (upstreamProxy?.resolve === 'parent') return 'none is checked: the parent proxy resolves (upstreamProxy.resolve)'
  const publicOnly = 'any that are not private or reserved'
  if (mode === 'off') return `${publicOnly}: addresses.mode is off`
  if (tagFile === undefined) return `${publicOnly}: without addresses.serviceTagsFile no service tags are looked at`
  const { file, datedAt, serviceTags: { cloud, tags } } = tagFile
  const counts = tags.map(({ name, blocks }) => `${name} ${blocks.blocks.length}`).join(', ')
  const day = new Date(datedAt).toISOString().slice(0, 10)
  return `${mode}, ${scope}, by ${escapeControls(file)} for ${cloud}, of ${day}; prefixes: ${counts}`
}

/** Where what the gateway has seen is kept. */
function describeState ({ state: { file } }: Configuration): string {
  return file === undefined ? 'in memory only, unless systemd gives the service a StateDirectory=' : escapeControls(file)
}

/** Rows of cells as lines of text; each column but the last is as wide as its widest cell. */
function alignColumns (rows: ReadonlyArray<readonly string[]>): string {
  const widths: number[] = []
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length)
  }
  return rows.map((row) => row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  ').trimEnd()).join('\n')
}
