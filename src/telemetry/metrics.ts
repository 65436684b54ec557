import { Registry, collectDefaultMetrics } from 'prom-client'
import { type Listed, type Roster, enlist, strike } from '../net/roster.ts'
import { type Reason, reasonWords } from '../refusal/reasons.ts'
import { type TagReading, type TlsReading, type TrafficReading, type UpstreamReading, createSeries } from './series.ts'

/** The labels of a tunnel; all three from the configuration, never from a client. */
export interface TunnelLabels {
  /** The login server, or '' for a host that belongs to no single registry. */
  readonly registry: string
  readonly class: string
  readonly region: string
}

/** Bytes carried so far, moved by whoever carries them; read when somebody asks for the metrics. */
export interface LiveBytes {
  readonly fromClient: number
  readonly fromUpstream: number
}

/** What the gateway counts since its start, for the status page. */
export interface Totals {
  readonly tunnels: number
  readonly tunnelsActive: number
  readonly bytesFromClient: number
  readonly bytesFromUpstream: number
  readonly refusals: Readonly<Partial<Record<Reason, number>>>
}

/** Every series that the gateway exports, behind verbs of what happens. */
export interface Metrics {
  connectionOpened (): void
  connectionClosed (): void
  handshakeFailed (failure: string): void
  /** A connection was closed as it came, by a limit: of the gateway, or on a client. */
  connectionDropped (limit: string): void
  attempted (outcome: string): void
  queried (outcome: string): void
  lookedUp (result: string): void
  refused (reason: Reason): void
  /** A tunnel was opened that would have been refused, had it not been for a mode that only reports. */
  wouldRefuse (reason: Reason): void
  /** A name that is in use has other addresses than it had. */
  addressesChanged (): void
  /** There was a new state of the file of service tags. */
  tagsUpdated (result: string): void
  /** There was a new state of the files of the TLS listener. */
  tlsUpdated (result: string): void
  /** Counts a tunnel from its 200 on, `setupSeconds` after its request; returns the verb for its end. */
  tunnelOpened (labels: TunnelLabels, bytes: LiveBytes, setupSeconds: number): (end: TunnelEnd) => void
  totals (): Totals
  /** The Prometheus text format. */
  exposition (): Promise<{ contentType: string, body: string }>
}

export interface TunnelEnd {
  readonly outcome: string
  readonly durationSeconds: number
}

export interface MetricsOptions {
  readonly version: string
  /** How bytes are moved. */
  readonly engine: () => string
  readonly upstream: UpstreamReading
  /** The splice engine's pipes: idle, and lent to tunnels. */
  readonly pipes: () => { readonly idle: number, readonly lent: number }
  /** Names in the DNS cache now. */
  readonly dnsCacheEntries: () => number
  /** The service tags in use; none without a file of them. */
  readonly serviceTags: () => TagReading | undefined
  /** The files of the TLS listener that expire; none without TLS. */
  readonly tlsFiles: () => readonly TlsReading[]
}

/** What all tunnels with the same labels have carried: those that ended in sums, those that run by reference. */
interface Traffic {
  readonly labels: TunnelLabels
  readonly running: Roster<RunningTunnel>
  tunnels: number
  fromClient: number
  fromUpstream: number
}

/** A tunnel that is open. */
interface RunningTunnel extends Listed {
  readonly bytes: LiveBytes
}

/** Builds the series in a registry of their own; nothing is registered anywhere else. */
export function createMetrics (options: MetricsOptions): Metrics {
  const registry = new Registry()
  const traffic = new Map<string, Traffic>()
  const refusals = new Map<Reason, number>(reasonWords.map((reason) => [reason, 0]))
  collectDefaultMetrics({ register: registry })
  const series = createSeries(registry, {
    ...options,
    refusals: () => refusals,
    traffic: () => [...traffic.values()].map(readTraffic),
  })

  function trafficOf (labels: TunnelLabels): Traffic {
    const key = `${labels.registry} ${labels.class} ${labels.region}`
    const known = traffic.get(key)
    if (known !== undefined) return known
    const made: Traffic = { labels, running: [], tunnels: 0, fromClient: 0, fromUpstream: 0 }
    traffic.set(key, made)
    return made
  }

  return {
    connectionOpened: () => series.connectionsActive.inc(),
    connectionClosed: () => series.connectionsActive.dec(),
    handshakeFailed: (failure) => series.handshakeFailures.inc({ reason: failure }),
    connectionDropped: (limit) => series.connectionsDropped.inc({ limit }),
    attempted: (outcome) => series.connectAttempts.inc({ outcome }),
    queried: (outcome) => series.dnsQueries.inc({ outcome }),
    lookedUp: (result) => series.dnsCache.inc({ result }),
    wouldRefuse: (reason) => series.wouldRefuse.inc({ reason }),
    addressesChanged: () => series.addressChanges.inc(),
    tagsUpdated: (result) => series.tagUpdates.inc({ result }),
    tlsUpdated: (result) => series.tlsUpdates.inc({ result }),
    refused: (reason) => { refusals.set(reason, (refusals.get(reason) ?? 0) + 1) },

    tunnelOpened (labels, bytes, setupSeconds) {
      const own = trafficOf(labels)
      own.tunnels++
      const tunnel: RunningTunnel = { bytes, index: -1 }
      enlist(own.running, tunnel)
      series.setupSeconds.observe(setupSeconds)
      return ({ outcome, durationSeconds }) => {
        if (!strike(own.running, tunnel)) return
        own.fromClient += bytes.fromClient
        own.fromUpstream += bytes.fromUpstream
        series.tunnels.inc({ registry: labels.registry, class: labels.class, outcome })
        series.durationSeconds.observe(durationSeconds)
      }
    },

    totals () {
      const totals = { tunnels: 0, tunnelsActive: 0, bytesFromClient: 0, bytesFromUpstream: 0 }
      for (const own of traffic.values()) {
        const { active, fromClient, fromUpstream } = readTraffic(own)
        totals.tunnels += own.tunnels
        totals.tunnelsActive += active
        totals.bytesFromClient += fromClient
        totals.bytesFromUpstream += fromUpstream
      }
      return { ...totals, refusals: Object.fromEntries([...refusals].filter(([, count]) => count > 0)) }
    },

    exposition: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  }
}

/** Sums up at the time of reading, so that a chunk costs the relay an addition and no more. */
function readTraffic ({ labels, running, ...own }: Traffic): TrafficReading {
  let { fromClient, fromUpstream } = own
  for (const { bytes } of running) {
    fromClient += bytes.fromClient
    fromUpstream += bytes.fromUpstream
  }
  return { ...labels, active: running.length, fromClient, fromUpstream }
}
