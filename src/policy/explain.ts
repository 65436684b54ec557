import type { Address } from '../net/address.ts'
import type { HostName } from '../net/host-name.ts'
import type { Refusal } from '../refusal/reasons.ts'
import type { AddressGround, Policy } from './policy.ts'

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
  /** What the name resolves to, and what is thought of it; absent when nobody asked. */
  readonly addresses?: ReadonlyArray<{ readonly address: string, readonly allow: boolean, readonly ground: string }>
}

/** Resolves a name for an explanation: its addresses, or what a tunnel would be told when there are none. */
export type ExplainLookup = (host: HostName) => Promise<readonly Address[] | Refusal>

/**
 * Explains a target by the decisions a tunnel would meet. Allowed means: the name is let through, and at least one of
 * its addresses may be dialled. The port may be left out; 443 is meant then.
 */
export async function explainTarget (policy: Policy, asked: string, lookup: ExplainLookup): Promise<Explanation> {
  const target = /^[^:[\]]*$/.test(asked) ? `${asked}:443` : asked
  const decision = policy.decideTarget(target)
  const canonical = decision.authority === undefined
    ? {}
    : { canonical: `${decision.authority.host}:${decision.authority.port}` }
  if (!decision.allow) return { target, ...canonical, allow: false, refusal: decision.refusal }

  const { rule, authority } = decision
  const { pattern, class: endpointClass, registry, region, source } = rule
  const known = { target, ...canonical, rule: { pattern, class: endpointClass, registry, region, source } }
  const found = await lookup(authority.host)
  if ('reason' in found) return { ...known, allow: false, refusal: found }

  const judged = found.map((address) => ({ address, decision: policy.decideAddress(rule, address) }))
  const addresses = judged.map(({ address, decision: verdict }) => ({
    address: address.text,
    allow: verdict.allow,
    ground: verdict.allow ? describeGround(verdict.ground) : verdict.refusal.detail,
  }))
  if (addresses.some(({ allow }) => allow)) return { ...known, allow: true, addresses }
  const denied = judged[0]?.decision
  return { ...known, allow: false, ...denied?.allow === false ? { refusal: denied.refusal } : {}, addresses }
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
