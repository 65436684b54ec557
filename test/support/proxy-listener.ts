import type { Test } from 'tap'
import { emptyCidrSet } from '../../src/net/cidr-set.ts'
import { type Listener, type ListenerOptions, type UnusableRequest, createListener } from '../../src/proxy/listener.ts'
import type { TunnelRequest } from '../../src/proxy/tunnel.ts'

/** A listener, and all that it handed over. */
export interface RunningListener {
  readonly listener: Listener
  readonly host: string
  readonly port: number
  readonly connects: readonly TunnelRequest[]
  readonly unusables: UnusableRequest[]
  /** What the listener counted, in order. */
  readonly counted: readonly string[]
}

/** Starts a listener that leaves what it hands over to the test; the test's end closes it. */
export async function startListener (t: Test, options: Partial<ListenerOptions> = {}): Promise<RunningListener> {
  const connects: TunnelRequest[] = []
  const unusables: UnusableRequest[] = []
  const counted: string[] = []
  const listener = createListener({
    listen: { address: '127.0.0.1', port: 0 },
    headTimeoutMs: 10_000,
    maxConnections: 10,
    maxConnectionsPerClient: 10,
    loadBalancers: emptyCidrSet,
    events: {
      connectionOpened: () => { counted.push('opened') },
      connectionClosed: () => { counted.push('closed') },
      handshakeFailed: (failure) => { counted.push(failure) },
      connectionDropped: (limit) => { counted.push(`dropped by ${limit}`) },
    },
    isTransparent: false,
    onTunnel: (request) => { connects.push(request) },
    onPlain: ({ end }) => { end.stream.destroy() },
    onUnusable: (request) => { unusables.push(request) },
    ...options,
  })
  t.teardown(() => listener.close())
  const { address, port } = await listener.start()
  return { listener, host: address, port, connects, unusables, counted }
}
