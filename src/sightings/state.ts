import { z } from 'zod'
import { canonicalHostName } from '../net/host-name.ts'
import { type Reason, reasonWords } from '../refusal/reasons.ts'
import type { Watch } from './watch.ts'

/** What all sightings of one thing have in common; times are milliseconds since the epoch. */
export interface Sighting {
  firstSeen: number
  lastSeen: number
}

/** Traffic that was carried, or was not. */
export interface Traffic extends Sighting {
  /** Opened; those that are still open count. */
  tunnels: number
  /** Of tunnels that have ended. */
  bytesFromUpstream: number
  /** Because no rule lets the name through. */
  refused: number
  /** Let through by name, and then without an address or a connection. */
  failed: number
}

/** A storage account, as one registry's clients have used it. */
export interface AccountSighting extends Traffic {
  readonly host: string
  /** The login server that the same clients had asked before; '' when none had been. */
  readonly registry: string
}

/** The dedicated data endpoint of a registry in a region. */
export interface EndpointSighting extends Traffic {
  readonly registry: string
  readonly region: string
  /** When a tunnel last ended that had brought more than a handshake; 0 for never. */
  lastLayer: number
}

/** A host that was let through only because unlisted ones, or addresses outside the tags, are reported on. */
export interface HostSighting extends Sighting {
  readonly host: string
  readonly reason: Reason
  count: number
}

/** What had to go to make room: how many, and when the last of them was last seen; 0 for never. */
export interface Forgotten {
  count: number
  lastSeen: number
}

/** Everything that is remembered, as a value; its lists have what was seen last at the end. */
export interface SightingsState {
  readonly watch: Watch
  /** Since when each registry has been in the configuration while somebody looked. */
  readonly registries: ReadonlyArray<{ readonly registry: string, readonly since: number }>
  readonly accounts: readonly AccountSighting[]
  readonly endpoints: readonly EndpointSighting[]
  readonly hosts: readonly HostSighting[]
  readonly forgotten: Readonly<Record<'accounts' | 'endpoints' | 'hosts', Forgotten>>
}

/** The state as a JSON value, its times in ISO 8601; also the answer of `/api/sightings`. */
export function describeState ({ watch, registries, forgotten, ...state }: SightingsState): object {
  const { accounts, endpoints, hosts } = forgotten
  return {
    version,
    watch: {
      since: formatTime(watch.since),
      until: formatTime(watch.until),
      gaps: watch.gaps.map(({ from, to }) => ({ from: formatTime(from), to: formatTime(to) })),
    },
    registries: registries.map(({ registry, since }) => ({ registry, since: formatTime(since) })),
    accounts: state.accounts.map(formatSighting),
    endpoints: state.endpoints.map((one) => ({ ...formatSighting(one), lastLayer: formatTime(one.lastLayer) })),
    hosts: state.hosts.map(formatSighting),
    forgotten: {
      accounts: { ...accounts, lastSeen: formatTime(accounts.lastSeen) },
      endpoints: { ...endpoints, lastSeen: formatTime(endpoints.lastSeen) },
      hosts: { ...hosts, lastSeen: formatTime(hosts.lastSeen) },
    },
  }
}

/** The state that `describeState` was given; `undefined` for any other value. Nothing in it is taken on trust. */
export function parseState (value: unknown): SightingsState | undefined {
  const { data } = stateSchema.safeParse(value)
  if (data === undefined) return undefined
  const { version: _, ...state } = data
  return state
}

/** Grows when the form changes so that an older program would misread it. */
const version = 1

/** '' for never. */
function formatTime (time: number): string {
  return time === 0 ? '' : new Date(time).toISOString()
}

function formatSighting<T extends Sighting> (sighting: T): object {
  return { ...sighting, firstSeen: formatTime(sighting.firstSeen), lastSeen: formatTime(sighting.lastSeen) }
}

const time = z.iso.datetime().transform((text) => Date.parse(text))
const timeOrNever = z.union([z.literal('').transform(() => 0), time])
const count = z.int().min(0)
const hostName = z.string().refine((text) => canonicalHostName(text) === text)
const sighting = { firstSeen: time, lastSeen: time }
const traffic = { ...sighting, tunnels: count, bytesFromUpstream: count, refused: count, failed: count }
const forgotten = z.object({ count, lastSeen: timeOrNever })

// Unknown keys are dropped, so that a newer program may add some without a new version.
const stateSchema = z.object({
  version: z.literal(version),
  watch: z.object({ since: time, until: time, gaps: z.array(z.object({ from: time, to: time })) }),
  registries: z.array(z.object({ registry: hostName, since: time })),
  accounts: z.array(z.object({ host: hostName, registry: z.union([z.literal(''), hostName]), ...traffic })),
  endpoints: z.array(z.object({
    registry: hostName, region: z.string().regex(/^[a-z0-9]{1,63}$/), lastLayer: timeOrNever, ...traffic,
  })),
  hosts: z.array(z.object({ host: hostName, reason: z.enum(reasonWords), count, ...sighting })),
  forgotten: z.object({ accounts: forgotten, endpoints: forgotten, hosts: forgotten }),
}) satisfies z.ZodType<SightingsState>
