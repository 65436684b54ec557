import { createTokenBuckets } from '../net/token-buckets.ts'

/** How often an address may fail: a bucket of tokens for each, from which a failure takes one. */
export interface FailureLimit {
  /** Seconds until the next attempt, rounded up; `undefined` when it may be made now. */
  findWait (source: string): number | undefined
  countFailure (source: string): void
}

export interface FailureLimitOptions {
  /** Failures that may come at once. */
  readonly burst?: number
  /** After so long one more may come, in milliseconds. */
  readonly refillMs?: number
  /** Most addresses that are remembered; the one that has failed least lately is forgotten first. */
  readonly maxSources?: number
  /** Milliseconds on any steady clock. */
  readonly now?: () => number
}

// Enough for a person who tries, and for devices behind a NAT with last month's password; 29,000 guesses a day.
const defaultBurst = 20
const defaultRefillMs = 3000
const defaultMaxSources = 10_000

/** Nobody has failed yet; the memory is bounded, and holds nothing that needs closing. */
export function createFailureLimit (options: FailureLimitOptions = {}): FailureLimit {
  const {
    burst = defaultBurst, refillMs = defaultRefillMs, maxSources = defaultMaxSources, now = () => performance.now(),
  } = options
  const buckets = createTokenBuckets({ burst, refillMs, maxKeys: maxSources, now })
  return {
    findWait (source) {
      const waitMs = buckets.findWaitMs(source)
      return waitMs > 0 ? Math.ceil(waitMs / 1000) : undefined
    },
    countFailure: buckets.take,
  }
}
