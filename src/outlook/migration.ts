import { type Registry, type StorageChoice, dataHost } from '../acr/endpoints.ts'
import type { HostName } from '../net/host-name.ts'
import type { AccountSighting, EndpointSighting, SightingsState } from '../sightings/state.ts'
import { measureWatched } from '../sightings/watch.ts'
import type { EndpointCheck } from './endpoint-check.ts'
import { formatDays, neededMs } from './evidence.ts'
import { type VerdictWord, judgeMigration } from './verdict.ts'

/** Where what was seen comes from: the memory of the running daemon, or its file. '' for no file. */
export interface SightingsSource {
  readonly kind: 'daemon' | 'file'
  readonly file: string
}

/** How far each registry is on its way from blob storage to data endpoints; a JSON value, times in ISO 8601. */
export interface MigrationView {
  readonly now: string
  readonly source: SightingsSource
  readonly watchedSince: string
  readonly watchedDays: number
  readonly neededDays: number
  readonly registries: readonly RegistryMigration[]
}

export interface RegistryMigration {
  readonly registry: string
  readonly storage: StorageChoice
  readonly regions: readonly string[]
  readonly verdict: VerdictWord
  readonly reasons: readonly string[]
  readonly next: readonly string[]
  /** Storage accounts; `registry` is '' where it may be another's. */
  readonly accounts: ReadonlyArray<TrafficView & { readonly host: string, readonly registry: string }>
  /** `lastLayer` is '' for never. */
  readonly endpoints: ReadonlyArray<TrafficView & {
    readonly host: string, readonly region: string, readonly lastLayer: string,
  }>
  readonly checks: readonly EndpointCheck[]
}

/** What was seen of a storage account or a data endpoint. */
export interface TrafficView {
  readonly firstSeen: string
  readonly lastSeen: string
  readonly tunnels: number
  /** Of tunnels that have ended. */
  readonly bytesFromUpstream: number
  readonly refused: number
  readonly failed: number
}

export interface MigrationSources {
  readonly registries: readonly Registry[]
  readonly state: SightingsState
  readonly source: SightingsSource
  /** By host. */
  readonly checks: ReadonlyMap<string, EndpointCheck>
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** Says for each registry how far it is. */
export function describeMigration ({ registries, state, source, checks, now }: MigrationSources): MigrationView {
  const { watch } = state
  return {
    now: formatIso(now),
    source,
    watchedSince: formatIso(watch.since),
    watchedDays: Number(formatDays(measureWatched(watch, watch.since))),
    neededDays: Number(formatDays(neededMs)),
    registries: registries.map((registry) => describeRegistry(registry, state, checks, now)),
  }
}

/** The data endpoints in the configured regions: those that are worth a look. */
export function listDataHosts (registries: readonly Registry[]): readonly HostName[] {
  return registries.flatMap(({ loginServer, regions }) => regions.map((region) => {
    return dataHost(loginServer.label, region, loginServer.cloud)
  }))
}

function describeRegistry (
  registry: Registry, state: SightingsState, checks: ReadonlyMap<string, EndpointCheck>, now: number,
): RegistryMigration {
  const { host, label, cloud } = registry.loginServer
  const accounts = state.accounts.filter((account) => {
    return (account.registry === host || account.registry === '') && account.host.endsWith(`.${cloud.blobSuffix}`)
  })
  const endpoints = state.endpoints.filter((endpoint) => endpoint.registry === host)
  const ownChecks = listDataHosts([registry]).flatMap((one) => checks.get(one) ?? [])
  const { verdict, reasons, next } = judgeMigration({
    registry,
    watch: state.watch,
    since: state.registries.find((one) => one.registry === host)?.since ?? now,
    accounts,
    endpoints,
    checks: ownChecks,
    forgottenLast: state.forgotten.accounts.lastSeen,
    now,
  })
  return {
    registry: host,
    storage: registry.storage,
    regions: registry.regions,
    verdict,
    reasons,
    next,
    accounts: accounts.map((account) => ({ host: account.host, registry: account.registry, ...viewTraffic(account) })),
    endpoints: endpoints.map((endpoint) => ({
      host: dataHost(label, endpoint.region, cloud),
      region: endpoint.region,
      lastLayer: endpoint.lastLayer === 0 ? '' : formatIso(endpoint.lastLayer),
      ...viewTraffic(endpoint),
    })),
    checks: ownChecks,
  }
}

function viewTraffic (
  { firstSeen, lastSeen, tunnels, bytesFromUpstream, refused, failed }: AccountSighting | EndpointSighting,
): TrafficView {
  return { firstSeen: formatIso(firstSeen), lastSeen: formatIso(lastSeen), tunnels, bytesFromUpstream, refused, failed }
}

function formatIso (time: number): string {
  return new Date(time).toISOString()
}
