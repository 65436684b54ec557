import { formatSocketAddress } from '../net/address.ts'
import type { CutSignal } from '../net/cut-signal.ts'
import {
  ParentError, type ParentProxy, type ParentTrouble, connectToParent, listParentHeaders, openParentTunnel,
  refusedBy,
} from './parent.ts'
import { type PermittedTarget, describeTarget, findPermittedTargets } from './permitted-target.ts'
import type { PermittedName, ProxyAnswer, Reach, ReachServices, Reached } from './reach.ts'

export interface ParentReachOptions extends ReachServices {
  readonly parent: ParentProxy
  /**
   * Who resolves the names of tunnels. `parent`: it is asked for `HOST:443`, and no address is judged. `gateway`: it is
   * asked for `ADDRESS:443`, an address that was judged.
   */
  readonly resolver: 'gateway' | 'parent'
}

// An answer of hundreds of addresses must not become hundreds of questions; as many as are dialled without a parent.
const maxTargets = 16

/** The way out through a parent proxy. There is no other: without the parent nothing is reached. */
export function createParentReach ({ parent, resolver, ...services }: ParentReachOptions): Reach {
  const { slowTargets } = services

  async function openByName ({ authority: { host, port } }: PermittedName, signal: CutSignal): Promise<Reached> {
    const { end, address } = await openParentTunnel(parent, `${host}:${port}`, services, signal)
    return { end, upstream: { parent: address, resolvedBy: 'parent' } }
  }

  /** One address after the other: the parent connects, so that there is nothing to race. */
  async function openByAddress (name: PermittedName, signal: CutSignal): Promise<Reached> {
    const targets = slowTargets.moveBack(putIpv4First(await findPermittedTargets(name, services, signal)))
    let first: ParentError | undefined
    for (const target of targets.slice(0, maxTargets)) {
      try {
        const asked = formatSocketAddress(target.address.text, target.port)
        const { end, address } = await openParentTunnel(parent, asked, services, signal)
        slowTargets.forget(target)
        return { end, upstream: { ...describeTarget(target), parent: address, resolvedBy: 'gateway' } }
      } catch (error) {
        if (!(error instanceof ParentError)) throw error
        if (hasNotConnected(error.trouble)) slowTargets.remember(target)
        if (error.trouble.kind !== 'refusal' || !hasNotConnected(error.trouble)) throw error
        first ??= error
      }
    }
    throw first ?? new TypeError(`no address of ${name.authority.host} was tried`)
  }

  return {
    open: resolver === 'parent' ? openByName : openByAddress,
    // The request names the host (RFC 9112 §3.2.2), whoever resolves those of tunnels.
    async openPlain (_name, signal) {
      const { end, address } = await connectToParent(parent, services, signal)
      const proxy = { headers: listParentHeaders(parent), refuse: (answer: ProxyAnswer) => refusedBy(parent, answer) }
      return { end, upstream: { parent: address, resolvedBy: 'parent' }, proxy }
    },
  }
}

/** A parent tells of an address that it has no way to only when its own time is up, and more of them have IPv4. */
function putIpv4First (targets: readonly PermittedTarget[]): PermittedTarget[] {
  return [...targets].sort((a, b) => a.address.family - b.address.family)
}

/** Whether the parent may have tried the address in vain: it says so, or says nothing. */
function hasNotConnected (trouble: ParentTrouble): boolean {
  return trouble.kind === 'time' || (trouble.kind === 'refusal' && [502, 503, 504].includes(trouble.status))
}
