import type { Registry } from '../acr/endpoints.ts'
import type { EndpointList } from './endpoint-list.ts'

/** What Azure says of registries that the configuration does not, or no more: each as what is wrong; what to write. */
export function listDrift (registries: readonly Registry[], lists: readonly EndpointList[]): readonly string[] {
  return lists.flatMap((list) => {
    const { host } = list.loginServer
    const index = registries.findIndex(({ loginServer }) => loginServer.host === host)
    const registry = registries[index]
    if (registry === undefined) return [`${host} is not in the configuration; add it with acr-egress import`]
    return listRegistryDrift(registry, list).map((message) => `registries[${index}]: ${message}`)
  })
}

function listRegistryDrift ({ loginServer, ...registry }: Registry, list: EndpointList): string[] {
  const { host } = loginServer
  const drift: string[] = []
  const missing = list.regions.filter((region) => !registry.regions.includes(region))
  const surplus = registry.regions.filter((region) => !list.regions.includes(region))
  if (missing.length > 0) {
    drift.push(`${host} has endpoints in ${missing.join(', ')}, which are refused; write regions: [${list.regions.join(', ')}]`)
  }
  if (surplus.length > 0) {
    drift.push(`${host} has no endpoints in ${surplus.join(', ')} any more; ` +
      (list.regions.length === 0 ? 'drop regions' : `write regions: [${list.regions.join(', ')}]`))
  }
  if (list.regionalEndpoints !== registry.regionalEndpoints) {
    const state = list.regionalEndpoints ? 'on, and they are refused' : 'off'
    drift.push(`the regional endpoints of ${host} are ${state}; write regionalEndpoints: ${list.regionalEndpoints}`)
  }
  if (list.usesStorage && registry.storage === 'none') {
    drift.push(`${host} has no dedicated data endpoints, so that no layer can be pulled; turn them on, or set storage`)
  }
  if (!list.usesStorage && registry.storage !== 'none') {
    drift.push(`${host} has dedicated data endpoints and needs no storage; write storage: none once no pull uses it any more`)
  }
  return drift
}
