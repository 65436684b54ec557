import type { HostName } from '../net/host-name.ts'
import type { AdviceSources } from '../policy/advice.ts'
import type { Refusal } from '../refusal/reasons.ts'
import type { HostSighting, SightingsState } from '../sightings/state.ts'
import { type Addition, type PolicyMaker, formatAdditions, listAdditions } from './additions.ts'
import type { SightingsSource } from './migration.ts'

/** What `enforce` would have refused, judged anew; a JSON value, times in ISO 8601. */
export interface WouldRefuseView {
  readonly now: string
  readonly source: SightingsSource
  readonly watchedSince: string
  /** Whether unlisted hosts are only reported on now; if not, nothing new comes. */
  readonly mode: 'enforce' | 'report'
  /** Those that would be refused still, then the others; of each the most frequent first. */
  readonly hosts: readonly WouldRefuseHost[]
  /** How many are not listed, because there were too many to remember. */
  readonly forgotten: number
  /** What lets all of them through. */
  readonly additions: readonly Addition[]
  /** The additions, to be put into the configuration. */
  readonly yaml: string
}

export interface WouldRefuseHost {
  readonly host: string
  readonly reason: string
  readonly count: number
  readonly firstSeen: string
  readonly lastSeen: string
  /** The key that lets the host through by now; '' for none. */
  readonly allowedBy: string
  /** Why it would be refused now; absent when it would not. */
  readonly refusal?: Refusal
}

export interface WouldRefuseSources {
  readonly state: SightingsState
  readonly source: SightingsSource
  readonly mode: 'enforce' | 'report'
  /** As they stand in the configuration. */
  readonly lists: AdviceSources
  readonly makePolicy: PolicyMaker
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** Judges what was reported by the present configuration, as `enforce` would. */
export function describeWouldRefuse (sources: WouldRefuseSources): WouldRefuseView {
  const { state, source, mode, lists, makePolicy, now } = sources
  const policy = makePolicy(lists)
  const hosts = state.hosts.map((sighting): WouldRefuseHost => {
    const decision = policy.decideTarget(`${sighting.host}:443`)
    if (!decision.allow) return { ...viewSighting(sighting), allowedBy: '', refusal: decision.refusal }
    const isByName = !reasonsBehindNames.has(sighting.reason)
    return { ...viewSighting(sighting), allowedBy: isByName ? decision.rule.source : '' }
  }).sort(compareHosts)
  const refused = new Set(hosts.filter(({ refusal }) => refusal !== undefined).map(({ host }) => host as HostName))
  const additions = listAdditions([...refused], lists, makePolicy)
  return {
    now: new Date(now).toISOString(),
    source,
    watchedSince: new Date(state.watch.since).toISOString(),
    mode,
    hosts,
    forgotten: state.forgotten.hosts.count,
    additions,
    yaml: formatAdditions(additions),
  }
}

/** Its name was never the matter, so it may be refused as before. */
const reasonsBehindNames = new Set(['address_outside_service_tags', 'not_tls', 'server_name_mismatch', 'hello_timeout'])

function viewSighting ({ firstSeen, lastSeen, ...sighting }: HostSighting): Omit<WouldRefuseHost, 'allowedBy'> {
  return { ...sighting, firstSeen: new Date(firstSeen).toISOString(), lastSeen: new Date(lastSeen).toISOString() }
}

function compareHosts (one: WouldRefuseHost, other: WouldRefuseHost): number {
  return Number(one.allowedBy !== '') - Number(other.allowedBy !== '') || other.count - one.count ||
    one.host.localeCompare(other.host, 'en')
}
