/**
 * What the admin listener shows. These are JSON values: the empty string stands for "none", times are ISO 8601 in UTC,
 * ages are in seconds, sizes in bytes. Target names may appear here, since nobody but the operator reads this page;
 * in metric labels they may not.
 */

/** One thing that must hold before clients are sent here. */
export interface ReadinessCheck {
  /** A short name for a person, such as `name service`. */
  readonly name: string
  readonly ok: boolean
  /** What was found; when `ok` is false, also what to do about it. */
  readonly detail: string
}

export interface Readiness {
  /** True when every check is. */
  readonly ready: boolean
  readonly checks: readonly ReadinessCheck[]
}

/** `draining`: no new tunnels, those open may still end. */
export type GatewayState = 'starting' | 'serving' | 'draining'

/** One address that clients connect to. */
export interface ListenerView {
  /** As `IP:PORT`, an IPv6 address in brackets. */
  readonly address: string
  /** Whether TLS to the proxy is accepted here, beside clear text. */
  readonly tls: boolean
}

/** One name, or pattern of names, that is let through. */
export interface EndpointView {
  /** The class of endpoint: `login`, `data`, `storage` and so on. */
  readonly class: string
  /** The host, or a pattern whose `*` stands for one whole label. */
  readonly host: string
  /** The configured login server it belongs to, if to a single one. */
  readonly registry: string
  readonly region: string
}

export interface RefusalView {
  readonly time: string
  /** The word that is also in the status line, the log and the metric. */
  readonly reason: string
  /** The target as it may be printed: never a client's raw bytes. */
  readonly target: string
  /** What was the matter, as in the status line that the client was given. */
  readonly detail: string
  /** What to do about it. */
  readonly hint: string
}

/** Answer of `/api/status`: the gateway at one moment. */
export interface StatusView {
  readonly version: string
  readonly startedAt: string
  readonly uptimeSeconds: number
  readonly state: GatewayState
  /** As last found. No check is made for this answer, so that it never waits for a name server. */
  readonly readiness: Readiness
  readonly listeners: readonly ListenerView[]
  /** How bytes are moved: `splice` or `stream`. */
  readonly relayEngine: string
  /** All that is let through; a target that matches none of these is refused. */
  readonly allowed: readonly EndpointView[]
  readonly tunnels: { readonly active: number, readonly total: number }
  /** Since the start, over all tunnels, those still open too. */
  readonly bytes: { readonly fromClient: number, readonly fromUpstream: number }
  readonly refusals: {
    readonly total: number
    /** One entry for each reason that has occurred. */
    readonly byReason: readonly { readonly reason: string, readonly count: number }[]
    /** The last few, newest first. */
    readonly recent: readonly RefusalView[]
  }
  readonly dns: { readonly servers: readonly string[], readonly cacheEntries: number }
  readonly upstream: UpstreamView
}

/** How the gateway goes out. */
export interface UpstreamView {
  readonly via: 'direct' | 'parent'
  /** The URL of the parent proxy, without a user. */
  readonly parent: string
  /** Who resolves the names of registries; where it is the parent, no address is checked. */
  readonly resolver: 'gateway' | 'parent'
}

/** One open tunnel. */
export interface TunnelView {
  /** The same id as in the log. */
  readonly id: string
  readonly client: string
  /** As asked for, `HOST:PORT`. */
  readonly target: string
  readonly class: string
  readonly registry: string
  readonly region: string
  /** The address that was checked, and dialled by the gateway or the parent proxy; '' where the parent resolves. */
  readonly address: string
  /** The address of the parent proxy that was dialled. */
  readonly parent: string
  readonly startedAt: string
  readonly ageSeconds: number
  /** Since the last byte in either direction. */
  readonly idleSeconds: number
  readonly bytesFromClient: number
  readonly bytesFromUpstream: number
}

/**
 * The functions the admin listener is handed; it knows the gateway by these alone. They are called for each request
 * and must be quick; one that rejects is answered with 500, one that takes too long with 503, and its late answer is
 * dropped.
 */
export interface AdminSources {
  /** The metrics in the text format named by `contentType`. */
  metrics (): Promise<{ contentType: string, body: string }>
  /** Makes the checks. */
  readiness (): Promise<Readiness>
  status (): StatusView
  /** The open tunnels, oldest first. */
  tunnels (): readonly TunnelView[]
  /** What would become of a CONNECT to `target`: a JSON value with decision, rule, reason, hint and addresses. */
  explain (target: string): Promise<unknown>
  /** What was seen, by name: a JSON value in the form of the state file. */
  sightings (): unknown
  /** How far each registry is on its way from blob storage to data endpoints; tries the data endpoints. */
  migration (): Promise<unknown>
  /** What `enforce` would have refused, and the lines that would let it through. */
  wouldRefuse (): unknown
}
