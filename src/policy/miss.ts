import { type Bundle, bundles, listBundleEndpoints } from '../acr/bundles.ts'
import type { Cloud } from '../acr/clouds.ts'
import { type Registry, isRegionName, isStorageAccountName } from '../acr/endpoints.ts'
import { parseLoginServer } from '../acr/login-server.ts'
import { type HostName, parentName } from '../net/host-name.ts'

/** What is missing for a name that no rule lets through; it only explains, and lets nothing through. */
export type Miss =
  /** Blob storage of a cloud that a registry is in. */
  | { readonly kind: 'storage', readonly host: HostName, readonly account: string, readonly owner: Owner }
  /** A data endpoint of a registry in a region that it is not said to have. */
  | { readonly kind: 'data', readonly host: HostName, readonly region: string, readonly owner: Owner }
  /** A regional endpoint of a registry, for which they are not on, or not in this region. */
  | { readonly kind: 'regional', readonly host: HostName, readonly region: string, readonly owner: Owner }
  /** A host of a bundle that is not configured. */
  | { readonly kind: 'bundle', readonly host: HostName, readonly bundle: Bundle }
  /** The login server of some other registry. */
  | { readonly kind: 'registry', readonly host: HostName }
  | { readonly kind: 'stranger', readonly host: HostName }

/** The registry that a miss belongs to, and where it stands in the configuration. */
export interface Owner {
  readonly index: number
  readonly registry: Registry
}

/** Says what a name is nearly. */
export function findMiss (host: HostName, registries: readonly Registry[]): Miss {
  return findStorage(host, registries) ?? findOwnEndpoint(host, registries) ?? findBundle(host, registries) ??
    { kind: parseLoginServer(host).ok ? 'registry' : 'stranger', host }
}

function findStorage (host: HostName, registries: readonly Registry[]): Miss | undefined {
  const parent = parentName(host)
  const inCloud = (registry: Registry): boolean => registry.loginServer.cloud.blobSuffix === parent
  // Of several registries the one that takes its layers from named accounts is meant.
  const pinned = registries.findIndex((registry) => inCloud(registry) && Array.isArray(registry.storage))
  const index = pinned === -1 ? registries.findIndex(inCloud) : pinned
  const registry = registries[index]
  if (registry === undefined) return undefined
  return { kind: 'storage', host, account: host.slice(0, host.indexOf('.')), owner: { index, registry } }
}

function findOwnEndpoint (host: HostName, registries: readonly Registry[]): Miss | undefined {
  for (const [index, registry] of registries.entries()) {
    const { label, cloud } = registry.loginServer
    const [, region, kind] = splitEndpoint(host, label, cloud) ?? []
    // What the configuration would refuse as a region is not to be advised.
    if (region === undefined || !isRegionName(region)) continue
    return { kind: kind === 'data' ? 'data' : 'regional', host, region, owner: { index, registry } }
  }
  return undefined
}

/** `LABEL.REGION.data.SUFFIX` or `LABEL.REGION.geo.SUFFIX`, taken apart. */
function splitEndpoint (host: HostName, label: string, cloud: Cloud): readonly string[] | undefined {
  if (!host.startsWith(`${label}.`) || !host.endsWith(`.${cloud.registrySuffix}`)) return undefined
  const middle = host.slice(label.length, -cloud.registrySuffix.length)
  return /^\.([a-z0-9]+)\.(data|geo)\.$/.exec(middle) ?? undefined
}

function findBundle (host: HostName, registries: readonly Registry[]): Miss | undefined {
  const clouds = registries.map(({ loginServer }) => loginServer.cloud)
  const bundle = bundles.find((name) => listBundleEndpoints(name, clouds).some((endpoint) => {
    return (endpoint.wildcard ? parentName(host) : host) === endpoint.host
  }))
  return bundle === undefined ? undefined : { kind: 'bundle', host, bundle }
}

/** Whether a storage account of this name may stand in the configuration. */
export function isPinnable ({ account }: Extract<Miss, { kind: 'storage' }>): boolean {
  return isStorageAccountName(account)
}
