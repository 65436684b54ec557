import type { Registry } from '../acr/endpoints.ts'
import { registryName } from '../acr/login-server.ts'
import type { HostName } from '../net/host-name.ts'
import { type Refusal, refuse } from '../refusal/reasons.ts'
import { type Miss, findMiss } from './miss.ts'

/**
 * The refusal for a name that no rule lets through. It only explains: a name that is nearly right is refused under
 * the reason that says what is missing, but refused it is.
 */
export function refuseHost (host: HostName, registries: readonly Registry[]): Refusal {
  const miss = findMiss(host, registries)
  switch (miss.kind) {
    case 'storage': return refuseStorage(miss)
    case 'data':
      return refuse('region_not_configured',
        `${host} is a data endpoint of ${hostOf(miss)} in a region that is not configured`,
        `Add ${miss.region} to the regions of ${hostOf(miss)}.`)
    case 'regional':
      return refuse('regional_not_enabled',
        `${host} is a regional endpoint of ${hostOf(miss)}, which are not enabled for this region`,
        `Set regionalEndpoints: true for ${hostOf(miss)}, and see that its regions hold ${miss.region}.`)
    case 'bundle': return refuseStranger(host, registries, describeBundle(miss))
    case 'registry':
    case 'stranger': return refuseStranger(host, registries)
  }
}

function hostOf ({ owner }: Extract<Miss, { owner: unknown }>): HostName {
  return owner.registry.loginServer.host
}

function describeBundle ({ host, bundle }: Extract<Miss, { kind: 'bundle' }>): string {
  return bundle === 'revocation'
    ? `Revocation lists are fetched by http://${host}/, with revocation in bundles; if devices need it over https, add it to extraHosts.`
    : `If devices need it, add ${bundle} to bundles in the gateway's configuration.`
}

function refuseStorage ({ host, account, owner: { registry } }: Extract<Miss, { kind: 'storage' }>): Refusal {
  const { host: loginHost } = registry.loginServer
  if (Array.isArray(registry.storage)) {
    return refuse('storage_not_enabled',
      `${host} is blob storage, and ${account} is not among the storage accounts of ${loginHost}`,
      `If layers of ${loginHost} have moved there, add ${account} to its storage; ` +
      'acr-egress export storage-accounts lists the accounts that were asked for.')
  }
  const name = registryName(registry.loginServer)
  return refuse('storage_not_enabled',
    `${host} is blob storage, and the registry's storage setting does not let it through`,
    `Turn on dedicated data endpoints (az acr update --name ${name} --data-endpoint-enabled) and list the registry's ` +
    'regions; or set storage of the registry to this account, or to any.')
}

function refuseStranger (host: HostName, registries: readonly Registry[], hint?: string): Refusal {
  const first = registries[0]?.loginServer.host ?? 'any configured registry'
  const others = registries.length - 1
  const named = others < 1 ? first : `${first} or the ${others === 1 ? '' : `${others} `}other registr${others === 1 ? 'y' : 'ies'}`
  const typo = host.endsWith('.azureacr.io') ? 'The domain is azurecr.io, not azureacr.io. ' : ''
  return refuse('host_not_allowed', `${host} is not an endpoint of ${named}`, hint ??
    `${typo}If devices need it, add it to the gateway's configuration: a registry under registries, any other host under extraHosts.`)
}
