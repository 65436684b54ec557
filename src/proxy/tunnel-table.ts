import { type Listed, type Roster, enlist, strike } from '../net/roster.ts'
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
  /** Takes a place, if the limits leave one. `client` is the client's address without its port. */
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

// Counts of clients that have no tunnel now are kept until there are so many, then dropped together.
const idleClientsKept = 1024

/** An empty table. It keeps counts of clients beyond their last tunnel, for what roster.ts says of maps. */
export function createTunnelTable ({ maxTunnels, maxTunnelsPerClient }: TunnelTableOptions): TunnelTable {
  const places: Roster<ListedPlace> = []
  const placesByClient = new Map<string, number>()
  let waiting: Array<() => void> = []
  let isClosing = false

  function take (client: string, record: TunnelRecord): TunnelPlace {
    const place: ListedPlace = { record, index: -1, release: () => release(place, client) }
    enlist(places, place)
    placesByClient.set(client, (placesByClient.get(client) ?? 0) + 1)
    if (placesByClient.size > places.length + idleClientsKept) dropIdleClients()
    return place
  }

  function release (place: ListedPlace, client: string): void {
    if (!strike(places, place)) return
    placesByClient.set(client, (placesByClient.get(client) ?? 1) - 1)
    if (places.length === 0) notifyEmpty()
  }

  function dropIdleClients (): void {
    for (const [client, count] of placesByClient) if (count === 0) placesByClient.delete(client)
  }

  function notifyEmpty (): void {
    for (const resolve of waiting) resolve()
    waiting = []
  }

  return {
    admit (client, record) {
      if (isClosing) return deny(refuseClosing())
      if (places.length >= maxTunnels) return deny(refuseFull(maxTunnels))
      if ((placesByClient.get(client) ?? 0) >= maxTunnelsPerClient) return deny(refuseGreedy(maxTunnelsPerClient))
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

function refuseClosing (): Refusal {
  return refuse('shutting_down', 'the gateway is shutting down', 'Try again in a moment.')
}

function refuseFull (maxTunnels: number): Refusal {
  return refuse('tunnel_limit', `all ${maxTunnels} tunnels of the gateway are in use`,
    'Try again; raise tunnel.maxTunnels, or run more gateways.')
}

function refuseGreedy (maxTunnelsPerClient: number): Refusal {
  return refuse('client_tunnel_limit', `this client already has ${maxTunnelsPerClient} tunnels`,
    'Try again when some have ended, or raise tunnel.maxTunnelsPerClient.')
}
