import type {
  AdminSources, GatewayState, ListenerView, Readiness, ReadinessCheck, StatusView, TunnelView,
} from './admin/views.ts'
import type { Configuration } from './config/configuration.ts'
import { LookupError, type Names } from './dns/names.ts'
import type { Outlook } from './gateway-outlook.ts'
import { createExplainLookup } from './gateway-parts.ts'
import type { GatewayPasswords } from './gateway-passwords.ts'
import type { GatewaySightings } from './gateway-sightings.ts'
import type { GatewayTags } from './gateway-tags.ts'
import type { GatewayTls } from './gateway-tls.ts'
import { parseAddress } from './net/address.ts'
import { type HostName, knownHostName } from './net/host-name.ts'
import { type ProxyUrl, describeProxyUrl } from './net/proxy-url.ts'
import { explainTarget } from './policy/explain.ts'
import type { Policy } from './policy/policy.ts'
import { refuseLookup } from './proxy/failure.ts'
import { describeParentName } from './proxy/parent-refusals.ts'
import type { TunnelPlace, TunnelTable } from './proxy/tunnel-table.ts'
import type { SightingsSource } from './outlook/migration.ts'
import type { Relays } from './relay/relay.ts'
import { describeState } from './sightings/state.ts'
import type { Metrics } from './telemetry/metrics.ts'
import type { TunnelLog } from './telemetry/tunnel-log.ts'

/** The parts of a gateway that the admin listener shows. */
export interface GatewayParts {
  readonly version: string
  /** Absent until the gateway has started. */
  readonly relays: () => Pick<Relays, 'engine' | 'threads'> | undefined
  readonly configuration: Configuration
  readonly policy: () => Policy
  /** Absent without a file of service tags. */
  readonly tags: GatewayTags | undefined
  /** Absent where no passwords are asked for. */
  readonly passwords: GatewayPasswords | undefined
  /** Absent without TLS. */
  readonly tls: GatewayTls | undefined
  readonly seen: GatewaySightings
  readonly outlook: Outlook
  readonly names: Names
  readonly tunnels: TunnelTable
  readonly log: TunnelLog
  readonly metrics: Metrics
}

/** What the admin listener is handed, and the state that only the gateway knows. */
export interface GatewayViews {
  readonly sources: AdminSources
  setState (state: GatewayState, listeners?: readonly ListenerView[]): void
}

// Whoever probes /readyz does not wait long; the default dns.timeout of one silent server may pass all the same.
const readinessTimeoutMs = 2500
// A tunnel may look for a name as long as tunnel.connectTimeout; who looks at a page is not to wait so long.
const longestExplainMs = 5000
const dayMs = 86_400_000

/** Reads the parts when it is asked, and keeps nothing of them but the last readiness. */
export function createGatewayViews (parts: GatewayParts): GatewayViews {
  const { version, relays, policy, seen, outlook, names, tunnels, log, metrics } = parts
  const { configuration } = parts
  const explainTimeoutMs = Math.min(configuration.tunnel.connectTimeoutMs, longestExplainMs)
  const explainLookup = createExplainLookup(configuration, names, explainTimeoutMs)
  const source: SightingsSource = { kind: 'daemon', file: seen.file ?? '' }
  const startedAt = new Date()
  let state: GatewayState = 'starting'
  let listeners: readonly ListenerView[] = []
  let lastReadiness: Readiness = { ready: false, checks: [] }

  async function checkReadiness (): Promise<Readiness> {
    const checks = [
      checkListening(state), checkDraining(state), checkRelays(relays()), ...await checkNames(parts), checkTags(parts),
      ...checkPasswords(parts), checkState(parts.seen), checkCertificates(parts),
    ]
    lastReadiness = { ready: checks.every(({ ok }) => ok), checks }
    return lastReadiness
  }

  function readStatus (): StatusView {
    const totals = metrics.totals()
    const byReason = Object.entries(totals.refusals).map(([reason, count]) => ({ reason, count }))
    return {
      version,
      startedAt: startedAt.toISOString(),
      uptimeSeconds: (Date.now() - startedAt.getTime()) / 1000,
      state,
      readiness: lastReadiness,
      listeners,
      relayEngine: relays()?.engine ?? 'none',
      allowed: policy().rules.map((rule) => {
        return { class: rule.class, host: rule.pattern, registry: rule.registry, region: rule.region }
      }),
      tunnels: { active: totals.tunnelsActive, total: totals.tunnels },
      bytes: { fromClient: totals.bytesFromClient, fromUpstream: totals.bytesFromUpstream },
      refusals: {
        total: byReason.reduce((sum, { count }) => sum + count, 0),
        byReason,
        recent: log.recentRefusals,
      },
      dns: { servers: names.servers, cacheEntries: names.cacheEntries },
      upstream: describeWayOut(configuration),
    }
  }

  return {
    sources: {
      metrics: metrics.exposition,
      readiness: checkReadiness,
      status: readStatus,
      tunnels: () => tunnels.list().flatMap(viewTunnel),
      explain: (target) => explainTarget(policy(), target, explainLookup),
      sightings: () => describeState(seen.sightings.read()),
      migration: () => outlook.describeMigration(seen.sightings.read(), source),
      wouldRefuse: () => outlook.describeWouldRefuse(seen.sightings.read(), source),
    },
    setState (next, bound) {
      state = next
      listeners = bound ?? listeners
      // So that the page need not wait for somebody to ask for /readyz.
      if (next === 'serving') void checkReadiness()
    },
  }
}

/** How the gateway goes out, in the words of its configuration. */
function describeWayOut ({ upstreamProxy }: Configuration): StatusView['upstream'] {
  if (upstreamProxy === undefined) return { via: 'direct', parent: '', resolver: 'gateway' }
  return { via: 'parent', parent: describeProxyUrl(upstreamProxy.url), resolver: upstreamProxy.resolve }
}

function checkListening (state: GatewayState): ReadinessCheck {
  const ok = state !== 'starting'
  return { name: 'listener', ok, detail: ok ? 'The proxy port is open.' : 'The proxy port is not open yet.' }
}

function checkDraining (state: GatewayState): ReadinessCheck {
  const ok = state !== 'draining'
  return { name: 'shutdown', ok, detail: ok ? 'Not shutting down.' : 'Shutting down: no new tunnels.' }
}

/** Streams carry what no thread does, so a thread that has died is told here and holds nobody up. */
function checkRelays (relays: ReturnType<GatewayParts['relays']>): ReadinessCheck {
  if (relays === undefined) return { name: 'relay', ok: false, detail: 'Not started yet.' }
  const { engine, threads: { running, died } } = relays
  const deaths = died === 0 ? '' : ` ${died} died since the start: look for relay_thread_died in the log.`
  const detail = engine === 'splice' ? `splice, threads running: ${running}.${deaths}` : 'Bytes go through streams.'
  return { name: 'relay', ok: true, detail }
}

/** Old tags decide as well as they can, so that they are told of here and hold nobody up. */
function checkTags ({ configuration: { addresses, upstreamProxy }, tags }: GatewayParts): ReadinessCheck {
  const name = 'service tags'
  if (upstreamProxy?.resolve === 'parent') return { name, ok: true, detail: 'The parent proxy resolves: no address is checked.' }
  if (tags === undefined) {
    const why = addresses.mode === 'off' ? 'addresses.mode is off' : 'There is no addresses.serviceTagsFile'
    return { name, ok: true, detail: `${why}: addresses are only checked not to be private.` }
  }
  const { tagFile: { datedAt }, problem } = tags
  const ageMs = Date.now() - datedAt
  const age = `Of ${new Date(datedAt).toISOString().slice(0, 10)}, ${Math.floor(ageMs / dayMs)} days old.`
  const advice = ageMs > addresses.maxAgeMs ? ' That is more than addresses.maxAge: run acr-egress tags refresh.' : ''
  const refused = problem === undefined ? '' : ` The file as it is now was not taken: it ${problem}.`
  return { name, ok: true, detail: `${age}${advice}${refused}` }
}

/** The users of before are let in as well as they were; nothing is said where nobody is asked. */
function checkPasswords ({ passwords }: GatewayParts): ReadinessCheck[] {
  if (passwords === undefined) return []
  const { passwordFile: { users: { passwords: { size } } }, problem } = passwords
  const refused = problem === undefined ? '' : ` The file as it is now was not taken: ${problem}.`
  return [{ name: 'passwords', ok: true, detail: `Users: ${size}.${refused}` }]
}

/** With an old certificate the gateway serves clear text still, and its clients say what they think of it. */
function checkCertificates ({ tls }: GatewayParts): ReadinessCheck {
  const name = 'certificates'
  if (tls === undefined) return { name, ok: true, detail: 'There is no listen.tls: clear text only.' }
  const files = tls.read().map(({ file, expiresAtSeconds }) => {
    const day = new Date(expiresAtSeconds * 1000).toISOString().slice(0, 10)
    return expiresAtSeconds * 1000 > Date.now() ? `${file} is valid until ${day}.` : `${file} expired on ${day}: put a new one in its place.`
  })
  const refused = tls.problems.length === 0 ? [] : [`The files as they are now were not taken: ${tls.problems.join('; ')}.`]
  return { name, ok: true, detail: [...files, ...refused].join(' ') }
}

/** A record that is not kept costs evidence, and no client anything. */
function checkState ({ file, problem }: GatewaySightings): ReadinessCheck {
  const name = 'sightings'
  if (file === undefined) return { name, ok: true, detail: 'Kept in memory only: there is no state.file.' }
  const detail = problem === undefined ? `Kept in ${file}.` : `Kept in memory only: ${file} ${problem}.`
  return { name, ok: true, detail }
}

/** The names that the gateway asks for: of a login server where it resolves those, and of the parent proxy. */
async function checkNames (parts: GatewayParts): Promise<readonly ReadinessCheck[]> {
  const { configuration: { upstreamProxy } } = parts
  if (upstreamProxy === undefined) return [await checkLoginServer(parts)]
  const { url, resolve } = upstreamProxy
  if (resolve === 'parent') return [await checkParent('name service', url, parts)]
  return await Promise.all([checkLoginServer(parts), checkParent('parent proxy', url, parts)])
}

/** Asks for a login server; any answer at all says that the name servers answer. */
async function checkLoginServer ({ configuration, names }: GatewayParts): Promise<ReadinessCheck> {
  const name = 'name service'
  const host = configuration.registries.map(({ loginServer }) => loginServer.host)
    .find((loginHost) => !configuration.dns.hosts.has(loginHost))
  if (host === undefined) return { name, ok: true, detail: 'Every login server has a static address.' }
  const error = await findLookupError(names, host)
  if (error === undefined) return { name, ok: true, detail: `${host} resolves.` }
  const { reason, detail, hint } = refuseLookup(error)
  return hasAnswered(error)
    ? { name, ok: true, detail: `The name servers answer, but ${detail}. ${hint}` }
    : { name, ok: false, detail: `${reason}: ${detail}. ${hint}` }
}

/** Without the parent's address nothing is reached, whatever it is that the name servers say. */
async function checkParent (name: string, url: ProxyUrl, { names }: GatewayParts): Promise<ReadinessCheck> {
  const { host } = url
  if (parseAddress(host) !== undefined) return { name, ok: true, detail: `Nothing to resolve: the parent proxy is at ${host}.` }
  const error = await findLookupError(names, knownHostName(host))
  if (error === undefined) return { name, ok: true, detail: `${host}, the parent proxy, resolves.` }
  const { reason, detail, hint } = describeParentName(error.outcome, url)
  return { name, ok: false, detail: `${reason}: ${detail}. ${hint}` }
}

/** Why a name does not resolve within the time that somebody waits for /readyz. */
async function findLookupError (names: Names, host: HostName): Promise<LookupError | undefined> {
  try {
    await names.lookup(host, AbortSignal.timeout(readinessTimeoutMs))
    return undefined
  } catch (error) {
    if (error instanceof LookupError) return error
    throw error
  }
}

function hasAnswered ({ outcome }: LookupError): boolean {
  return outcome === 'no_such_name' || outcome === 'no_addresses'
}

/** Places without a relay are still being set up. */
function viewTunnel ({ record, relay }: TunnelPlace): TunnelView[] {
  if (relay === undefined) return []
  return [{
    id: record.id,
    client: record.client,
    target: record.target,
    class: record.labels?.class ?? '',
    registry: record.labels?.registry ?? '',
    region: record.labels?.region ?? '',
    address: record.upstream?.address ?? '',
    parent: record.upstream?.parent ?? '',
    startedAt: new Date(record.startedAt).toISOString(),
    ageSeconds: (Date.now() - record.startedAt) / 1000,
    idleSeconds: relay.idleMs() / 1000,
    bytesFromClient: relay.bytes.fromClient,
    bytesFromUpstream: relay.bytes.fromUpstream,
  }]
}
