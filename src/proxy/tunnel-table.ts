import { type Listed, type Roster, enlist, strike } from '../net/roster.ts'
import { createTally } from '../net/tally.ts'
import type { Relay } from '../relay/ends.ts'
import { type Denied, type Refusal, deny, refuse } from '../refusal/reasons.ts'
import type { TunnelRecord } from '../telemetry/tunnel-log.ts'

/** A place in the table: held from before the look-up to the end of the tunnel. */
export interface TunnelPlace {
  readonly record: TunnelRecord
  /** Set while bytes are carried. */
  relay?: Relay
  /** Gives the place back; more than once is as good as once. */
  release (): void
}

interface ListedPlace extends TunnelPlace, Listed {}

/** Whether there is room for one more. */
export type Admission = { readonly allow: true, readonly place: TunnelPlace } | Denied

/** Every tunnel that is being opened or is open, and the limits on them. */
export interface TunnelTable {
  /** Takes a place, if the limits leave one. `client` is whom it counts for (client-key.ts). */
  admit (client: string, record: TunnelRecord): Admission
  readonly size: number
  /** The tunnels, oldest first. */
  list (): readonly TunnelPlace[]
  /** From now on every request is refused as `shutting_down`. */
  refuseNew (): void
  /** Resolves when the last place has been given back. */
  whenEmpty (): Promise<void>
  /** Resets every tunnel. */
  stopAll (): void
}

export interface TunnelTableOptions {
  readonly maxTunnels: number
  readonly maxTunnelsPerClient: number
}

/** An empty table. */
export function createTunnelTable ({ maxTunnels, maxTunnelsPerClient }: TunnelTableOptions): TunnelTable {
  const places: Roster<ListedPlace> = []
  const clients = createTally()
  let waiting: Array<() => void> = []
  let isClosing = false

  function take (client: string, record: TunnelRecord): TunnelPlace {
    const place: ListedPlace = { record, index: -1, release: () => release(place, client) }
    enlist(places, place)
    clients.add(client)
    return place
  }

  function release (place: ListedPlace, client: string): void {
    if (!strike(places, place)) return
    clients.remove(client)
    if (places.length === 0) notifyEmpty()
  }

  function notifyEmpty (): void {
    for (const resolve of waiting) resolve()
    waiting = []
  }

  return {
    admit (client, record) {
      if (isClosing) return deny(refuseClosing())
      if (places.length >= maxTunnels) return deny(refuseFull(maxTunnels))
      if (clients.count(client) >= maxTunnelsPerClient) return deny(refuseGreedy(maxTunnelsPerClient))
      return { allow: true, place: take(client, record) }
    },
    get size () { return places.length },
    list: () => [...places].sort((a, b) => a.record.startedAt - b.record.startedAt),
    refuseNew () { isClosing = true },
    async whenEmpty () {
      if (places.length > 0) await new Promise<void>((resolve) => { waiting.push(resolve) })
    },
    stopAll () {
      for (const { relay } of [...places]) relay?.stop()
    },
  }
}

// In seconds. Another gateway, or this one started again, has taken over by then.
const closingRetryAfter = 5
// Tunnels of all clients end all the time.
const fullRetryAfter = 5
// A client's own tunnels end when it has pulled what it is pulling: a layer takes some seconds.
const greedyRetryAfter = 10

function refuseClosing (): Refusal {
  const refusal = refuse('shutting_down', 'the gateway is shutting down', 'Try again in a moment.')
  return { ...refusal, retryAfterSeconds: closingRetryAfter }
}

function refuseFull (maxTunnels: number): Refusal {
  const refusal = refuse('tunnel_limit', `all ${maxTunnels} tunnels of the gateway are in use`,
    'Try again; raise tunnel.maxTunnels, or run more gateways.')
  return { ...refusal, retryAfterSeconds: fullRetryAfter }
}

function refuseGreedy (maxTunnelsPerClient: number): Refusal {
  const refusal = refuse('client_tunnel_limit', `this client already has ${maxTunnelsPerClient} tunnels`,
    'Try again when some have ended, or raise tunnel.maxTunnelsPerClient.')
  return { ...refusal, retryAfterSeconds: greedyRetryAfter }
}
