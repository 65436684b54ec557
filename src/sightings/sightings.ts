import { LRUCache } from 'lru-cache'
import type { Reason } from '../refusal/reasons.ts'
import type {
  AccountSighting, EndpointSighting, Forgotten, HostSighting, Sighting, SightingsState, Traffic,
} from './state.ts'
import { type Watch, beatWatch, startWatch } from './watch.ts'

/** A request whose target has been judged. */
export interface Sight {
  /** The client's address with its port. */
  readonly client: string
  /** In canonical form. */
  readonly host: string
  /** Of the rule that lets the host through; absent when none does. */
  readonly labels: { readonly registry: string, readonly class: string, readonly region: string } | undefined
  /** Why it would be refused, where that is only reported. */
  readonly wouldRefuse: Reason | undefined
}

/** What the daemon has seen, by name, within bounds. */
export interface Sightings {
  /** A tunnel is open. What it returns, if anything, is to be called at its end with the bytes from upstream. */
  opened (sight: Sight): ((bytesFromUpstream: number) => void) | undefined
  /** A request was refused, or could not be served. */
  refused (sight: Sight, reason: Reason): void
  /** To be called each minute: says that somebody is looking. */
  beat (): void
  read (): SightingsState
  /** Goes on from what an earlier run has seen, in place of all that was seen by now. */
  restore (state: SightingsState): void
  /** Grows with whatever there is to be kept, but not with the beat. */
  readonly changes: number
}

export interface SightingsOptions {
  /** The configured login servers. */
  readonly registries: readonly string[]
  /** The suffixes of login servers, and of storage accounts, in the clouds of these registries. */
  readonly registrySuffixes: ReadonlySet<string>
  readonly blobSuffixes: ReadonlySet<string>
  /** Milliseconds since the epoch. */
  readonly now?: () => number
  /** Most entries of each kind. */
  readonly maxEntries?: number
  readonly maxClients?: number
}

const defaultMaxEntries = 1000
const defaultMaxClients = 10_000
/** A client's blobs are those of the registry that it asked last, if that was not long ago. */
const attributionMs = 15 * 60_000
/** A TLS handshake brings 4 to 8 KiB, mostly certificates; a tunnel that brought this much has brought a blob. */
const layerBytes = 16 * 1024

/** Creates an empty record that begins to look now; it holds nothing that needs closing. */
export function createSightings (options: SightingsOptions): Sightings {
  const { registries, registrySuffixes, blobSuffixes, now = Date.now, maxEntries: max = defaultMaxEntries } = options
  const forgotten = { accounts: forgetNothing(), endpoints: forgetNothing(), hosts: forgetNothing() }
  const accounts = createRecord<AccountSighting>(max, forgotten.accounts)
  const endpoints = createRecord<EndpointSighting>(max, forgotten.endpoints)
  const hosts = createRecord<HostSighting>(max, forgotten.hosts)
  const clients = new LRUCache<string, LastAsked>({ max: options.maxClients ?? defaultMaxClients })
  let watch = startWatch(now())
  let registriesSince = listSince(registries, [], watch)
  let changes = 0

  function meet<T extends Sighting> (record: LRUCache<string, T>, key: string, create: () => T): T {
    const known = record.get(key)
    const entry = known ?? create()
    entry.lastSeen = now()
    if (known === undefined) record.set(key, entry)
    changes++
    return entry
  }

  /** The account or data endpoint that a request is for; `undefined` for all other hosts. */
  function findTraffic (sight: Sight, reason = sight.wouldRefuse): AccountSighting | EndpointSighting | undefined {
    const { host, labels } = sight
    if (blobSuffixes.has(parentOf(host))) {
      const registry = attribute(sight.client)
      return meet(accounts, `${registry} ${host}`, () => ({ host, registry, ...createTraffic(now()) }))
    }
    const endpoint = labels?.class === 'data' ? labels : reason === 'region_not_configured' ? splitDataHost(host) : undefined
    if (endpoint === undefined) return undefined
    const { registry, region } = endpoint
    return meet(endpoints, `${registry} ${region}`, () => ({ registry, region, lastLayer: 0, ...createTraffic(now()) }))
  }

  /** It was seen now, and is not the next to be forgotten. */
  function touch (traffic: AccountSighting | EndpointSighting): void {
    traffic.lastSeen = now()
    if ('host' in traffic) accounts.get(`${traffic.registry} ${traffic.host}`)
    else endpoints.get(`${traffic.registry} ${traffic.region}`)
  }

  function attribute (client: string): string {
    const asked = clients.get(addressOf(client))
    return asked === undefined || now() - asked.at > attributionMs ? '' : asked.registry
  }

  /** A login server, also of a registry that is not configured: what its clients ask for next is not another's. */
  function findLogin ({ host, labels }: Sight): string | undefined {
    if (labels?.class === 'login' || labels?.class === 'regional') return labels.registry
    return registrySuffixes.has(parentOf(host)) ? host : undefined
  }

  function noteLogin (client: string, registry: string): void {
    const known = clients.get(addressOf(client))
    if (known === undefined) clients.set(addressOf(client), { registry, at: now() })
    else Object.assign(known, { registry, at: now() })
  }

  return {
    opened (sight) {
      const { client, host, labels, wouldRefuse: reason } = sight
      // The bare suffix is only reported on in every mode.
      if (reason !== undefined && labels?.class !== 'certificate') {
        meet(hosts, `${host} ${reason}`, () => ({ host, reason, count: 0, firstSeen: now(), lastSeen: now() })).count++
      }
      const login = findLogin(sight)
      if (login !== undefined) {
        noteLogin(client, login)
        // A connection to the login server is used again for as long as it is open.
        return () => noteLogin(client, login)
      }
      const traffic = findTraffic(sight)
      if (traffic === undefined) return undefined
      traffic.tunnels++
      return (bytesFromUpstream) => {
        traffic.bytesFromUpstream += bytesFromUpstream
        touch(traffic)
        if ('lastLayer' in traffic && bytesFromUpstream >= layerBytes) traffic.lastLayer = now()
        changes++
      }
    },

    refused (sight, reason) {
      const isByName = reason === 'storage_not_enabled' || reason === 'region_not_configured'
      // Anything else that is refused without a rule, like another port, says nothing of where layers come from.
      if (!isByName && sight.labels === undefined) return
      const traffic = findTraffic(sight, reason)
      if (traffic === undefined) return
      if (isByName) traffic.refused++
      else traffic.failed++
    },

    beat () {
      watch = beatWatch(watch, now())
      // The clock was set back.
      registriesSince = registriesSince.map((one) => ({ ...one, since: Math.min(one.since, watch.until) }))
    },

    read: () => ({
      watch,
      registries: registriesSince,
      accounts: listEntries(accounts),
      endpoints: listEntries(endpoints),
      hosts: listEntries(hosts),
      forgotten: structuredClone(forgotten),
    }),

    restore (state) {
      watch = beatWatch(state.watch, now())
      registriesSince = listSince(registries, watch.since === state.watch.since ? state.registries : [], watch)
      for (const one of state.accounts) accounts.set(`${one.registry} ${one.host}`, { ...one })
      for (const one of state.endpoints) endpoints.set(`${one.registry} ${one.region}`, { ...one })
      for (const one of state.hosts) hosts.set(`${one.host} ${one.reason}`, { ...one })
      Object.assign(forgotten.accounts, state.forgotten.accounts)
      Object.assign(forgotten.endpoints, state.forgotten.endpoints)
      Object.assign(forgotten.hosts, state.forgotten.hosts)
    },

    get changes () { return changes },
  }
}

interface LastAsked {
  registry: string
  at: number
}

function forgetNothing (): Forgotten {
  return { count: 0, lastSeen: 0 }
}

function createRecord<T extends Sighting> (max: number, forgotten: Forgotten): LRUCache<string, T> {
  return new LRUCache<string, T>({
    max,
    dispose (entry, _key, reason) {
      if (reason !== 'evict') return
      forgotten.count++
      forgotten.lastSeen = Math.max(forgotten.lastSeen, entry.lastSeen)
    },
  })
}

/** Copies, so that nobody outside sees them change; what was seen last comes last. */
function listEntries<T extends Sighting> (record: LRUCache<string, T>): T[] {
  return [...record.values()].reverse().map((entry) => ({ ...entry })).sort((a, b) => a.lastSeen - b.lastSeen)
}

function createTraffic (now: number): Traffic {
  return { firstSeen: now, lastSeen: now, tunnels: 0, bytesFromUpstream: 0, refused: 0, failed: 0 }
}

/** A registry that was not in the configuration had no pulls, so nothing was seen of it. */
function listSince (
  registries: readonly string[], known: SightingsState['registries'], { until }: Watch,
): SightingsState['registries'] {
  return registries.map((registry) => known.find((one) => one.registry === registry) ?? { registry, since: until })
}

function parentOf (host: string): string {
  return host.slice(host.indexOf('.') + 1)
}

/** `LABEL.REGION.data.SUFFIX`, taken apart. */
function splitDataHost (host: string): { readonly registry: string, readonly region: string } | undefined {
  const [, label, region, suffix] = /^([^.]+)\.([^.]+)\.data\.(.+)$/.exec(host) ?? []
  return region === undefined ? undefined : { registry: `${label}.${suffix}`, region }
}

function addressOf (client: string): string {
  return client.slice(0, client.lastIndexOf(':'))
}
