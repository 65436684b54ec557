import { dataHost } from '../acr/endpoints.ts'
import type { AccountSighting } from '../sightings/state.ts'
import { measureWatched } from '../sightings/watch.ts'
import { type Findings, type RegistryEvidence, formatDays, formatTime, listFindings, neededMs } from './evidence.ts'
import { listSteps } from './migration-steps.ts'

/**
 * Whether a registry's blob storage may be closed. `safe`: nothing seen speaks against it, and enough was seen;
 * `not_yet`: something does; `unknown`: too little was seen; `done`: it is closed.
 */
export type VerdictWord = 'safe' | 'not_yet' | 'unknown' | 'done'

/** A verdict with its grounds, in sentences. */
export interface Verdict {
  readonly verdict: VerdictWord
  /** What it rests on; of `not_yet` and `unknown`, each thing that stands in the way. */
  readonly reasons: readonly string[]
  /** What to do next, in this order. */
  readonly next: readonly string[]
}

/** Judges the evidence on one registry. */
export function judgeMigration (evidence: RegistryEvidence): Verdict {
  const findings = listFindings(evidence)
  const against = listObjections(evidence, findings)
  const lacking = listGaps(evidence, findings)
  const verdict = evidence.registry.storage === 'none'
    ? 'done'
    : against.length > 0 ? 'not_yet' : lacking.length > 0 ? 'unknown' : 'safe'
  const reasons = verdict === 'safe'
    ? listGrounds(evidence, findings)
    : verdict === 'done' ? ['storage is none already', ...against] : [...against, ...lacking]
  return { verdict, reasons, next: listSteps(verdict, evidence, findings) }
}

/** What speaks against closing the storage, whatever else is true. */
function listObjections (
  { registry }: RegistryEvidence, { recentBlobs, failedChecks, closedEndpoints }: Findings,
): string[] {
  const { label, cloud } = registry.loginServer
  return [
    ...recentBlobs.map(describeBlob),
    ...registry.regions.length > 0 ? [] : ['it has no regions in the configuration, so no data endpoint of it is let through'],
    ...failedChecks.map(({ problem }) => problem),
    ...closedEndpoints.map(({ region, tunnels, refused, lastSeen }) => {
      const host = dataHost(label, region, cloud)
      return `${host} was asked for ${countTimes(tunnels + refused)}, last ${formatTime(lastSeen)}, and is not among its regions`
    }),
  ]
}

/** What is not known yet. */
function listGaps (
  { registry, checks, watch, forgottenLast, now }: RegistryEvidence, { layerEndpoints, watchedMs }: Findings,
): string[] {
  const gaps: string[] = []
  if (checks.length < registry.regions.length) gaps.push('not every data endpoint of it was tried')
  if (watchedMs < neededMs) gaps.push(`it was watched for ${formatDays(watchedMs)} of ${formatDays(neededMs)} days`)
  if (layerEndpoints.length === 0) {
    gaps.push(`no layer came from a data endpoint of it in the last ${formatDays(neededMs)} days of watching`)
  }
  if (forgottenLast > 0 && measureWatched(watch, Math.min(forgottenLast, now)) < neededMs) {
    gaps.push('more names were seen than are remembered, so a storage account may have been forgotten')
  }
  return gaps
}

/** What a verdict that is safe rests on. */
function listGrounds (
  { accounts, checks }: RegistryEvidence, { layerEndpoints, watchedMs }: Findings,
): string[] {
  const last = Math.max(0, ...accounts.map(({ lastSeen }) => lastSeen))
  const earlier = last === 0 ? 'none was seen before' : `the last was seen ${formatTime(last)}`
  return [
    `no blob was asked for in ${formatDays(watchedMs)} days of watching; ${earlier}`,
    ...layerEndpoints.map(({ region, lastLayer }) => `layers came from ${region}, last ${formatTime(lastLayer)}`),
    `every data endpoint answers: ${checks.map(({ host }) => host).join(', ')}`,
  ]
}

function describeBlob ({ host, registry, tunnels, refused, failed, lastSeen }: AccountSighting): string {
  const whose = registry === '' ? '; by clients that had not asked for a registry before, so it may be this one\'s' : ''
  return `${host} was asked for ${countTimes(tunnels + refused + failed)}, last ${formatTime(lastSeen)}${whose}`
}

function countTimes (count: number): string {
  return count === 1 ? 'once' : `${count} times`
}
