/**
 * For how long somebody has looked. What was not seen says something only about the time in which it would have been
 * seen, so time without a gateway, and time that a clock skipped, does not count. Times are milliseconds since the
 * epoch.
 */
export interface Watch {
  readonly since: number
  /** The last beat. */
  readonly until: number
  /** When nobody looked in between, oldest first. */
  readonly gaps: readonly Gap[]
}

/** A time in which nobody looked. */
export interface Gap {
  readonly from: number
  readonly to: number
}

/** How often a watch must be beaten at least, half of the time between two beats that makes a gap. */
export const beatMs = 60_000
/** A restart, or a busy minute, is no gap. */
const longestPauseMs = 5 * beatMs
/** More gaps than this are not told apart: what lies before them is given up. */
const maxGaps = 100

/** A watch that begins now. */
export function startWatch (now: number): Watch {
  return { since: now, until: now, gaps: [] }
}

/**
 * The watch, gone on to now. Beaten late, by a stop of the gateway, a sleep of the machine or a clock that was set, it
 * has one more gap; when the clock was set back, nobody knows what was seen when, and it begins anew.
 */
export function beatWatch (watch: Watch, now: number): Watch {
  if (now < watch.until - longestPauseMs) return startWatch(now)
  if (now - watch.until <= longestPauseMs) return { ...watch, until: Math.max(watch.until, now) }
  const gaps = [...watch.gaps, { from: watch.until, to: now }]
  const dropped = gaps.length > maxGaps ? gaps.shift() : undefined
  return { since: dropped?.to ?? watch.since, until: now, gaps }
}

/** How many milliseconds from a moment until now somebody looked. */
export function measureWatched ({ since, until, gaps }: Watch, from: number): number {
  const start = Math.max(from, since)
  const unwatched = gaps.reduce((sum, gap) => sum + Math.max(0, gap.to - Math.max(gap.from, start)), 0)
  return Math.max(0, until - start - unwatched)
}
