import type { Bundle } from './bundles.ts'
import type { Cloud } from './clouds.ts'
import { type Endpoint, type EndpointClass, type Registry, listEndpoints } from './endpoints.ts'
import type { TagNeed } from './tag-change.ts'

/** Which service tags count: those of a service everywhere, or only those of the registry's regions. */
export const tagScopes = ['global', 'regional'] as const

export type TagScope = typeof tagScopes[number]

/** What becomes of an address outside the tags of its name: refused, told of, or nothing at all. */
export const tagModes = ['enforce', 'report', 'off'] as const

export type TagMode = typeof tagModes[number]

interface Home {
  readonly services: readonly string[]
  /** An address elsewhere is told of, and dialled. */
  readonly isReportOnly?: boolean
}

/**
 * The Azure services that the addresses of an endpoint belong to, by the names of their service tags. Microsoft's
 * article on the service tag of Azure Container Registry has the login server in `AzureContainerRegistry` and the blobs
 * in `Storage`; it does not say where the data endpoints are, so they may be in either. Nothing is said of the bare
 * suffix, which is asked for its certificate. Microsoft's own registry is behind its front door (client firewall rules
 * of Microsoft Container Registry).
 */
const homes: Readonly<Record<EndpointClass, Home>> = {
  login: { services: ['AzureContainerRegistry'] },
  certificate: { services: ['AzureContainerRegistry'], isReportOnly: true },
  data: { services: ['AzureContainerRegistry', 'Storage'] },
  regional: { services: ['AzureContainerRegistry'] },
  storage: { services: ['Storage'] },
  mcr: { services: ['MicrosoftContainerRegistry', 'AzureFrontDoor.FirstParty'] },
  entra: { services: [] },
  revocation: { services: [] },
  extra: { services: [] },
  unlisted: { services: [] },
}

/** The service tags that the addresses of an endpoint must lie in; of no tags, any public address will do. */
export interface EndpointTags {
  /** `AzureContainerRegistry`, or of one region `AzureContainerRegistry.westeurope`. */
  readonly names: readonly string[]
  readonly isReportOnly: boolean
}

/** Of hosts that are no endpoint of a registry. */
export const noTags: EndpointTags = { names: [], isReportOnly: false }

/** The tags of one endpoint of a registry; of the registry's regions, those of all regions when it has none. */
export function listEndpointTags (
  { class: endpointClass, region }: Pick<Endpoint, 'class' | 'region'>, registry: Pick<Registry, 'regions'>, scope: TagScope,
): EndpointTags {
  const { services, isReportOnly = false } = homes[endpointClass]
  const regions = region === '' ? registry.regions : [region]
  const isGlobal = scope === 'global' || endpointClass === 'certificate' || regions.length === 0
  const names = isGlobal ? services : services.flatMap((service) => regions.map((one) => `${service}.${one}`))
  return { names, isReportOnly }
}

/**
 * The tags of a bundle's hosts for registries in these clouds, in any scope. A file holds the addresses of its own
 * cloud, and Microsoft's own registry is in the public one only.
 */
export function listBundleTags (bundle: Bundle, clouds: readonly Cloud[]): EndpointTags {
  const isKnown = bundle !== 'mcr' || clouds.every(({ hasMcrTags }) => hasMcrTags)
  return isKnown ? { names: homes[bundle].services, isReportOnly: false } : noTags
}

/** What a file of service tags is asked about. */
export interface TagUsers {
  /** All of one cloud. */
  readonly registries: readonly Registry[]
  readonly bundles: readonly Bundle[]
}

/** What these users need of a file of service tags. */
export function listTagNeed ({ registries, bundles }: TagUsers, scope: TagScope): TagNeed {
  const clouds = registries.map(({ loginServer }) => loginServer.cloud)
  const names = registries.flatMap((registry) => {
    return listEndpoints(registry).flatMap((endpoint) => listEndpointTags(endpoint, registry, scope).names)
  })
  const bundleNames = bundles.flatMap((bundle) => listBundleTags(bundle, clouds).names)
  return { cloud: clouds[0]?.tagsName ?? '', names: [...new Set([...names, ...bundleNames])] }
}

/** The services whose addresses the endpoints of these registries have. */
export function listServices (registries: readonly Registry[]): readonly string[] {
  return listTagNeed({ registries, bundles: [] }, 'global').names
}
