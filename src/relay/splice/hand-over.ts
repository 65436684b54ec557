import type { Socket } from 'node:net'
import type { Libc } from '../../host/libc.ts'
import type { RelayEnd } from '../ends.ts'

/** A connection taken out of Node's hands. Whoever has it closes the descriptor. */
export interface HandedOver {
  readonly fd: number
  /** What Node had read of it. */
  readonly buffered: Buffer | undefined
}

/**
 * Takes both connections out of Node's hands, or neither: `undefined` when one of them cannot be had, because it is
 * TLS, has gone, still has bytes to send, or because there is no descriptor left.
 *
 * The descriptor is duplicated and Node's own closed: libuv takes it out of its epoll before, and never calls
 * shutdown(2), so the connection lives on in the duplicate. All of it happens in one turn, so nothing is read between.
 */
export function handOver (
  libc: Libc, client: RelayEnd, upstream: RelayEnd,
): { readonly client: HandedOver, readonly upstream: HandedOver } | undefined {
  if (!canHandOver(client) || !canHandOver(upstream)) return undefined
  const clientFd = duplicate(libc, client.socket)
  const upstreamFd = duplicate(libc, upstream.socket)
  if (clientFd >= 0 && upstreamFd >= 0) {
    return {
      client: { fd: clientFd, buffered: release(client.socket) },
      upstream: { fd: upstreamFd, buffered: release(upstream.socket) },
    }
  }
  for (const fd of [clientFd, upstreamFd]) if (fd >= 0) libc.close(fd)
  return undefined
}

function canHandOver ({ stream, socket }: RelayEnd): boolean {
  return stream === socket && !socket.destroyed && socket.writable && socket.writableLength === 0
}

/** A negative errno when there is no descriptor to duplicate, or none to be had. */
function duplicate (libc: Libc, socket: Socket): number {
  const fd = descriptorOf(socket)
  return fd === undefined ? -1 : libc.duplicate(fd)
}

/**
 * The descriptor of a socket. `_handle.fd` is not documented, and has been there since 2016; that it is there is
 * tested at the start of every process.
 */
export function descriptorOf (socket: Socket): number | undefined {
  const { _handle: handle } = socket as Socket & { _handle?: { readonly fd?: number } | null }
  const fd = handle?.fd
  return fd === undefined || fd < 0 ? undefined : fd
}

function release (socket: Socket): Buffer | undefined {
  const buffered = socket.read() as Buffer | null
  socket.destroy()
  return buffered ?? undefined
}
