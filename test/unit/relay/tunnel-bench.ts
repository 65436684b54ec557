import type { Test } from 'tap'
import type { Relay, RelayOptions } from '../../../src/relay/ends.ts'
import type { FarEnd, SocketPair } from '../../support/socket-pair.ts'

/** What a relay engine is to the cases: its one verb. */
export type StartRelay = (options: RelayOptions) => Relay

/** Which of the two. */
export type Side = 'client' | 'upstream'

export const sides: readonly Side[] = ['client', 'upstream']

/** A relay between two real connections. */
export interface Tunnel {
  readonly relay: Relay
  /** The peers' ends. */
  readonly far: Readonly<Record<Side, FarEnd>>
  /** The ends that the relay owns. */
  readonly near: Readonly<Record<Side, SocketPair['near']>>
}

export interface TunnelOptions {
  readonly early?: Buffer
  readonly idleTimeoutMs?: number
  /** What happens to the connections before there is a relay. */
  readonly before?: (pairs: Readonly<Record<Side, SocketPair>>) => Promise<void>
}

/** How tunnels are made here: by which engine, and over what on the client's side. */
export interface Bench {
  readonly start: StartRelay
  readonly openClient: (t: Test) => Promise<SocketPair>
  readonly openUpstream: (t: Test) => Promise<SocketPair>
}

const longIdleMs = 60_000

/** Opens both connections and starts the relay; the test's end stops it. */
export async function openTunnel (t: Test, bench: Bench, options: TunnelOptions = {}): Promise<Tunnel> {
  const { early = Buffer.alloc(0), idleTimeoutMs = longIdleMs, before } = options
  const [client, upstream] = await Promise.all([bench.openClient(t), bench.openUpstream(t)])
  await before?.({ client, upstream })
  const relay = bench.start({ client: client.near, upstream: upstream.near, early, idleTimeoutMs })
  t.teardown(() => relay.stop())
  return {
    relay,
    far: { client: client.far, upstream: upstream.far },
    near: { client: client.near, upstream: upstream.near },
  }
}

export function otherSide (side: Side): Side {
  return side === 'client' ? 'upstream' : 'client'
}

/** The bytes that the relay has counted from one side. */
export function countFrom ({ bytes }: Relay, side: Side): number {
  return side === 'client' ? bytes.fromClient : bytes.fromUpstream
}

/** The bytes that it has counted from the client and from the upstream. */
export function countBoth (relay: Relay): readonly number[] {
  return sides.map((side) => countFrom(relay, side))
}
