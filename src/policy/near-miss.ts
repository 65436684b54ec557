import type { Cloud } from '../acr/clouds.ts'
import { isRegionName } from '../acr/endpoints.ts'
import type { LoginServer } from '../acr/login-server.ts'
import { type HostName, parentName } from '../net/host-name.ts'
import { type Refusal, refuse } from '../refusal/reasons.ts'

/**
 * The refusal for a name that no rule lets through. It only explains: a name that is nearly right is refused under
 * the reason that says what is missing, but refused it is.
 */
export function refuseHost (host: HostName, loginServers: readonly LoginServer[]): Refusal {
  return refuseStorage(host, loginServers) ??
    refuseOwnEndpoint(host, loginServers) ??
    refuseStranger(host, loginServers)
}

/** Blob storage of a cloud that a configured registry is in. */
function refuseStorage (host: HostName, loginServers: readonly LoginServer[]): Refusal | undefined {
  const parent = parentName(host)
  const loginServer = loginServers.find(({ cloud }) => cloud.blobSuffix === parent)
  if (loginServer === undefined) return undefined
  // The name that az knows a registry by has no hash.
  const name = loginServer.label.replace(/-.*$/, '')
  return refuse('storage_not_enabled',
    `${host} is blob storage, and the registry's storage setting does not let it through`,
    `Turn on dedicated data endpoints (az acr update --name ${name} --data-endpoint-enabled) and list the registry's ` +
    'regions; or set storage of the registry to this account, or to any.')
}

/** A data or regional endpoint of a configured registry that is missing only a region or a switch. */
function refuseOwnEndpoint (host: HostName, loginServers: readonly LoginServer[]): Refusal | undefined {
  for (const { label, cloud, host: loginHost } of loginServers) {
    const [, region, kind] = splitEndpoint(host, label, cloud) ?? []
    // What the configuration would refuse as a region is not to be advised.
    if (region === undefined || !isRegionName(region)) continue
    if (kind === 'data') {
      return refuse('region_not_configured',
        `${host} is a data endpoint of ${loginHost} in a region that is not configured`,
        `Add ${region} to the regions of ${loginHost}.`)
    }
    return refuse('regional_not_enabled',
      `${host} is a regional endpoint of ${loginHost}, which are not enabled for this region`,
      `Set regionalEndpoints: true for ${loginHost}, and see that its regions hold ${region}.`)
  }
  return undefined
}

/** `LABEL.REGION.data.SUFFIX` or `LABEL.REGION.geo.SUFFIX`, taken apart. */
function splitEndpoint (host: HostName, label: string, cloud: Cloud): readonly string[] | undefined {
  if (!host.startsWith(`${label}.`) || !host.endsWith(`.${cloud.registrySuffix}`)) return undefined
  const middle = host.slice(label.length, -cloud.registrySuffix.length)
  return /^\.([a-z0-9]+)\.(data|geo)\.$/.exec(middle) ?? undefined
}

function refuseStranger (host: HostName, loginServers: readonly LoginServer[]): Refusal {
  const first = loginServers[0]?.host ?? 'any configured registry'
  const others = loginServers.length - 1
  const registries = others < 1 ? first : `${first} or the ${others === 1 ? '' : `${others} `}other registr${others === 1 ? 'y' : 'ies'}`
  const typo = host.endsWith('.azureacr.io') ? 'The domain is azurecr.io, not azureacr.io. ' : ''
  return refuse('host_not_allowed',
    `${host} is not an endpoint of ${registries}`,
    `${typo}If devices need it, add it to the gateway's configuration: a registry under registries, any other host under extraHosts.`)
}
