import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import { createAdminServer } from './admin/server.ts'
import type { Configuration, UpstreamProxy } from './config/configuration.ts'
import { createOutlook } from './gateway-outlook.ts'
import { createConfiguredNames, createConfiguredPolicy, createConfiguredReach, listAskedNames } from './gateway-parts.ts'
import { createGatewayPasswords } from './gateway-passwords.ts'
import { createGatewaySightings } from './gateway-sightings.ts'
import { createGatewayTags } from './gateway-tags.ts'
import { createGatewayTls } from './gateway-tls.ts'
import { createGatewayViews } from './gateway-views.ts'
import { createOwnEnd } from './host/own-end.ts'
import { formatSocketAddress } from './net/address.ts'
import { createCidrSet } from './net/cidr-set.ts'
import { describeProxyUrl } from './net/proxy-url.ts'
import { TunnelFailure } from './proxy/failure.ts'
import { createListener } from './proxy/listener.ts'
import { createSetupRates } from './proxy/setup-rates.ts'
import { servePlain } from './proxy/plain-http.ts'
import { openRecord, refuseRequest, serveTunnel } from './proxy/tunnel.ts'
import { createTunnelTable } from './proxy/tunnel-table.ts'
import type { RelayOptions } from './relay/ends.ts'
import { type Relays, type RelaysOptions, startRelays } from './relay/relay.ts'
import { type Metrics, createMetrics } from './telemetry/metrics.ts'
import { createTunnelLog } from './telemetry/tunnel-log.ts'

/** The whole program behind the command line: one proxy port, one admin port. */
export interface Gateway {
  /** Listens on both ports. Rejects with `StartError`, with nothing left behind. */
  start (): Promise<StartedGateway>
  /**
   * Takes no new tunnels and waits for those that are open, up to `shutdown.drainTimeout` or until the signal is
   * aborted; then closes.
   */
  drain (atOnce?: AbortSignal): Promise<void>
  /** Ends everything at once. */
  close (): Promise<void>
  /** Tunnels that are being opened or are open. */
  readonly tunnelCount: number
  /** Resolves when there is none. */
  whenIdle (): Promise<void>
}

/** The addresses in use, `IP:PORT`. */
export interface StartedGateway {
  readonly proxy: string
  readonly admin: string
}

export interface GatewayOptions {
  readonly configuration: Configuration
  readonly logger: Logger
  readonly version: string
  /** A bound socket to accept clients on, in place of `listen.address` and `listen.port`. */
  readonly listenFd?: number
  /** Milliseconds since the epoch, for the dates of what is seen; the system's clock unless told. */
  readonly now?: () => number
}

/** A port could not be had. */
export class StartError extends Error {
  override readonly name = 'StartError'
  readonly listener: 'proxy' | 'admin'
  readonly address: string
  readonly port: number
  /** The system's, like `EADDRINUSE`. */
  readonly code: string

  constructor (listener: 'proxy' | 'admin', { address, port }: { address: string, port: number }, cause: unknown) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    super(`${listener} listener on ${formatSocketAddress(address, port)}: ${code}`, { cause })
    this.listener = listener
    this.address = address
    this.port = port
    this.code = code
  }
}

export { SpliceUnavailableError } from './relay/relay.ts'
export { BcryptUnavailableError } from './users/bcrypt-comparison.ts'

// Connections beside the tunnels: those whose request is still being read or refused.
const connectionsBesideTunnels = 1024
// The same of one client, so that four of them must come together to take all.
const connectionsBesideTunnelsPerClient = 256

// Twice in the second for which an answer is believed at least.
const refreshIntervalMs = 500

/** Puts the parts together; nothing runs before `start`. */
export function createGateway ({ configuration, logger, version, listenFd, now = Date.now }: GatewayOptions): Gateway {
  const { listen, upstreamProxy, tunnel, shutdown } = configuration
  /** From `start` on. */
  let relays: Relays | undefined
  const metrics: Metrics = createMetrics({
    version,
    engine: () => relays?.engine ?? 'none',
    upstream: { via: upstreamProxy === undefined ? 'direct' : 'parent', resolver: upstreamProxy?.resolve ?? 'gateway' },
    pipes: () => relays?.pipes ?? { idle: 0, lent: 0 },
    dnsCacheEntries: () => names.cacheEntries,
    serviceTags: () => tags?.read(),
    tlsFiles: () => tls?.read() ?? [],
  })
  const names = createConfiguredNames(configuration, { metrics, logger })
  const ownEnd = createOwnEnd()
  const pseudonym = `acr-egress-${randomBytes(6).toString('hex')}`
  const reach = createConfiguredReach(configuration, names, { metrics, ownEnd, pseudonym })
  let policy = createConfiguredPolicy(configuration)
  const tags = createGatewayTags({
    configuration,
    logger,
    metrics,
    onApplied: (serviceTags) => { policy = createConfiguredPolicy(configuration, serviceTags) },
  })
  const passwords = createGatewayPasswords(configuration, logger)
  const seen = createGatewaySightings({ configuration, logger, now })
  const log = createTunnelLog({ logger, metrics, sightings: seen.sightings })
  const tunnels = createTunnelTable(tunnel)
  const services = {
    policy: () => policy,
    ...passwords === undefined ? {} : { decideUser: passwords.decide },
    setupRates: createSetupRates({ perSecond: tunnel.maxSetupsPerSecondPerClient }),
    reach,
    tunnels,
    startRelay: (options: RelayOptions) => demandStarted(relays).start(options),
    log,
    serverName: tunnel.serverName,
    connectTimeoutMs: tunnel.connectTimeoutMs,
    idleTimeoutMs: tunnel.idleTimeoutMs,
  }
  const proxy = createListener({
    listen: listenFd === undefined ? listen : { fd: listenFd },
    ...listen.tls === undefined ? {} : { tls: listen.tls },
    headTimeoutMs: listen.headTimeoutMs,
    now,
    maxConnections: tunnel.maxTunnels + connectionsBesideTunnels,
    maxConnectionsPerClient: tunnel.maxTunnelsPerClient + connectionsBesideTunnelsPerClient,
    loadBalancers: createCidrSet(listen.proxyProtocol),
    events: metrics,
    isTransparent: listen.isTransparent,
    pseudonym,
    onTunnel: (request) => { void serveTunnel(request, services) },
    onPlain: (request) => { void servePlain(request, services) },
    onUnusable: (unusable) => {
      const { client, target, refusal } = unusable
      const { certificate } = client
      const record = openRecord(log, client, target)
      refuseRequest(unusable, record, new TunnelFailure(certificate.allow ? refusal : certificate.refusal))
    },
  })
  const tls = createGatewayTls({ configuration, logger, metrics, now, onApplied: proxy.serveTlsWith })
  const outlook = createOutlook({ configuration, policy: () => policy, makePolicy: createConfiguredPolicy, reach, now })
  const running = { relays: () => relays, policy: () => policy }
  const views = createGatewayViews({
    version, configuration, ...running, tags, passwords, tls, seen, outlook, names, tunnels, log, metrics,
  })
  // Fastify's own notes are for whoever debugs it.
  const adminLogger = logger.child({}, { level: 'warn' })
  const admin = createAdminServer({ ...configuration.admin, sources: views.sources, version, logger: adminLogger })

  /** From `start` on. */
  let refreshing: NodeJS.Timeout | undefined

  /** Has the names at hand before the first client asks, and while they are in use. */
  function keepNames (): void {
    void names.keep(listAskedNames(configuration, policy))
    refreshing = setInterval(names.refreshAhead, refreshIntervalMs)
  }

  async function close (): Promise<void> {
    views.setState('draining')
    clearInterval(refreshing)
    tags?.close()
    passwords?.close()
    tls?.close()
    outlook.close()
    // Tunnels first, while they can still be reset: what the listener closes ends like a transfer that is whole.
    tunnels.stopAll()
    proxy.close()
    // So that each has its line in the log.
    await tunnels.whenEmpty()
    await seen.close()
    names.close()
    await relays?.close()
    await admin.close()
  }

  return {
    async start () {
      try {
        relays = await startRelays({ ...configuration.relay, maxTunnels: tunnel.maxTunnels, ...relayEvents(logger) })
        await seen.start()
        await passwords?.start()
        const adminAddress = await orStartError('admin', configuration.admin, admin.start())
        const proxyAddress = await orStartError('proxy', listen, proxy.start())
        ownEnd.listenAt(proxyAddress)
        const started = { proxy: formatBound(proxyAddress), admin: formatBound(adminAddress) }
        // So that a file that cannot be written is told now, and not when there is something to lose.
        await seen.beat()
        keepNames()
        tags?.start()
        tls?.start()
        views.setState('serving', [{ address: started.proxy, tls: listen.tls !== undefined }])
        logger.info({ version, ...started, tls: listen.tls !== undefined, ...describeParentProxy(upstreamProxy) }, 'gateway_started')
        return started
      } catch (error) {
        await close()
        throw error
      }
    },

    async drain (atOnce) {
      views.setState('draining')
      proxy.stopAccepting()
      tunnels.refuseNew()
      logger.info({ tunnels: tunnels.size, drainTimeoutMs: shutdown.drainTimeoutMs }, 'gateway_draining')
      await firstOf(tunnels.whenEmpty(), shutdown.drainTimeoutMs, atOnce)
      const cut = tunnels.size
      await close()
      logger.info({ tunnelsCut: cut }, 'gateway_stopped')
    },

    close,
    get tunnelCount () { return tunnels.size },
    whenIdle: tunnels.whenEmpty,
  }
}

function demandStarted (relays: Relays | undefined): Relays {
  if (relays === undefined) throw new TypeError('no relays before the gateway has started')
  return relays
}

function relayEvents (logger: Logger): Pick<RelaysOptions, 'onFallback' | 'onThreadDeath'> {
  return {
    onFallback: (problem) => logger.warn({ engine: 'stream', problem }, 'splice_unavailable'),
    onThreadDeath: (cause, isReplaced) => logger.error({ err: cause, isReplaced }, 'relay_thread_died'),
  }
}

/** The way out as the log tells it; user and password are not in it. */
function describeParentProxy (upstreamProxy: UpstreamProxy | undefined): object {
  if (upstreamProxy === undefined) return {}
  return { parent: describeProxyUrl(upstreamProxy.url), resolvedBy: upstreamProxy.resolve }
}

async function orStartError<T> (
  listener: 'proxy' | 'admin', asked: { address: string, port: number }, starting: Promise<T>,
): Promise<T> {
  try {
    return await starting
  } catch (error) {
    throw new StartError(listener, asked, error)
  }
}

function formatBound ({ address, port }: Pick<AddressInfo, 'address' | 'port'>): string {
  return formatSocketAddress(address, port)
}

/** Resolves with the first of: the promise, the time, the signal. */
async function firstOf (promise: Promise<void>, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
  let wake = (): void => {}
  const cut = new Promise<void>((resolve) => { wake = resolve })
  const timer = setTimeout(wake, timeoutMs)
  signal?.addEventListener('abort', wake, { once: true })
  if (signal?.aborted === true) wake()
  await Promise.race([promise, cut])
  clearTimeout(timer)
  signal?.removeEventListener('abort', wake)
}
