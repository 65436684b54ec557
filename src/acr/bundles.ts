import { type HostName, knownHostName } from '../net/host-name.ts'
import type { Cloud } from './clouds.ts'

/** Sets of hosts beside the registries that are let through by one word; a closed list. */
export const bundles = ['mcr', 'entra', 'revocation'] as const

export type Bundle = typeof bundles[number]

/** One name, or one wildcard, of a bundle. Its class is the bundle. */
export interface BundleEndpoint {
  /** The name; for a wildcard, the part behind `*.`, which stands for one whole label. */
  readonly host: HostName
  readonly wildcard: boolean
  /** 443 is reached by CONNECT, 80 by plain HTTP. */
  readonly port: 443 | 80
}

/** What a bundle lets through for registries in these clouds, each name once. */
export function listBundleEndpoints (bundle: Bundle, clouds: readonly Cloud[]): readonly BundleEndpoint[] {
  switch (bundle) {
    case 'mcr': return registryOfMicrosoft
    case 'entra': return [...new Set(clouds.flatMap(({ signInHosts }) => signInHosts))].map((text) => exactly(text, 443))
    case 'revocation': return revocation
  }
}

function exactly (text: string, port: BundleEndpoint['port']): BundleEndpoint {
  return { host: knownHostName(text), wildcard: false, port }
}

/**
 * Microsoft's own registry, one for all clouds, and its regional data endpoints: "avoid region specific rules"
 * (client firewall rules of Microsoft Container Registry). The foreign layers of Windows images come from here, also
 * when the image itself was copied to another registry.
 */
const registryOfMicrosoft: readonly BundleEndpoint[] = [
  exactly('mcr.microsoft.com', 443),
  { host: knownHostName('data.mcr.microsoft.com'), wildcard: true, port: 443 },
]

/**
 * Where the certificates of Azure say that their issuers, revocation lists and OCSP responders are ("Azure Certificate
 * Authority details", 2022-04), plain HTTP all of them: what is fetched there is signed. That page changes when Azure
 * changes its authorities.
 */
const revocation: readonly BundleEndpoint[] = [
  'cacerts.digicert.com', 'cacerts.digicert.cn', 'cacerts.geotrust.com',
  'cdp.geotrust.com', 'crl.digicert.cn', 'crl.microsoft.com', 'crl3.digicert.com', 'crl4.digicert.com',
  'mscrl.microsoft.com',
  'ocsp.digicert.com', 'ocsp.digicert.cn', 'ocsp.msocsp.com', 'oneocsp.microsoft.com', 'status.geotrust.com',
  'www.microsoft.com',
].map((text) => exactly(text, 80))

/** Whether the revocation bundle would let a host through. */
export function isRevocationHost (host: HostName): boolean {
  return revocation.some((endpoint) => endpoint.host === host)
}
