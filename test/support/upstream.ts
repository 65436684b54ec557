import { on } from 'node:events'
import { type Socket, createServer } from 'node:net'
import type { Test } from 'tap'
import { listenOnLoopback } from '../../src/lab/loopback.ts'

/** What stands behind the gateway in place of a registry. */
export interface Upstream {
  readonly port: number
  /** Connections taken so far. */
  readonly connections: number
  /** Resolves with each connection in turn. */
  nextConnection (): Promise<Socket>
}

/** Listens on loopback and leaves each connection, half-open as it may be, to the test, whose end closes all. */
export async function startUpstream (t: Test, serve: (socket: Socket) => void = () => {}): Promise<Upstream> {
  let connections = 0
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    connections++
    socket.on('error', () => {})
    serve(socket)
  })
  const accepted = on(server, 'connection')
  const { port, close } = await listenOnLoopback(server)
  t.teardown(close)
  return {
    port,
    get connections () { return connections },
    nextConnection: async () => (await accepted.next()).value[0],
  }
}

/** An upstream that sends back what it is sent, and ends when it is ended. */
export async function startEchoUpstream (t: Test): Promise<Upstream> {
  return await startUpstream(t, (socket) => { socket.pipe(socket) })
}
