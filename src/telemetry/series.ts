import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** Counts that are kept elsewhere as plain numbers, and read when somebody asks for the metrics. */
export interface SeriesSources {
  readonly version: string
  /** How bytes are moved. */
  readonly engine: () => string
  readonly upstream: UpstreamReading
  /** The splice engine's pipes: idle, and lent to tunnels. */
  readonly pipes: () => { readonly idle: number, readonly lent: number }
  readonly dnsCacheEntries: () => number
  /** Absent without a file of service tags. */
  readonly serviceTags: () => TagReading | undefined
  /** Empty without TLS. */
  readonly tlsFiles: () => readonly TlsReading[]
  readonly refusals: () => Iterable<readonly [reason: string, count: number]>
  readonly traffic: () => Iterable<TrafficReading>
}

/** How the gateway goes out, and who resolves the names of tunnels. */
export interface UpstreamReading {
  readonly via: 'direct' | 'parent'
  readonly resolver: 'gateway' | 'parent'
}

/** The service tags in use. */
export interface TagReading {
  /** Of their file: since the day in its name, or since it was written. */
  readonly ageSeconds: number
  readonly tags: ReadonlyArray<{ readonly tag: string, readonly prefixes: number, readonly changeNumber: number }>
}

/** A file of the TLS listener, and when what is in it does not count any more. */
export interface TlsReading {
  readonly kind: 'server' | 'client_ca' | 'client_crl'
  /** Its path, from the configuration. */
  readonly file: string
  readonly expiresAtSeconds: number
}

/** What the tunnels with the same labels have carried up to now, and how many of them run. */
export interface TrafficReading {
  readonly registry: string
  readonly class: string
  readonly region: string
  readonly active: number
  readonly fromClient: number
  readonly fromUpstream: number
}

/** The series that are counted as things happen. */
export type Series = ReturnType<typeof createSeries>

// A set-up is a name from the cache and a connection to a region nearby, or a name server that needs asking twice.
const setupBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
// A token request takes a fraction of a second, a layer over a slow line an hour.
const durationBuckets = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400]

/** The one list of every series the gateway exports: name, help and labels. */
export function createSeries (registry: Registry, sources: SeriesSources) {
  createReadSeries(registry, sources)
  createTagSeries(registry, sources)
  const registers = [registry]
  return {
    connectionsActive: new Gauge({
      name: 'acr_egress_client_connections_active',
      help: 'Connections from clients that are open now and not on a relay thread.',
      registers,
    }),
    connectionsDropped: new Counter({
      name: 'acr_egress_client_connections_dropped_total',
      help: 'Connections from clients that were closed as they came, by whose limit: the gateway\'s, or that on one client.',
      labelNames: ['limit'],
      registers,
    }),
    handshakeFailures: new Counter({
      name: 'acr_egress_tls_handshake_failures_total',
      help: 'TLS handshakes with clients that failed, by why.',
      labelNames: ['reason'],
      registers,
    }),
    connectAttempts: new Counter({
      name: 'acr_egress_connect_attempts_total',
      help: 'Attempts to connect to an upstream address, by how they ended.',
      labelNames: ['outcome'],
      registers,
    }),
    dnsQueries: new Counter({
      name: 'acr_egress_dns_queries_total',
      help: 'Questions to the name servers, by how they ended.',
      labelNames: ['outcome'],
      registers,
    }),
    dnsCache: new Counter({
      name: 'acr_egress_dns_cache_total',
      help: 'Look-ups of names, by where the answer came from.',
      labelNames: ['result'],
      registers,
    }),
    addressChanges: new Counter({
      name: 'acr_egress_dns_address_changes_total',
      help: 'Answers in which a held name had other addresses than before (name_addresses_changed in the log).',
      registers,
    }),
    wouldRefuse: new Counter({
      name: 'acr_egress_would_refuse_total',
      help: 'Tunnels that were opened although they are against a rule that only reports, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    tagUpdates: new Counter({
      name: 'acr_egress_service_tags_updates_total',
      help: 'New states of the file of service tags: applied, refused (the old tags stay), or missing (likewise).',
      labelNames: ['result'],
      registers,
    }),
    tlsUpdates: new Counter({
      name: 'acr_egress_tls_reloads_total',
      help: 'New states of the files of the TLS listener: applied, or refused (the old ones stay).',
      labelNames: ['result'],
      registers,
    }),
    tunnels: new Counter({
      name: 'acr_egress_tunnels_total',
      help: 'Tunnels that ended, by how.',
      labelNames: ['registry', 'class', 'outcome'],
      registers,
    }),
    setupSeconds: new Histogram({
      name: 'acr_egress_tunnel_setup_seconds',
      help: 'Time from the request of a tunnel to its 200.',
      buckets: setupBuckets,
      registers,
    }),
    durationSeconds: new Histogram({
      name: 'acr_egress_tunnel_duration_seconds',
      help: 'Time from the 200 of a tunnel to its end.',
      buckets: durationBuckets,
      registers,
    }),
  }
}

/** The series that are read from their sources: a constructor of prom-client registers the series it makes. */
function createReadSeries (registry: Registry, { version, ...sources }: SeriesSources): readonly unknown[] {
  const registers = [registry]
  return [
    new Gauge({
      name: 'acr_egress_build_info',
      help: 'Always 1; the labels say what runs.',
      labelNames: ['version', 'node'],
      registers,
      collect () { this.set({ version, node: process.version }, 1) },
    }),
    new Gauge({
      name: 'acr_egress_relay_engine_info',
      help: 'Always 1; the label says how bytes are moved.',
      labelNames: ['engine'],
      registers,
      collect () { this.set({ engine: sources.engine() }, 1) },
    }),
    new Gauge({
      name: 'acr_egress_upstream_info',
      help: 'Always 1; the labels say whether there is a parent proxy, and who resolves: addresses are checked where it is the gateway.',
      labelNames: ['via', 'resolver'],
      registers,
      collect () { this.set({ ...sources.upstream }, 1) },
    }),
    new Gauge({
      name: 'acr_egress_relay_pipes',
      help: 'Pipes of the splice engine: idle, and lent to tunnels that have bytes in them.',
      labelNames: ['state'],
      registers,
      collect () {
        const { idle, lent } = sources.pipes()
        this.set({ state: 'idle' }, idle)
        this.set({ state: 'lent' }, lent)
      },
    }),
    new Gauge({
      name: 'acr_egress_tls_expiry_timestamp_seconds',
      help: 'When the first certificate in each file of the TLS listener expires, or the first revocation list is over.',
      labelNames: ['kind', 'file'],
      registers,
      collect () {
        this.reset()
        for (const { kind, file, expiresAtSeconds } of sources.tlsFiles()) this.set({ kind, file }, expiresAtSeconds)
      },
    }),
    new Gauge({
      name: 'acr_egress_dns_cache_entries',
      help: 'Names in the DNS cache now, with good and bad answers.',
      registers,
      collect () { this.set(sources.dnsCacheEntries()) },
    }),
    new Counter({
      name: 'acr_egress_refusals_total',
      help: 'Requests that were refused, by reason (docs/refusals.md).',
      labelNames: ['reason'],
      registers,
      collect () {
        this.reset()
        for (const [reason, count] of sources.refusals()) this.inc({ reason }, count)
      },
    }),
    new Counter({
      name: 'acr_egress_tunnel_bytes_total',
      help: 'Bytes carried inside tunnels; moves while they run.',
      labelNames: ['registry', 'class', 'region', 'direction'],
      registers,
      collect () {
        this.reset()
        for (const { registry, class: endpointClass, region, fromClient, fromUpstream } of sources.traffic()) {
          const labels = { registry, class: endpointClass, region }
          this.inc({ ...labels, direction: 'from_client' }, fromClient)
          this.inc({ ...labels, direction: 'from_upstream' }, fromUpstream)
        }
      },
    }),
    new Gauge({
      name: 'acr_egress_tunnels_active',
      help: 'Tunnels that are open now.',
      labelNames: ['registry', 'class'],
      registers,
      collect () {
        this.reset()
        for (const { registry, class: endpointClass, active } of sources.traffic()) {
          this.inc({ registry, class: endpointClass }, active)
        }
      },
    }),
  ]
}

/** The series on service tags; without a file of them the age is not a number, and the others have no samples. */
function createTagSeries (registry: Registry, { serviceTags }: SeriesSources): readonly unknown[] {
  const registers = [registry]
  return [
    new Gauge({
      name: 'acr_egress_service_tags_age_seconds',
      help: 'Age of the file of service tags, by the day in its name or else since it was written.',
      // Not a number when there is none: a sample of 0 would be a file that is new.
      collect () { this.set(serviceTags()?.ageSeconds ?? NaN) },
      registers,
    }),
    new Gauge({
      name: 'acr_egress_service_tags_prefixes',
      help: 'Address prefixes of each service tag in use.',
      labelNames: ['tag'],
      registers,
      collect () {
        this.reset()
        for (const { tag, prefixes } of serviceTags()?.tags ?? []) this.set({ tag }, prefixes)
      },
    }),
    new Gauge({
      name: 'acr_egress_service_tags_change_number',
      help: 'Microsoft\'s change number of each service tag in use; it may repeat and go backwards.',
      labelNames: ['tag'],
      registers,
      collect () {
        this.reset()
        for (const { tag, changeNumber } of serviceTags()?.tags ?? []) this.set({ tag }, changeNumber)
      },
    }),
  ]
}
