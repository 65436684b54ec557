import type { CutSignal } from '../net/cut-signal.ts'
import { dial } from './dial.ts'
import { describeTarget, findPermittedTargets } from './permitted-target.ts'
import type { PermittedName, Reach, ReachServices, Reached } from './reach.ts'

/** The way out without a proxy: looks a name up, judges its addresses, and dials those that may be, none other. */
export function createDirectReach (services: ReachServices): Reach {
  async function open (name: PermittedName, signal: CutSignal): Promise<Reached> {
    const targets = await findPermittedTargets(name, services, signal)
    const { socket, target } = await dial({ targets, signal, ...services })
    return { end: { stream: socket, socket }, upstream: describeTarget(target) }
  }

  return { open, openPlain: open }
}
