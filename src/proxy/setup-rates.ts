import { createTokenBuckets } from '../net/token-buckets.ts'
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

/** So much of what it did not ask for a client may catch up on at once. */
const burstSeconds = 10

// A client matters for ten seconds behind its last request. Were so many to ask within that time, those who did so
// first, and have the most coming to them anyway, would have a full measure again.
const clientsKept = 16_384

/** Nobody has asked yet; it holds nothing that needs closing. */
export function createSetupRates ({ perSecond, now }: SetupRatesOptions): SetupRates {
  const buckets = createTokenBuckets({
    burst: burstSeconds * perSecond,
    refillMs: 1000 / perSecond,
    maxKeys: clientsKept,
    ...now === undefined ? {} : { now },
  })
  return {
    admit (client) {
      const waitMs = buckets.findWaitMs(client)
      if (waitMs > 0) return deny(refuseHasty(perSecond, waitMs))
      buckets.take(client)
      return { allow: true }
    },
  }
}

function refuseHasty (perSecond: number, waitMs: number): Refusal {
  const refusal = refuse('client_setup_rate', `this client asks for more than ${perSecond} tunnels a second`,
    'Try again in a moment; raise tunnel.maxSetupsPerSecondPerClient where many devices share an address.')
  return { ...refusal, retryAfterSeconds: Math.ceil(waitMs / 1000) }
}
