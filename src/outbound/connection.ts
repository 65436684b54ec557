import { once } from 'node:events'
import { type Socket, connect } from 'node:net'

export interface ConnectionOptions {
  /** An IP address, or a name for the system to resolve. */
  readonly host: string
  readonly port: number
  readonly signal: AbortSignal
}

/**
 * Connects. The caller owns the socket. Rejects as the connection fails, with its `code`, and with the signal's reason
 * when it is aborted; then nothing is left open.
 */
export async function openConnection ({ host, port, signal }: ConnectionOptions): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true })
  // It may fail before it is used, and then again on its way out.
  socket.on('error', () => {})
  try {
    await once(socket, 'connect', { signal })
    return socket
  } catch (error) {
    socket.destroy()
    signal.throwIfAborted()
    throw error
  }
}
