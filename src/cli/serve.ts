import type { Configuration } from '../config/configuration.ts'
import { loadConfiguration } from '../config/load.ts'
import { BcryptUnavailableError, type Gateway, SpliceUnavailableError, StartError, createGateway } from '../gateway.ts'
import { tuneCollector } from '../host/memory.ts'
import { listInheritedSockets } from '../host/systemd.ts'
import { formatSocketAddress } from '../net/address.ts'
import { createLogger } from '../telemetry/logger.ts'
import { version } from '../version.ts'
import { UsageError, parseArguments } from './args.ts'
import type { Command, Terminal } from './command.ts'
import { configurationFlags, printProblems, printWarnings, readLoadOptions } from './configuration-flags.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import type { Help } from './help.ts'

const help = {
  paragraphs: [
    'Runs the gateway until SIGINT or SIGTERM; then open tunnels may end for as long as shutdown.drainTimeout says, and a ' +
      'second signal ends them at once.',
    'The log goes to standard output, one JSON document a line; what is for a person goes to standard error.',
  ],
  flags: configurationFlags,
  exits: {
    [exitCode.ok]: 'it was stopped by SIGINT or SIGTERM',
    [exitCode.usage]: 'bad usage or configuration; nothing was started',
    [exitCode.notStarted]: 'it could not start: a port is taken or not allowed, or relay.engine or bcrypt does not work here',
  },
  examples: [
    {
      purpose: 'Serve one registry, without a file',
      line: 'acr-egress serve --registry contoso.azurecr.io --region eastus',
    },
    {
      purpose: 'Serve by a file, at a port that needs no privilege',
      line: 'acr-egress serve --config /etc/acr-egress/config.yaml --listen 0.0.0.0:8443',
    },
  ],
} satisfies Help

/** `acr-egress serve`: the daemon. Logs go to standard output, everything for a person to standard error. */
export const serveCommand: Command = {
  help,

  async run (argv, terminal) {
    const given = parseArguments(argv, help)
    if (given.words.length > 0) throw new UsageError(`${given.words[0]}: serve takes flags only`)
    const loaded = await loadConfiguration(readLoadOptions(given))
    if (!loaded.ok) {
      printProblems(terminal, loaded.problems)
      return exitCode.usage
    }
    printWarnings(terminal, loaded.warnings)
    const { configuration } = loaded
    tuneCollector()
    const logger = createLogger(configuration.log.level)
    logger.info({ source: loaded.source }, 'configuration_loaded')
    const [inherited, ...more] = listInheritedSockets(process.env, process.pid)
    if (more.length > 0) terminal.stderr.write(describeMoreSockets(more.length))
    const gateway = createGateway({
      configuration,
      logger,
      version,
      ...inherited === undefined ? {} : { listenFd: inherited.fd },
    })
    return await runUntilStopped(gateway, configuration, terminal)
  },
}

async function runUntilStopped (gateway: Gateway, configuration: Configuration, terminal: Terminal): Promise<ExitCode> {
  const { stderr } = terminal
  const interrupted = terminal.takeStop()
  const insisted = terminal.takeStop()
  try {
    const { proxy, admin } = await gateway.start()
    if (stderr.isTTY === true) stderr.write(describeStart(configuration, proxy, admin))
  } catch (error) {
    if (error instanceof StartError) stderr.write(describeStartError(error))
    else if (error instanceof SpliceUnavailableError) stderr.write(describeNoSplice(error))
    else if (error instanceof BcryptUnavailableError) stderr.write(noBcrypt)
    else throw error
    return exitCode.notStarted
  }
  await onceAborted(interrupted)
  if (stderr.isTTY === true && gateway.tunnelCount > 0) {
    stderr.write(`Waiting for ${gateway.tunnelCount} tunnels to end; interrupt once more to end them at once.\n`)
  }
  await gateway.drain(insisted)
  return exitCode.ok
}

function describeStart ({ registries }: Configuration, proxy: string, admin: string): string {
  const names = registries.map(({ loginServer }) => loginServer.host).join(', ')
  return `Serving ${names} on ${proxy}; status page at http://${admin}/\n`
}

function describeMoreSockets (count: number): string {
  return `warning: only the first socket of the socket unit is served, and ${count} more would leave clients waiting. ` +
    'Keep one ListenStream=; [::]:443 with BindIPv6Only=both serves IPv4 and IPv6\n'
}

function describeNoSplice ({ message }: Error): string {
  return `relay.engine is splice, which does not work here: ${message}\n` +
    'Write auto or stream in its place, or mend what is wrong (npm install koffi).\n'
}

const noBcrypt = 'clients.passwordFile takes bcrypt, which cannot be loaded here: it comes built for x64, arm64 and arm.\n' +
  'Install the gateway anew there (npm ci); with a compiler, npm rebuild bcrypt --ignore-scripts=false builds it elsewhere.\n'

/** What to do about a port that cannot be had; by the system's code. */
function describeStartError ({ listener, address, port, code }: StartError): string {
  const where = formatSocketAddress(address, port)
  const isProxy = listener === 'proxy'
  const flag = isProxy ? '--listen' : '--admin'
  const other = `${flag} ${formatSocketAddress(address, choosePort(port))}`
  switch (code) {
    case 'EADDRINUSE':
      return `${where} is taken by another program. See which with: ss -ltnp 'sport = :${port}'\n` +
        `Stop it, or choose another port: ${other}\n`
    case 'EACCES':
    case 'EPERM':
      return `${where} is not for this user: ports below 1024 need a privilege. One of these helps:\n` +
        (isProxy ? '  - let systemd open the port: systemd/acr-egress.socket\n' : '') +
        '  - give the service CAP_NET_BIND_SERVICE (AmbientCapabilities= in its unit)\n' +
        `  - choose another port: ${other}\n`
    case 'EADDRNOTAVAIL':
      return `${where} cannot be used: this machine does not have the address ${address}.\n` +
        `See its addresses with: ip address. Use one of them, or ${isProxy ? 'all' : 'loopback'}: ` +
        `${flag} ${formatSocketAddress(isProxy ? allAddresses(address) : loopbackAddress(address), port)}\n`
    default:
      return `${where} cannot be listened on (${code}). Choose another address or port: ${flag} ADDRESS:PORT\n`
  }
}

/** A port that needs no privilege and reminds of the one that cannot be had. */
function choosePort (port: number): number {
  return port + 8000 > 65_535 ? port - 8000 : port + 8000
}

/** For clients, who are elsewhere. */
function allAddresses (address: string): string {
  return address.includes(':') ? '::' : '0.0.0.0'
}

/** For the admin listener, which asks for no password. */
function loopbackAddress (address: string): string {
  return address.includes(':') ? '::1' : '127.0.0.1'
}

async function onceAborted (signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
}
