import type { Relay, RelayOptions } from './ends.ts'
import { startStreamRelay } from './stream-relay.ts'

/** The ways there are to move bytes; a metric label. */
export const relayEngines = ['stream'] as const

export type RelayEngine = typeof relayEngines[number]

/** The engine that `startRelay` uses. */
export const relayEngine: RelayEngine = 'stream'

/**
 * Carries bytes between two ends until both have finished: half-closes and resets pass from one to the other, neither
 * end is read faster than the other takes, and there is no limit on time or bytes but the idle time.
 */
export function startRelay (options: RelayOptions): Relay {
  return startStreamRelay(options)
}
