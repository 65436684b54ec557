import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { Configuration } from '../config/configuration.ts'
import { loadConfiguration } from '../config/load.ts'
import { type Gateway, createGateway } from '../gateway.ts'
import { type Lab, labNames, startLab } from '../lab/lab.ts'
import { pullImage } from '../lab/pull.ts'
import { ProxyRefusedError, type ProxyAddress, openTunnel } from '../outbound/tunnel-client.ts'
import { createLogger } from '../telemetry/logger.ts'
import { version } from '../version.ts'
import { UsageError, parseArguments } from './args.ts'
import type { Command, Terminal } from './command.ts'
import { printProblems } from './configuration-flags.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import type { Help } from './help.ts'
import { createProgress, formatBytes } from './progress.ts'

const help = {
  paragraphs: [
    'Starts a look-alike of an Azure container registry and a gateway in front of it, all on loopback and with no ' +
      'privileges, pulls an image of 300 MB through the gateway, tries three targets that are not allowed, and says what ' +
      'was let through and what was refused.',
  ],
  flags: {
    stay: {
      type: 'boolean',
      description: 'leave everything running until you interrupt it, to look at the status page and to try things; a ' +
        'second interrupt ends at once',
    },
  },
  exits: {
    [exitCode.ok]: 'the image was pulled, and what is not allowed was refused',
    [exitCode.denied]: 'the pull failed, a target was let through, or you interrupted it before the end',
    [exitCode.usage]: 'bad usage; nothing was started',
  },
  examples: [
    { purpose: 'Tell the whole story, in ten seconds', line: 'acr-egress demo' },
    { purpose: 'Stay, to try things with curl and to look at the status page', line: 'acr-egress demo --stay' },
  ],
} satisfies Help

/** `acr-egress demo`: the whole story in ten seconds, without Azure. */
export const demoCommand: Command = {
  help,

  async run (argv, terminal) {
    const given = parseArguments(argv, help)
    if (given.words.length > 0) throw new UsageError(`${given.words[0]}: demo takes flags only`)
    const interrupted = terminal.takeStop()
    interrupted.addEventListener('abort', () => {
      terminal.stderr.write('Ending what was begun; interrupt once more to end at once.\n')
    }, { once: true })
    const folder = await mkdtemp(join(tmpdir(), 'acr-egress-demo-'))
    try {
      terminal.stdout.write('Making an image of 300 MB and a registry that serves it…\n')
      const lab = await startLab({ layers: layerSizes })
      try {
        interrupted.throwIfAborted()
        return await runWithLab({ lab, folder, terminal, interrupted }, given.has('stay'))
      } finally {
        await lab.close()
      }
    } catch (error) {
      if (!interrupted.aborted) throw error
      terminal.stderr.write('Interrupted before the end; nothing is left running.\n')
      return exitCode.denied
    } finally {
      await rm(folder, { recursive: true })
    }
  },
}

const megabyte = 1_000_000
const layerSizes = [150, 80, 40, 20, 10].map((size) => size * megabyte)

/** What the demo has before there is a gateway. */
interface Stage {
  readonly lab: Lab
  readonly folder: string
  readonly terminal: Terminal
  readonly interrupted: AbortSignal
}

/** What the parts of the demo share. */
interface Demo extends Stage {
  readonly proxy: ProxyAddress
}

async function runWithLab (stage: Stage, stay: boolean): Promise<ExitCode> {
  const { lab, folder, terminal } = stage
  const loaded = await loadConfiguration({ file: await writeFiles(lab, folder) })
  if (!loaded.ok) {
    printProblems(terminal, loaded.problems)
    return exitCode.usage
  }
  const tunnels: TunnelLine[] = []
  const gateway = createDemoGateway(loaded.configuration, tunnels)
  const { proxy, admin } = await gateway.start()
  try {
    const demo = { ...stage, proxy: splitAddress(proxy) }
    const isPulled = await showPull(demo)
    const isRefused = await tryForbidden(demo)
    await gateway.whenIdle()
    showTunnels(tunnels, terminal)
    terminal.stdout.write(`\nStatus page: http://${admin}/\n`)
    if (stay) await stayUntilInterrupted(demo)
    return isPulled && isRefused ? exitCode.ok : exitCode.denied
  } finally {
    await gateway.close()
  }
}

/** The configuration and the authority as files, so that a person can look at them while the demo stays. */
async function writeFiles ({ ca, hosts, nameServer }: Lab, folder: string): Promise<string> {
  const { loginServer, region, hostileServer } = labNames
  const settings = {
    registries: [
      { loginServer, regions: [region], privateEndpoints: ['127.0.0.0/8'] },
      { loginServer: hostileServer, regions: [region] },
    ],
    listen: { address: '127.0.0.1', port: 0 },
    admin: { address: '127.0.0.1', port: 0 },
    dns: { servers: [`${nameServer.address}:${nameServer.port}`], hosts },
  }
  const file = join(folder, 'config.yaml')
  await writeFile(file, stringify(settings))
  await writeFile(join(folder, 'ca.crt'), ca)
  return file
}

/** A line of the gateway's log, as far as the demo reads it. */
interface TunnelLine {
  readonly event: string
  readonly target: string
  readonly reason?: string
  readonly detail?: string
  readonly bytesFromUpstream?: number
}

/** The gateway as `serve` runs it, but for its log, which the demo reads. */
function createDemoGateway (configuration: Configuration, tunnels: TunnelLine[]): Gateway {
  const logger = createLogger('info', {
    write (line) {
      const record = JSON.parse(line) as TunnelLine
      if (record.event.startsWith('tunnel_')) tunnels.push(record)
    },
  })
  return createGateway({ configuration, logger, version })
}

function splitAddress (address: string): ProxyAddress {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
}

async function showPull ({ lab, proxy, terminal, interrupted }: Demo): Promise<boolean> {
  const { loginServer, repository, tag } = labNames
  const { stdout, stderr } = terminal
  stdout.write(`Pulling ${loginServer}/${repository}:${tag} with HTTPS_PROXY=http://${proxy.host}:${proxy.port}\n`)
  const progress = createProgress({ output: stderr, label: 'Pulled' })
  try {
    const { digest, layers } = await pullImage({
      proxy,
      registry: loginServer,
      repository,
      tag,
      ca: lab.ca,
      onProgress: progress.update,
      signal: interrupted,
    })
    progress.end()
    stdout.write(`${layers} layers, every digest right: ${digest}\n`)
    return true
  } catch (error) {
    progress.end()
    interrupted.throwIfAborted()
    stderr.write(`The pull failed: ${error instanceof Error ? error.message : String(error)}\n`)
    return false
  }
}

/** Names that look right enough to be tried, each refused on another ground. */
const forbiddenTargets = [
  'registry.example:443',
  `${labNames.loginServer.replace('.', '.westus.data.')}:443`,
  `${labNames.hostileServer}:443`,
]

async function tryForbidden ({ proxy, terminal, interrupted }: Demo): Promise<boolean> {
  terminal.stdout.write('\nTrying what is not allowed, as docker would show it:\n')
  let isRefused = true
  for (const target of forbiddenTargets) {
    const { refusal, hint } = await tryTunnel(proxy, target, interrupted)
    isRefused &&= refusal !== undefined
    terminal.stdout.write(`  ${target}\n    ${refusal ?? 'was let through, which is a mistake of the gateway'}\n`)
    if (hint !== undefined) terminal.stdout.write(`    hint: ${hint}\n`)
  }
  return isRefused
}

async function tryTunnel (proxy: ProxyAddress, target: string, signal: AbortSignal): Promise<Attempt> {
  try {
    const socket = await openTunnel({ proxy, target, signal })
    socket.destroy()
    return {}
  } catch (error) {
    if (!(error instanceof ProxyRefusedError)) throw error
    const { hint } = JSON.parse(error.body) as { hint: string }
    return { refusal: `${error.statusCode} ${error.statusText}`, hint }
  }
}

interface Attempt {
  readonly refusal?: string
  readonly hint?: string
}

/** The same facts as in the log, by target. */
function showTunnels (tunnels: readonly TunnelLine[], { stdout }: Terminal): void {
  const ended = tunnels.filter(({ event }) => event === 'tunnel_ended')
  const refused = tunnels.filter(({ event }) => event === 'tunnel_refused')
  stdout.write('\nLet through:\n')
  for (const target of new Set(ended.map((line) => line.target))) {
    const own = ended.filter((line) => line.target === target)
    const bytes = own.reduce((sum, { bytesFromUpstream = 0 }) => sum + bytesFromUpstream, 0)
    stdout.write(`  ${target.padEnd(42)} ${own.length} tunnels, ${formatBytes(bytes)}\n`)
  }
  stdout.write('Refused:\n')
  for (const { target, reason } of refused) stdout.write(`  ${target.padEnd(42)} ${reason}\n`)
}

async function stayUntilInterrupted ({ proxy, terminal, folder, interrupted }: Demo): Promise<void> {
  terminal.stdout.write(`
The gateway stays up until you interrupt it. Its configuration: ${join(folder, 'config.yaml')}
Try, for instance:
  curl --proxy http://${proxy.host}:${proxy.port} --cacert ${join(folder, 'ca.crt')} -i https://${labNames.loginServer}/v2/
  curl --proxy http://${proxy.host}:${proxy.port} -i https://registry.example/
`)
  if (interrupted.aborted) return
  await new Promise((resolve) => { interrupted.addEventListener('abort', resolve, { once: true }) })
}
