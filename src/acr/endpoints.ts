import type { Cidr } from '../net/cidr.ts'
import { type HostName, knownHostName } from '../net/host-name.ts'
import type { Cloud } from './clouds.ts'
import type { LoginServer } from './login-server.ts'

/**
 * What a name is to a registry, or why else it is let through: by a bundle, as an extra host, or because unlisted hosts
 * are only reported on; a closed list, and a metric label.
 */
export const endpointClasses = [
  'login', 'certificate', 'data', 'regional', 'storage', 'mcr', 'entra', 'revocation', 'extra', 'unlisted',
] as const

export type EndpointClass = typeof endpointClasses[number]

/** Where a registry without dedicated data endpoints may send clients for layers. */
export type StorageChoice = 'none' | 'any' | readonly string[]

/** A registry as its owner describes it. */
export interface Registry {
  readonly loginServer: LoginServer
  /** Azure regions that hold a replica, in the form of `az account list-locations`: `eastus`. */
  readonly regions: readonly string[]
  readonly regionalEndpoints: boolean
  readonly storage: StorageChoice
  /** Blocks that the registry's names may resolve to although they are not public. */
  readonly privateEndpoints: readonly Cidr[]
}

/** One name, or one wildcard, that a registry is reached at. */
export interface Endpoint {
  readonly class: EndpointClass
  /** The name; for a wildcard, the part behind `*.`, which stands for one whole label. */
  readonly host: HostName
  readonly wildcard: boolean
  /** The Azure region, or '' where the name has none. */
  readonly region: string
  /** The key of the registry's configuration that the endpoint comes from. */
  readonly from: 'loginServer' | 'regions' | 'regionalEndpoints' | 'storage'
}

/** Every endpoint of a registry, the login server first. */
export function listEndpoints (registry: Registry): readonly Endpoint[] {
  const { label, cloud, host } = registry.loginServer
  const certificateHost = knownHostName(cloud.registrySuffix)
  const endpoints: Endpoint[] = [
    { class: 'login', host, wildcard: false, region: '', from: 'loginServer' },
    { class: 'certificate', host: certificateHost, wildcard: false, region: '', from: 'loginServer' },
  ]
  for (const region of registry.regions) {
    endpoints.push({ class: 'data', host: dataHost(label, region, cloud), wildcard: false, region, from: 'regions' })
  }
  for (const region of registry.regionalEndpoints ? registry.regions : []) {
    const from = 'regionalEndpoints'
    endpoints.push({ class: 'regional', host: regionalHost(label, region, cloud), wildcard: false, region, from })
  }
  return [...endpoints, ...listStorage(registry.storage, cloud)]
}

/** The dedicated data endpoint of a registry in a region. */
export function dataHost (label: string, region: string, cloud: Cloud): HostName {
  return knownHostName(`${label}.${region}.data.${cloud.registrySuffix}`)
}

/** The regional endpoint of a registry: all of it, in one region. */
export function regionalHost (label: string, region: string, cloud: Cloud): HostName {
  return knownHostName(`${label}.${region}.geo.${cloud.registrySuffix}`)
}

/** The endpoint as a person writes it: `contoso.azurecr.io`, `*.blob.core.windows.net`. */
export function endpointPattern (endpoint: Pick<Endpoint, 'host' | 'wildcard'>): string {
  return endpoint.wildcard ? `*.${endpoint.host}` : endpoint.host
}

/**
 * Whether a text has the form of an Azure region's name: lower case letters, then perhaps digits (`westus2`), and in
 * the test regions letters again. There is no list to check against: regions are added several times a year.
 */
export function isRegionName (text: string): boolean {
  return /^[a-z]{4,40}[0-9]{0,2}[a-z]{0,10}$/.test(text)
}

/** Whether a text can be a storage account's name: 3 to 24 lower case letters and digits. */
export function isStorageAccountName (text: string): boolean {
  return /^[a-z0-9]{3,24}$/.test(text)
}

function listStorage (storage: StorageChoice, cloud: Cloud): Endpoint[] {
  const shared = { class: 'storage', region: '', from: 'storage' } as const
  if (storage === 'none') return []
  if (storage === 'any') return [{ ...shared, host: knownHostName(cloud.blobSuffix), wildcard: true }]
  return storage.map((account) => ({ ...shared, host: knownHostName(`${account}.${cloud.blobSuffix}`), wildcard: false }))
}
