import type { Bundle } from '../acr/bundles.ts'
import type { Registry } from '../acr/endpoints.ts'
import type { Address } from '../net/address.ts'
import type { HostName } from '../net/host-name.ts'
import { findSpecialPurpose } from '../net/special-purpose.ts'
import { type Miss, type Owner, findMiss, isPinnable } from './miss.ts'
import type { Rule } from './rule.ts'

/** The change of the configuration that would let something through, and what else it would open. */
export interface Advice {
  /** The key that would hold it, like `registries[0].regions`. */
  readonly key: string
  /** What the key holds now, when it is a list. */
  readonly present: readonly string[]
  /** What would have to stand there, or in the list too. */
  readonly add: string
  readonly isList: boolean
  /** All that the change would let through, for a person. */
  readonly opens: string
}

/** What advice is given from. */
export interface AdviceSources {
  readonly registries: readonly Registry[]
  readonly bundles: readonly Bundle[]
  readonly extraHosts: readonly HostName[]
}

/** The last key of the change and its new value, as a line of YAML. */
export function formatAdvice ({ key, present, add, isList }: Omit<Advice, 'opens'>): string {
  const name = key.replace(/^.*\./, '')
  return isList ? `${name}: [${[...present, add].map(quoteWord).join(', ')}]` : `${name}: ${add}`
}

/**
 * A text of letters, digits, dots and hyphens, in quotes where YAML would take it for something else: there are storage
 * accounts with names like `123`, `1e5` and `null`.
 */
export function quoteWord (text: string): string {
  return /^(?:[0-9]*\.?[0-9]+\.?(?:e[-+]?[0-9]+)?|0x[0-9a-f]+|0o[0-7]+|true|false|null)$/i.test(text) ? `'${text}'` : text
}

/** How a host that no rule lets through would be. */
export function adviseHost (host: HostName, sources: AdviceSources): Advice {
  const miss = findMiss(host, sources.registries)
  const hostAlone = `${host} at port 443`
  switch (miss.kind) {
    case 'storage': return adviseStorage(miss, sources)
    case 'data': return listIn(ownerKey(miss.owner, 'regions'), miss.owner.registry.regions, miss.region, hostAlone)
    case 'regional': return adviseRegional(miss)
    case 'bundle': return listIn('bundles', sources.bundles, miss.bundle, describeBundle(miss.bundle))
    case 'registry':
      return listIn('registries', [], `{loginServer: ${host}}`,
        `${host}, and with its regions or storage the places of its layers`)
    case 'stranger': return adviseExtra(host, sources)
  }
}

/** How an address that was refused for a name would be let through; `undefined` when nothing should. */
export function adviseAddress (
  { registry, source, privateEndpoints }: Rule, address: Address,
): Advice | undefined {
  const purpose = findSpecialPurpose(address)
  if (purpose === undefined) {
    return {
      key: 'addresses.mode',
      present: [],
      add: 'report',
      isList: false,
      opens: 'every public address for every name; a newer file of service tags (acr-egress tags refresh) may be all it takes',
    }
  }
  if (registry === '' || !purpose.mayHoldPrivateEndpoint) return undefined
  const key = `${source.replace(/\..*$/, '')}.privateEndpoints`
  return listIn(key, privateEndpoints.blocks.map(({ text }) => text), quoteAddress(address.text),
    `${address.text} for the names of ${registry}`)
}

function adviseStorage (miss: Extract<Miss, { kind: 'storage' }>, sources: AdviceSources): Advice {
  if (!isPinnable(miss)) return adviseExtra(miss.host, sources)
  const { storage } = miss.owner.registry
  return listIn(ownerKey(miss.owner, 'storage'), typeof storage === 'string' ? [] : storage, miss.account,
    `the blobs of ${miss.account} at port 443; dedicated data endpoints would need no storage at all`)
}

function adviseRegional ({ host, region, owner }: Extract<Miss, { kind: 'regional' }>): Advice {
  const { regions, regionalEndpoints, loginServer } = owner.registry
  const isListed = regions.includes(region)
  if (isListed && !regionalEndpoints) {
    const names = regions.map((one) => host.replace(`.${region}.`, `.${one}.`)).join(', ')
    return {
      key: ownerKey(owner, 'regionalEndpoints'),
      present: [],
      add: 'true',
      isList: false,
      opens: `${names} at port 443`,
    }
  }
  const more = regionalEndpoints ? host : `the data endpoint of ${loginServer.host} in ${region}, and with regionalEndpoints: true ${host}`
  return listIn(ownerKey(owner, 'regions'), regions, region, `${more}, at port 443`)
}

/** The way of last resort: the host by itself, whatever it is. */
export function adviseExtra (host: HostName, { extraHosts }: Pick<AdviceSources, 'extraHosts'>): Advice {
  return listIn('extraHosts', extraHosts, host, `${host} at port 443, at any public address and for whatever it serves`)
}

function describeBundle (bundle: Bundle): string {
  switch (bundle) {
    case 'mcr': return 'mcr.microsoft.com and *.data.mcr.microsoft.com, every public image of Microsoft'
    case 'entra': return 'the sign-in and management hosts of the cloud, for every tenant'
    case 'revocation': return 'the revocation hosts of Azure\'s certificates, by plain HTTP at port 80'
  }
}

function listIn (key: string, present: readonly string[], add: string, opens: string): Advice {
  return { key, present, add, isList: true, opens }
}

function ownerKey ({ index }: Owner, key: string): string {
  return `registries[${index}].${key}`
}

/** In a YAML list in brackets a text with a colon must be quoted. */
function quoteAddress (text: string): string {
  return text.includes(':') ? `'${text}'` : text
}
