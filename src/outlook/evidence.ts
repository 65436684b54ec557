import type { Registry } from '../acr/endpoints.ts'
import type { AccountSighting, EndpointSighting } from '../sightings/state.ts'
import { type Watch, measureWatched } from '../sightings/watch.ts'
import type { EndpointCheck } from './endpoint-check.ts'

/** All that is known of one registry. */
export interface RegistryEvidence {
  readonly registry: Registry
  readonly watch: Watch
  /** Since when the registry is in the configuration; milliseconds since the epoch, like all times. */
  readonly since: number
  /** Those of the registry, and those that could be anybody's. */
  readonly accounts: readonly AccountSighting[]
  readonly endpoints: readonly EndpointSighting[]
  /** Of the data endpoints in the configured regions. */
  readonly checks: readonly EndpointCheck[]
  /** When something of a kind that counts was last seen that had to be forgotten; 0 for never. */
  readonly forgottenLast: number
  readonly now: number
}

/** For how long nothing must have been seen: two weeks, so that weekly roll-outs and restarts fall within. */
export const neededMs = 14 * 86_400_000

/** What is the matter with each part of the evidence. */
export interface Findings {
  /** Blobs of the last two weeks of watching. */
  readonly recentBlobs: readonly AccountSighting[]
  /** When a blob was last asked for in that time; 0 for never. */
  readonly lastBlob: number
  readonly failedChecks: readonly EndpointCheck[]
  /** Data endpoints that clients ask for and that are not let through. */
  readonly closedEndpoints: readonly EndpointSighting[]
  /** Endpoints that brought layers in that time. */
  readonly layerEndpoints: readonly EndpointSighting[]
  /** How long was watched since the last blob, and since the registry is known. */
  readonly watchedMs: number
}

/** Takes the evidence apart. */
export function listFindings (evidence: RegistryEvidence): Findings {
  const { registry, watch, since, accounts, endpoints, checks, now } = evidence
  const isRecent = (time: number): boolean => time > 0 && measureWatched(watch, Math.min(time, now)) < neededMs
  const recentBlobs = accounts.filter(({ lastSeen }) => isRecent(lastSeen))
  const lastBlob = Math.max(0, ...recentBlobs.map(({ lastSeen }) => lastSeen))
  const isConfigured = ({ region }: EndpointSighting): boolean => registry.regions.includes(region)
  return {
    recentBlobs,
    lastBlob,
    failedChecks: checks.filter(({ ok }) => !ok),
    closedEndpoints: endpoints.filter((endpoint) => !isConfigured(endpoint) && isRecent(endpoint.lastSeen)),
    layerEndpoints: endpoints.filter((endpoint) => isConfigured(endpoint) && isRecent(endpoint.lastLayer)),
    watchedMs: measureWatched(watch, Math.max(lastBlob, since)),
  }
}

/** To the minute, in UTC: `2026-11-25 10:11 UTC`. */
export function formatTime (time: number): string {
  return `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

/** Rounded down, so that nothing looks longer than it was. */
export function formatDays (durationMs: number): string {
  return String(Math.floor(durationMs / 8_640_000) / 10)
}
