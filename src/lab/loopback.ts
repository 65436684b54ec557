import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'

/** Every part of the lab listens here and nowhere else. */
export const loopback = '127.0.0.1'

/** A server that listens, and how to end it. */
export interface LoopbackServer {
  readonly port: number
  /** Stops listening and destroys every connection, also those still in a handshake. */
  close (): Promise<void>
}

/**
 * Makes a server (plain, HTTP or TLS) listen on loopback; port 0 takes a free one.
 * The caller closes it. Rejects as `listen` fails, with its `code`.
 */
export async function listenOnLoopback (server: Server, port = 0): Promise<LoopbackServer> {
  server.listen(port, loopback)
  await once(server, 'listening')
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return {
    port: (server.address() as AddressInfo).port,
    async close () {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
