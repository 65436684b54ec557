import { parseLoginServer, registryName } from '../acr/login-server.ts'
import type { Finding } from './problem.ts'
import type { CheckedSettings } from './schema.ts'
import { type Settings, isMapping } from './settings.ts'
import { listProxyWarnings } from './upstream-proxy.ts'

/**
 * Registries that are listed twice, whatever else is wrong with them: two entries could contradict each other, and the
 * first would win unseen.
 */
export function listDuplicateRegistries (settings: Settings): Finding[] {
  const registries: unknown = isMapping(settings.value) ? settings.value.registries : undefined
  const firstIndexes = new Map<string, number>()
  const findings: Finding[] = []
  for (const [index, registry] of (Array.isArray(registries) ? registries as unknown[] : []).entries()) {
    const text: unknown = isMapping(registry) ? registry.loginServer : undefined
    const parsed = typeof text === 'string' ? parseLoginServer(text) : undefined
    if (parsed?.ok !== true) continue
    const { host } = parsed.loginServer
    const first = firstIndexes.get(host)
    if (first === undefined) {
      firstIndexes.set(host, index)
    } else {
      const line = settings.locate(['registries', first, 'loginServer'])?.place?.line
      const where = line === undefined ? '' : `, first on line ${line}`
      findings.push({ path: ['registries', index, 'loginServer'], message: `${host} is given twice${where}; write it once, with all its regions` })
    }
  }
  return findings
}

/** Load balancers share a subnet at most; what is wider has clients in it. */
const narrowEnough = { 4: 24, 6: 64 } as const

/** What is allowed to be configured, and yet is probably not what was meant. */
export function listWarnings (checked: CheckedSettings, settings: Settings): Finding[] {
  const { registries, listen, clients, policy, upstreamProxy } = checked
  const findings: Finding[] = []
  for (const [index, { loginServer, regions = [], regionalEndpoints, storage }] of registries.entries()) {
    const { host, cloud } = loginServer
    const path = ['registries', index] as const
    if (regions.length === 0 && storage === 'none') {
      findings.push({
        path,
        message: `manifests of ${host} can be pulled, but no layers; write its regions if dedicated data endpoints are on ` +
          `(az acr show-endpoints --name ${registryName(loginServer)} lists them), or its storage accounts under storage`,
      })
    }
    if (regionalEndpoints && regions.length === 0) {
      findings.push({ path: [...path, 'regionalEndpoints'], message: 'has no effect without regions; write regions: [eastus], or drop the key' })
    }
    if (storage === 'any') {
      findings.push({
        path: [...path, 'storage'],
        message: `opens *.${cloud.blobSuffix}, the blobs of every Azure customer; turn on dedicated data endpoints and write regions, ` +
          'or write the names of the accounts',
      })
    }
  }
  if (upstreamProxy?.resolve !== 'parent') findings.push(...listIdleAddressKeys(settings))
  findings.push(...listProxyWarnings(checked, settings))
  if (policy.mode === 'report') {
    findings.push({
      path: ['policy', 'mode'],
      message: 'lets clients through to every public host at port 443, and only tells of it; write enforce when ' +
        'acr-egress explain --would-refuse has nothing new',
    })
  }
  if (clients.passwordFile !== undefined && listen.tls === undefined && !isLoopback(listen.address)) {
    findings.push({
      path: ['clients', 'passwordFile'],
      message: 'user names and passwords come over the network for all to read; write listen.tls, and https:// in the proxy URLs ' +
        'of clients that take it (IoT Edge takes http:// only)',
    })
  }
  if (clients.passwordFile !== undefined && listen.transparent) {
    findings.push({
      path: ['listen', 'transparent'],
      message: 'lets nobody in while passwords are asked for, since TLS without a CONNECT brings none; drop it, or clients.passwordFile',
    })
  }
  if (listen.tls?.clientCaFile !== undefined && listen.transparent) {
    findings.push({
      path: ['listen', 'transparent'],
      message: 'lets nobody in while certificates are asked for, since TLS without a CONNECT is not with the gateway; drop it, or tls.clientCaFile',
    })
  }
  for (const [index, { first, prefixLength, text }] of (listen.proxyProtocol ?? []).entries()) {
    if (prefixLength >= narrowEnough[first.family]) continue
    findings.push({
      path: ['listen', 'proxyProtocol', index],
      message: `whoever is in ${text} may say that it is any client; write the addresses of your load balancers, or their subnet`,
    })
  }
  for (const [index, { prefixLength, text }] of clients.allow.entries()) {
    if (prefixLength > 0) continue
    findings.push({ path: ['clients', 'allow', index], message: `${text} is everybody who can reach the listener; write the networks of your devices` })
  }
  return findings
}

/** Whether what comes to the address never leaves the machine. */
function isLoopback (address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}

/** Keys that say how service tags are looked at, without a file of them. */
function listIdleAddressKeys ({ value }: Settings): Finding[] {
  const addresses = isMapping(value) && isMapping(value.addresses) ? value.addresses : {}
  if (addresses.serviceTagsFile !== undefined || addresses.mode === 'off') return []
  return Object.keys(addresses).map((key) => ({
    path: ['addresses', key],
    isKey: true,
    message: 'has no effect without a file of service tags; write serviceTagsFile: FILE (acr-egress tags refresh fetches one), or drop the key',
  }))
}
