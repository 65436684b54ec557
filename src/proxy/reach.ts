import type { Destination, Names } from '../dns/names.ts'
import type { CutSignal } from '../net/cut-signal.ts'
import type { Authority } from '../net/authority.ts'
import { formatSocketAddress } from '../net/address.ts'
import type { AddressGround, Policy } from '../policy/policy.ts'
import type { Rule } from '../policy/rule.ts'
import type { Denied } from '../refusal/reasons.ts'
import type { Upstream } from '../telemetry/tunnel-log.ts'
import { type AttemptOutcome, type Dialled, dial } from './dial.ts'
import { TunnelFailure } from './failure.ts'
import type { DialTarget, SlowTargets } from './slow-targets.ts'

/** What it takes to get from a name to a connection. */
export interface ReachServices {
  readonly names: Pick<Names, 'lookup'>
  readonly slowTargets: SlowTargets
  readonly onAttempt: (outcome: AttemptOutcome) => void
}

/** A name that is let through, by which rule, and the policy that said so. */
export interface PermittedName {
  readonly policy: Policy
  readonly rule: Rule
  readonly authority: Authority
}

/** An address that may be dialled, and why. */
export interface PermittedTarget extends DialTarget {
  readonly ground: AddressGround
}

/**
 * From a name to a connection: looks it up, judges each address, and dials those that may be dialled, none other. The
 * caller owns the socket. Rejects with `LookupError`, `DialError`, or `TunnelFailure` when no address may be dialled.
 */
export async function reach (
  { policy, rule, authority }: PermittedName, signal: CutSignal, { names, slowTargets, onAttempt }: ReachServices,
): Promise<Dialled<PermittedTarget>> {
  const destinations = await names.lookup(authority.host, signal)
  const targets = permitAddresses(policy, rule, destinations, authority.port)
  return await dial({ targets, slowTargets, signal, onAttempt })
}

/** Of the addresses of a name, those that may be dialled; when there are none, the ground of the first denial. */
function permitAddresses (
  policy: Policy, rule: Rule, destinations: readonly Destination[], askedPort: number,
): readonly PermittedTarget[] {
  const targets: PermittedTarget[] = []
  let denied: Denied | undefined
  for (const { address, port = askedPort } of destinations) {
    const decision = policy.decideAddress(rule, address)
    if (decision.allow) targets.push({ address, port, ground: decision.ground })
    else denied ??= decision
  }
  if (targets.length === 0 && denied !== undefined) throw new TunnelFailure(denied.refusal)
  return targets
}

/** Where a connection goes, and on what ground. */
export function describeUpstream ({ address, port, ground }: PermittedTarget): Upstream {
  const reached = { address: formatSocketAddress(address.text, port) }
  switch (ground.kind) {
    case 'service_tag': return { ...reached, tag: ground.tag, prefix: ground.block.text }
    case 'reported': return { ...reached, wouldRefuse: ground.refusal.reason }
    case 'private_endpoint':
    case 'public': return reached
  }
}
