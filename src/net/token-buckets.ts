import { LRUCache } from 'lru-cache'

/** A bucket of tokens for each key: how often something may happen, and how much of it at once. */
export interface TokenBuckets {
  /** Milliseconds until there is a token; 0 when there is one now. */
  findWaitMs (key: string): number
  /** Takes a token, also one that is not there yet. */
  take (key: string): void
}

export interface TokenBucketsOptions {
  /** Tokens of a full bucket. */
  readonly burst: number
  /** After so long there is one more, in milliseconds. */
  readonly refillMs: number
  /** Most buckets that are not full; the one that was looked at least lately is taken for a full one first. */
  readonly maxKeys: number
  /** Milliseconds of a clock that does not go back. */
  readonly now?: () => number
}

/**
 * Full buckets. Each is kept as the one moment at which it will be full again: no timers, the same few steps whatever
 * their number, and memory that is bounded. It holds nothing that needs closing.
 */
export function createTokenBuckets (options: TokenBucketsOptions): TokenBuckets {
  const { burst, refillMs, maxKeys, now = () => performance.now() } = options
  const fullAt = new LRUCache<string, number>({ max: maxKeys })
  return {
    findWaitMs: (key) => Math.max(0, (fullAt.get(key) ?? -Infinity) - now() - (burst - 1) * refillMs),
    take: (key) => { fullAt.set(key, Math.max(fullAt.get(key) ?? -Infinity, now()) + refillMs) },
  }
}
