import { LRUCache } from 'lru-cache'
import { type Denied, type Refusal, deny, refuse } from '../refusal/reasons.ts'

/** The limit on how often each client asks. */
export interface SetupRates {
  /** Counts a request, if the client's rate leaves one. `client` is whom it counts for (client-key.ts). */
  admit (client: string): { readonly allow: true } | Denied
}

export interface SetupRatesOptions {
  /** What each client may ask for over any longer time. */
  readonly perSecond: number
  /** Milliseconds of a clock that does not go back. */
  readonly now?: () => number
}

/** So much of what it did not ask for a client may catch up on at once, in milliseconds. */
const burstMs = 10_000

// A client matters for ten seconds behind its last request. Were so many to ask within that time, those who did so
// first, and have the most coming to them anyway, are forgotten: each then has a full measure.
const clientsKept = 16_384

/**
 * A token bucket for each client, kept as the one moment at which it is full again: no timers, the same few steps
 * whatever their number, and nothing to keep of a client whose moment is past.
 */
export function createSetupRates ({ perSecond, now = () => performance.now() }: SetupRatesOptions): SetupRates {
  const intervalMs = 1000 / perSecond
  const fullAt = new LRUCache<string, number>({ max: clientsKept })
  return {
    admit (client) {
      const time = now()
      const next = Math.max(fullAt.get(client) ?? time, time) + intervalMs
      const excessMs = next - time - burstMs
      if (excessMs > 0) return deny(refuseHasty(perSecond, excessMs))
      fullAt.set(client, next)
      return { allow: true }
    },
  }
}

function refuseHasty (perSecond: number, excessMs: number): Refusal {
  const refusal = refuse('client_setup_rate', `this client asks for more than ${perSecond} tunnels a second`,
    'Try again in a moment; raise tunnel.maxSetupsPerSecondPerClient where many devices share an address.')
  return { ...refusal, retryAfterSeconds: Math.ceil(excessMs / 1000) }
}
