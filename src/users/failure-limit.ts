import { LRUCache } from 'lru-cache'
import type { Address } from '../net/address.ts'

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
  /** When each bucket will be full again. */
  const fullAt = new LRUCache<string, number>({ max: maxSources })

  return {
    findWait (source) {
      const waitMs = (fullAt.get(source) ?? -Infinity) - now() - (burst - 1) * refillMs
      return waitMs > 0 ? Math.ceil(waitMs / 1000) : undefined
    },
    countFailure: (source) => { fullAt.set(source, Math.max(fullAt.get(source) ?? -Infinity, now()) + refillMs) },
  }
}

/**
 * What stands for a client in limits: an IPv4 address, or the /64 of an IPv6 one, since whoever has one address of a
 * subnet can have any of it (RFC 4291 section 2.5.4; RFC 8981).
 */
export function findSource ({ family, text, words }: Address): string {
  return family === 4 ? text : words.slice(0, 2).map((word) => word.toString(16)).join(' ')
}
