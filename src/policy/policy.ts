import type { TagMode } from '../acr/address-tags.ts'
import type { ServiceTag, ServiceTags } from '../acr/service-tags.ts'
import type { Address } from '../net/address.ts'
import { type Authority, parseAuthority } from '../net/authority.ts'
import type { Cidr } from '../net/cidr.ts'
import { createCidrSet } from '../net/cidr-set.ts'
import { type HostName, parentName } from '../net/host-name.ts'
import { parsePlainTarget } from '../net/plain-target.ts'
import { type SpecialPurpose, findSpecialPurpose } from '../net/special-purpose.ts'
import { type Denied, type Refusal, deny, refuse } from '../refusal/reasons.ts'
import { type Advice, adviseHost } from './advice.ts'
import { refuseHost } from './near-miss.ts'
import { type Rule, type RuleSources, createUnlistedRule, listRules } from './rule.ts'
import {
  refuseIpLiteral, refuseMalformed, refusePlainHost, refusePlainPort, refusePlainTarget, refusePort,
  refuseTunnelToPlain,
} from './target-refusals.ts'

/** Whether a target may be reached; a value with its ground either way. */
export type TargetDecision =
  | {
    readonly allow: true
    readonly authority: Authority
    readonly rule: Rule
    /** Why it would be refused, where unlisted hosts are only reported on. */
    readonly reported?: Refusal
  }
  | Denied & { readonly authority?: Authority }

/** Whether a request in plain HTTP may be carried. */
export type PlainDecision =
  | { readonly allow: true, readonly authority: Authority, readonly path: string, readonly rule: Rule }
  | Denied & { readonly authority?: Authority }

/** Whether hosts that nothing lets through are refused, or only told of. */
export type HostMode = 'enforce' | 'report'

/** Whether a client may ask at all. */
export type ClientDecision = { readonly allow: true } | Denied

/** Whether an address that a target resolved to may be dialled. */
export type AddressDecision = { readonly allow: true, readonly ground: AddressGround } | Denied

/** Why an address may be dialled. */
export type AddressGround =
  | { readonly kind: 'public' }
  | { readonly kind: 'private_endpoint', readonly block: Cidr }
  | { readonly kind: 'service_tag', readonly tag: string, readonly block: Cidr }
  /** It may not, but service tags are only reported on. */
  | { readonly kind: 'reported', readonly refusal: Refusal }

/**
 * What is let through, as one immutable snapshot. A tunnel takes it once, so that a reload cannot split its decisions.
 * Whatever no rule names is denied.
 */
export interface Policy {
  readonly rules: readonly Rule[]
  /** Judges a client by the address it comes from. */
  decideClient (client: Address): ClientDecision
  /** Judges the target of a CONNECT exactly as the client wrote it. */
  decideTarget (target: string): TargetDecision
  /** Judges the absolute target of any other request, likewise: `http://HOST/PATH`. */
  decidePlain (target: string): PlainDecision
  /** What would let a host through; `undefined` when a rule does. */
  adviseHost (host: HostName): Advice | undefined
  /** Judges one address that the target of a rule resolved to. */
  decideAddress (rule: Rule, address: Address): AddressDecision
}

/** What a snapshot is made from. */
export interface PolicySources extends RuleSources {
  /** Blocks that clients may come from. */
  readonly clients: readonly Cidr[]
  readonly hostMode: HostMode
  readonly tagMode: TagMode
  /** Absent when there is no file of them: any public address will do then. */
  readonly serviceTags?: ServiceTags
}

/** The one port that a registry is reached at (Azure Container Registry, "Configure rules", 2024-09). */
const registryPort = 443
/** The one port that plain HTTP is carried to. */
const plainPort = 80

/**
 * Builds the snapshot. A name costs two map look-ups however many rules there are, and an address a search in each of
 * its tags (tens of nanoseconds): a cache of addresses in front would save some twenty of them, of a whole set-up.
 */
export function createPolicy (sources: PolicySources): Policy {
  const rules = listRules(sources)
  const exact = new Map<HostName, Rule>()
  const wildcard = new Map<HostName, Rule>()
  const plain = new Map<HostName, Rule>()
  for (const rule of rules) (rule.port === plainPort ? plain : rule.wildcard ? wildcard : exact).set(rule.host, rule)
  const clients = createCidrSet(sources.clients)
  const tagsOf = createTagFinder(rules, sources)

  function findRule (host: HostName): Rule | undefined {
    const parent = parentName(host)
    return exact.get(host) ?? (parent === undefined ? undefined : wildcard.get(parent))
  }

  function decideUnlisted (authority: Authority): TargetDecision {
    const { host, port } = authority
    if (plain.has(host)) return { ...deny(refuseTunnelToPlain(host)), authority }
    const refusal = refuseHost(host, sources.registries)
    if (sources.hostMode === 'enforce') return { ...deny(refusal), authority }
    if (port !== registryPort) return { ...deny(refusePort(authority)), authority }
    return { allow: true, authority, rule: createUnlistedRule(host), reported: refusal }
  }

  return {
    rules,

    decideClient: (client) => clients.find(client) === undefined ? deny(refuseClient(client)) : { allow: true },

    decideTarget (target) {
      const parsed = parseAuthority(target)
      if (!parsed.ok) return deny(parsed.problem === 'ip_literal' ? refuseIpLiteral() : refuseMalformed())
      const { authority } = parsed
      const rule = findRule(authority.host)
      if (rule === undefined) return decideUnlisted(authority)
      if (authority.port !== registryPort) return { ...deny(refusePort(authority)), authority }
      return { allow: true, authority, rule }
    },

    decidePlain (target) {
      const parsed = parsePlainTarget(target)
      if (!parsed.ok) return deny(refusePlainTarget(parsed))
      const { authority, path } = parsed
      const rule = plain.get(authority.host)
      if (rule === undefined) {
        return { ...deny(refusePlainHost(authority.host, findRule(authority.host) !== undefined)), authority }
      }
      if (authority.port !== plainPort) return { ...deny(refusePlainPort(authority)), authority }
      return { allow: true, authority, path, rule }
    },

    adviseHost: (host) => findRule(host) === undefined ? adviseHost(host, sources) : undefined,

    decideAddress (rule, address) {
      const purpose = findSpecialPurpose(address)
      if (purpose === undefined) return decideByTags(rule, tagsOf(rule), address, sources.tagMode)
      const block = rule.privateEndpoints.find(address)
      if (block !== undefined) return { allow: true, ground: { kind: 'private_endpoint', block } }
      return deny(refuseAddress(rule, address, purpose))
    },
  }
}

/** The tags of each rule, found once; `undefined` where tags are not looked at. */
function createTagFinder (
  rules: readonly Rule[], { tagMode, serviceTags }: PolicySources,
): (rule: Rule) => readonly ServiceTag[] | undefined {
  if (tagMode === 'off' || serviceTags === undefined) return () => undefined
  const found = new Map(rules.map((rule) => {
    return [rule, rule.tags.names.map((name) => serviceTags.find(name)).filter((tag) => tag !== undefined)]
  }))
  return (rule) => rule.tags.names.length === 0 ? undefined : found.get(rule) ?? []
}

const publicGround = { allow: true, ground: { kind: 'public' } } as const

function decideByTags (
  rule: Rule, tags: readonly ServiceTag[] | undefined, address: Address, mode: TagMode,
): AddressDecision {
  if (tags === undefined) return publicGround
  for (const { name, blocks } of tags) {
    const block = blocks.find(address)
    if (block !== undefined) return { allow: true, ground: { kind: 'service_tag', tag: name, block } }
  }
  const refusal = refuseOutsideTags(rule, address)
  const isReportOnly = mode === 'report' || rule.tags.isReportOnly
  return isReportOnly ? { allow: true, ground: { kind: 'reported', refusal } } : deny(refusal)
}

function refuseClient (client: Address): Refusal {
  return refuse('client_not_allowed',
    `clients at ${client.text} may not use this gateway`,
    'If this device should, add its address or network to clients.allow in the gateway\'s configuration.')
}

function refuseAddress (rule: Rule, address: Address, { what, mayHoldPrivateEndpoint }: SpecialPurpose): Refusal {
  // Names that belong to no single registry have no private endpoints.
  const hint = rule.registry !== '' && mayHoldPrivateEndpoint
    ? `If this is the registry's private endpoint, add its address to ${rule.source.replace(/\..*$/, '')}.privateEndpoints; ` +
      'otherwise look at what answers the gateway\'s DNS questions.'
    : 'Look at what answers the gateway\'s DNS questions.'
  return refuse('address_prohibited', `the name resolves to ${address.text}, ${what}`, hint)
}

// A registry with replicas in thirty regions has sixty tags.
const tagsNamed = 2

function refuseOutsideTags ({ tags: { names } }: Rule, address: Address): Refusal {
  const named = names.slice(0, tagsNamed).join(' and ')
  const others = names.length - tagsNamed
  const more = others > 0 ? ` and ${others} more ${others === 1 ? 'tag' : 'tags'}` : ''
  return refuse('address_outside_service_tags',
    `the name resolves to ${address.text}, which is outside ${named}${more}`,
    'If the gateway\'s file of service tags is old, fetch a new one (acr-egress tags refresh); ' +
    'otherwise look at what answers the gateway\'s DNS questions.')
}
