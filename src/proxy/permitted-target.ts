import { type Address, formatSocketAddress } from '../net/address.ts'
import type { CutSignal } from '../net/cut-signal.ts'
import type { HostName } from '../net/host-name.ts'
import type { AddressGround } from '../policy/policy.ts'
import { type Denied, type Refusal, deny, refuse } from '../refusal/reasons.ts'
import type { Upstream } from '../telemetry/tunnel-log.ts'
import { TunnelFailure } from './failure.ts'
import type { PermittedName, ReachServices } from './reach.ts'
import type { DialTarget } from './slow-targets.ts'

/** An address that may be connected to, and why. */
export interface PermittedTarget extends DialTarget {
  readonly ground: AddressGround
}

/**
 * Looks a name up and judges its addresses: those that may be connected to, at least one. Rejects with `LookupError`,
 * or with `TunnelFailure` on the ground of the first denial.
 */
export async function findPermittedTargets (
  { policy, rule, authority }: PermittedName,
  { names, leadsBack }: Pick<ReachServices, 'names' | 'leadsBack'>,
  signal: CutSignal,
): Promise<readonly PermittedTarget[]> {
  const targets: PermittedTarget[] = []
  let denied: Denied | undefined
  for (const { address, port = authority.port } of await names.lookup(authority.host, signal)) {
    const decision = policy.decideAddress(rule, address)
    if (!decision.allow) denied ??= decision
    else if (leadsBack?.(address.text, port) === true) denied ??= deny(refuseOwn(authority.host, address))
    else targets.push({ address, port, ground: decision.ground })
  }
  if (targets.length === 0 && denied !== undefined) throw new TunnelFailure(denied.refusal)
  return targets
}

function refuseOwn (host: HostName, { text }: Address): Refusal {
  return refuse('loop_detected', `${host} resolves to ${text}, where this gateway listens itself`,
    'Give the gateway name servers, or dns.hosts, that know the registry\'s own addresses.')
}

/** Where a connection goes, and on what ground. */
export function describeTarget ({ address, port, ground }: PermittedTarget): Upstream {
  const reached = { address: formatSocketAddress(address.text, port) }
  switch (ground.kind) {
    case 'service_tag': return { ...reached, tag: ground.tag, prefix: ground.block.text }
    case 'reported': return { ...reached, wouldRefuse: ground.refusal.reason }
    case 'private_endpoint':
    case 'public': return reached
  }
}
