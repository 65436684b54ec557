import type { Address } from '../net/address.ts'

/** One address and port to try. */
export interface DialTarget {
  readonly address: Address
  readonly port: number
}

/** Targets that did not answer lately, so that the next tunnel does not wait for them first. */
export interface SlowTargets {
  /** The targets, those that are remembered behind the others, each kind in the order it has. */
  moveBack<Target extends DialTarget> (targets: Target[]): Target[]
  remember (target: DialTarget): void
  /** It has answered. */
  forget (target: DialTarget): void
}

export interface SlowTargetsOptions {
  /** How long a target is remembered, in milliseconds. */
  readonly memoryMs?: number
  /** Milliseconds on any steady clock. */
  readonly now?: () => number
}

// Long enough for the tunnels of one pull, short enough for a link that was down for a moment.
const defaultMemoryMs = 30_000
// A gateway that finds nobody is not to remember everybody.
const maxTargets = 1000

/** An empty memory; it is bounded, and holds nothing that needs closing. */
export function createSlowTargets (options: SlowTargetsOptions = {}): SlowTargets {
  const { memoryMs = defaultMemoryMs, now = () => performance.now() } = options
  const until = new Map<string, number>()

  function isSlow (target: DialTarget): boolean {
    const time = until.get(keyOf(target))
    if (time === undefined || now() < time) return time !== undefined
    until.delete(keyOf(target))
    return false
  }

  return {
    moveBack (targets) {
      if (until.size === 0) return targets
      const slow = targets.filter(isSlow)
      return slow.length === 0 ? targets : [...targets.filter((target) => !slow.includes(target)), ...slow]
    },

    remember (target) {
      const key = keyOf(target)
      // Behind all others, so that the first of them is always the oldest.
      until.delete(key)
      until.set(key, now() + memoryMs)
      const [oldest] = until.keys()
      if (until.size > maxTargets && oldest !== undefined) until.delete(oldest)
    },

    forget: (target) => { if (until.size > 0) until.delete(keyOf(target)) },
  }
}

function keyOf ({ address, port }: DialTarget): string {
  return `${address.text} ${port}`
}
