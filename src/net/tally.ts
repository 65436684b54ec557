/** How many there are of each key. Counting costs the same however many keys there are. */
export interface Tally {
  count (key: string): number
  add (key: string): void
  /** Takes one away that was added. */
  remove (key: string): void
}

// Keys of which there are none are kept until there are so many of them, then dropped together.
const idleKeysKept = 1024

/**
 * A tally of nothing. It holds at most twice as many keys as there are things to count, and a thousand more: keys are
 * kept beyond their last thing, for what roster.ts says of maps, and dropped so seldom that it costs each but a step.
 */
export function createTally (): Tally {
  const counts = new Map<string, number>()
  let total = 0

  function dropIdleKeys (): void {
    for (const [key, count] of counts) if (count === 0) counts.delete(key)
  }

  return {
    count: (key) => counts.get(key) ?? 0,
    add (key) {
      total++
      counts.set(key, (counts.get(key) ?? 0) + 1)
      if (counts.size > 2 * total + idleKeysKept) dropIdleKeys()
    },
    remove (key) {
      total--
      counts.set(key, (counts.get(key) ?? 1) - 1)
    },
  }
}
