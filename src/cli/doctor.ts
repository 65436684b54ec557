import { createSecureContext } from 'node:tls'
import type { Configuration } from '../config/configuration.ts'
import { escapeControls } from '../config/problem.ts'
import type { Names } from '../dns/names.ts'
import { type DiagnosisOptions, diagnose } from '../doctor/diagnosis.ts'
import {
  createConfiguredNames, createConfiguredPolicy, createConfiguredReach, lookupOrRefuse, openOrRefuse,
} from '../gateway-parts.ts'
import { readCertificateFile, readTrustStore } from '../host/trust-store.ts'
import { describeProxyUrl } from '../net/proxy-url.ts'
import type { Policy } from '../policy/policy.ts'
import { type Arguments, UsageError, parseArguments } from './args.ts'
import type { Command, Terminal } from './command.ts'
import { configurationFlags, printProblems, printWarnings } from './configuration-flags.ts'
import { loadNarrowed } from './doctor-configuration.ts'
import { createReport, printConfigurationProblems } from './doctor-report.ts'
import { chooseRegistries, readRequest } from './doctor-request.ts'
import { exitCode } from './exit-code.ts'
import type { Help } from './help.ts'

const help = {
  paragraphs: [
    'Walks the path of a pull, step by step, and says in one line what is wrong and what to do. For each registry of the ' +
      'configuration: its name, its addresses by the rules of the gateway, TCP, TLS with its certificate, and what the ' +
      'registry answers. With --image also a token, the manifest, the link to a layer, and the layer\'s first bytes from ' +
      'where that leads.',
    'Goes as the gateway does, directly or through its upstreamProxy, whatever HTTPS_PROXY says; with --proxy as a client ' +
      'of the gateway does, which needs no configuration: --registry is enough. A --registry that the file has is walked ' +
      'to with what the file says of it.',
    'The certificates that are trusted are those of SSL_CERT_FILE, or else of the system, as for docker. A step has 10 ' +
      'seconds, that of the proxy 20. Nothing secret is shown.',
  ],
  flags: {
    image: {
      type: 'string',
      value: 'IMAGE',
      description: 'what to pull, REPO[:TAG|@DIGEST]; of the registry given by --registry, or written LOGIN_SERVER/REPO',
    },
    proxy: {
      type: 'string',
      value: 'URL',
      description: 'http(s)://[USER:PASSWORD@]HOST:PORT, user and password percent-encoded',
    },
    ca: {
      type: 'string',
      value: 'FILE',
      takes: 'file',
      description: 'certificates (PEM) to trust besides the system\'s, of registry and proxy',
    },
    user: {
      type: 'string',
      value: 'NAME',
      description: 'who pulls: a service principal, token or admin user; anonymous when absent',
    },
    'password-file': {
      type: 'string',
      value: 'FILE',
      takes: 'file',
      description: 'a file with the password and nothing else; - is standard input',
    },
    json: { type: 'boolean', description: 'print one JSON document: ok, interrupted, warnings, steps' },
    ...configurationFlags,
  },
  exits: {
    [exitCode.ok]: 'all steps passed, or warned',
    [exitCode.denied]: 'one failed, or it was interrupted',
    [exitCode.usage]: 'bad usage or configuration',
  },
  examples: [
    { purpose: 'Try the registries of this machine\'s configuration', line: 'acr-egress doctor' },
    {
      purpose: 'Try a whole pull',
      line: 'acr-egress doctor --registry contoso.azurecr.io --image samples/app:1.0',
    },
    {
      purpose: 'Try it from a device, through the gateway',
      line: 'acr-egress doctor --proxy http://gw.corp.example:443 --registry contoso.azurecr.io --image samples/app:1.0',
    },
    {
      purpose: 'Try it as a user with a password',
      line: 'acr-egress doctor --image samples/app --user puller --password-file - < secret.txt',
    },
  ],
} satisfies Help

/** `acr-egress doctor`: the path of a pull, walked step by step. */
export const doctorCommand: Command = {
  help,

  async run (argv, terminal) {
    const given = parseArguments(argv, help)
    const [word] = given.words
    if (word !== undefined) throw new UsageError(`${word}: doctor takes flags only; write --image ${word} for an image`)
    const request = await readRequest(given)
    const startedAt = performance.now()
    const { result, registries, isFromFile } = await loadNarrowed(given)
    if (!result.ok) {
      printProblems(terminal, result.problems)
      if (given.has('json')) printConfigurationProblems(terminal, result.problems)
      return exitCode.usage
    }
    const ms = Math.round(performance.now() - startedAt)
    const { configuration, source } = result
    // What a client lacks of the gateway's configuration is no matter: the gateway decides.
    const warnings = request.proxy === undefined || isFromFile ? result.warnings : []
    const chosen = chooseRegistries(registries, request.image)
    const trust = await readTrust(given)
    printWarnings(terminal, warnings)
    const report = createReport({ terminal, isJson: given.has('json'), warnings, proxy: request.proxy ?? configuration.upstreamProxy?.url })
    report.configured(source, ms)
    const { onStart, onStep } = report
    const hooks = { registries: chosen, ...request, ...trust, onStart, onStep }
    const isWhole = await walk(configuration, hooks, terminal)
    return report.finish(isWhole) ? exitCode.ok : exitCode.denied
  },
}

type Hooks = Omit<DiagnosisOptions, 'policy' | 'lookup' | 'parent' | 'platform' | 'now' | 'stop'>

/** Resolves with whether it was not interrupted. */
async function walk (configuration: Configuration, hooks: Hooks, terminal: Terminal): Promise<boolean> {
  const names = createConfiguredNames(configuration)
  try {
    const policy = createConfiguredPolicy(configuration)
    return await diagnose({
      ...hooks,
      policy,
      lookup: (host, signal) => lookupOrRefuse(names, host, signal),
      parent: createParentPath(configuration, policy, names),
      platform: { os: 'linux', architecture: architectures[process.arch] ?? process.arch },
      now: Date.now,
      stop: terminal.takeStop(),
    })
  } finally {
    names.close()
  }
}

/** The way of a gateway that has a parent proxy, by what the gateway itself goes by. */
function createParentPath (configuration: Configuration, policy: Policy, names: Names): DiagnosisOptions['parent'] {
  const { upstreamProxy } = configuration
  if (upstreamProxy === undefined) return undefined
  const reach = createConfiguredReach(configuration, names)
  return {
    text: describeProxyUrl(upstreamProxy.url),
    resolver: upstreamProxy.resolve,
    async open (host, rule, signal) {
      return await openOrRefuse(reach, { policy, rule, authority: { host, port: 443 } }, signal)
    },
  }
}

/** What Go, and with it image indexes, call the architectures that Node.js runs on, where the names differ. */
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le', mipsel: 'mipsle' }

async function readTrust (given: Arguments): Promise<Pick<DiagnosisOptions, 'secureContext' | 'trustSource'>> {
  const read = await readTrustStore({ certFile: process.env['SSL_CERT_FILE'] })
  if (!read.ok) throw new UsageError(`SSL_CERT_FILE: the file ${read.message}`)
  const { certificates, source } = read.store
  const more = await readAuthority(given.value('ca'))
  return {
    // As Go does, and so docker: a certificate of the store is trusted whether it is a root or not.
    secureContext: createSecureContext({ ca: [...certificates, ...more], allowPartialTrustChain: true }),
    trustSource: given.has('ca') ? `${source} with --ca` : source,
  }
}

async function readAuthority (file: string | undefined): Promise<readonly string[]> {
  if (file === undefined) return []
  const read = await readCertificateFile(file)
  if (!read.ok) throw new UsageError(`--ca ${escapeControls(file)}: ${read.message}`)
  return read.certificates
}
