import type { Address } from '../net/address.ts'
import type { Authority } from '../net/authority.ts'
import type { Refusal } from '../refusal/reasons.ts'
import { type Advice, adviseAddress, formatAdvice } from './advice.ts'
import type { AddressDecision, AddressGround, PlainDecision, Policy, TargetDecision } from './policy.ts'

/** What would become of a CONNECT, and why; a JSON value. */
export interface Explanation {
  /** As asked, with the port that was taken for granted. */
  readonly target: string
  /** The canonical `HOST:PORT`, if the target has one. */
  readonly canonical?: string
  readonly allow: boolean
  /** The rule that lets the name through, if there is one. */
  readonly rule?: {
    readonly pattern: string
    readonly class: string
    readonly registry: string
    readonly region: string
    /** The configuration key it comes from. */
    readonly source: string
  }
  /** Why not, when it is not allowed: in the words that a tunnel would be refused with. */
  readonly refusal?: Refusal
  /** Why a stricter mode would refuse it, when it is allowed only because that is reported and no more. */
  readonly wouldRefuse?: Refusal
  /** The change of the configuration that would let it through, where there is one. */
  readonly advice?: ExplainedAdvice
  /** What the name resolves to, and what is thought of it; absent when nobody asked. */
  readonly addresses?: readonly ExplainedAddress[]
  /** Who resolves the name in place of the gateway, so that no address of it is judged. */
  readonly resolver?: string
}

/** An address of a name, and what is thought of it. */
export interface ExplainedAddress {
  readonly address: string
  readonly allow: boolean
  readonly ground: string
}

/** A change of the configuration. */
export interface ExplainedAdvice {
  /** Where it stands, like `registries[0].regions`. */
  readonly key: string
  /** How it would read. */
  readonly line: string
  /** All that it would let through. */
  readonly opens: string
}

/**
 * Resolves a name for an explanation: its addresses; what a tunnel would be told when there are none; or who else
 * resolves it.
 */
export type ExplainLookup = (authority: Authority) => Promise<readonly Address[] | Refusal | OtherResolver>

/** Somebody else resolves a name, in words for a person. */
export interface OtherResolver {
  readonly resolver: string
}

/**
 * Explains a target by the decisions a tunnel would meet, and one that begins with `http://` by those of a request in
 * plain HTTP. Allowed means: the name is let through, and at least one of its addresses may be dialled where the
 * gateway resolves it. The port may be left out; 443 is meant then.
 */
export async function explainTarget (policy: Policy, asked: string, lookup: ExplainLookup): Promise<Explanation> {
  const { target, decision } = decide(policy, asked)
  const canonical = decision.authority === undefined
    ? {}
    : { canonical: `${decision.authority.host}:${decision.authority.port}` }
  if (!decision.allow) {
    const { refusal } = decision
    return { target, ...canonical, allow: false, refusal, ...withAdvice(adviseTarget(policy, decision)) }
  }

  const { rule, authority } = decision
  const { pattern, class: endpointClass, registry, region, source } = rule
  const reported = 'reported' in decision
    ? { wouldRefuse: decision.reported, ...withAdvice(policy.adviseHost(authority.host)) }
    : {}
  const known = { target, ...canonical, rule: { pattern, class: endpointClass, registry, region, source }, ...reported }
  const found = await lookup(authority)
  if ('resolver' in found) return { ...known, allow: true, ...found }
  if ('reason' in found) return { ...known, allow: false, refusal: found }

  const judged = found.map((address) => ({ address, decision: policy.decideAddress(rule, address) }))
  const addresses = judged.map(({ address, decision: verdict }) => explainAddress(address, verdict))
  if (addresses.some(({ allow }) => allow)) return { ...known, allow: true, addresses }
  const first = judged[0]
  if (first === undefined || first.decision.allow) return { ...known, allow: false, addresses }
  const advice = withAdvice(adviseAddress(rule, first.address))
  return { ...known, allow: false, refusal: first.decision.refusal, ...advice, addresses }
}

function decide (policy: Policy, asked: string): { target: string, decision: TargetDecision | PlainDecision } {
  if (/^http:\/\//i.test(asked)) return { target: asked, decision: policy.decidePlain(asked) }
  const target = /^[^:[\]]*$/.test(asked) ? `${asked}:443` : asked
  return { target, decision: policy.decideTarget(target) }
}

// What else is wrong with a target, its port or its form, no line of the configuration mends.
const reasonsOfHosts = ['host_not_allowed', 'storage_not_enabled', 'region_not_configured', 'regional_not_enabled']

function adviseTarget (
  policy: Policy, { authority, refusal }: Extract<TargetDecision | PlainDecision, { allow: false }>,
): Advice | undefined {
  if (authority === undefined || !reasonsOfHosts.includes(refusal.reason)) return undefined
  return policy.adviseHost(authority.host)
}

function withAdvice (advice: Advice | undefined): { readonly advice?: ExplainedAdvice } {
  if (advice === undefined) return {}
  return { advice: { key: advice.key, line: formatAdvice(advice), opens: advice.opens } }
}

/** The decision on an address, for a person. */
export function explainAddress ({ text }: Address, decision: AddressDecision): ExplainedAddress {
  const { allow } = decision
  return { address: text, allow, ground: decision.allow ? describeGround(decision.ground) : decision.refusal.detail }
}

/** The ground for a person, with the tag and prefix that hold the address. */
export function describeGround (ground: AddressGround): string {
  switch (ground.kind) {
    case 'public': return 'public address'
    case 'private_endpoint': return `in privateEndpoints ${ground.block.text}`
    case 'service_tag': return `in ${ground.tag} ${ground.block.text}`
    case 'reported': return `service tags are only reported on, but ${ground.refusal.detail}`
  }
}
