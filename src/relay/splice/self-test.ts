import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type Libc, errno } from '../../host/libc.ts'
import { descriptorOf } from './hand-over.ts'

/**
 * Tries on one loopback connection all that the splice engine rests on: that a socket's descriptor can be had and
 * duplicated, that the connection outlives Node's own descriptor, and that its bytes can be spliced into a pipe.
 * Resolves with what does not work, or `undefined`; never rejects, and leaves nothing behind.
 */
export async function testSplice (libc: Libc): Promise<string | undefined> {
  const server = createServer()
  const sockets: Socket[] = []
  const fds: number[] = []
  try {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const near = connect((server.address() as AddressInfo).port, '127.0.0.1')
    sockets.push(near)
    const [[far]] = await Promise.all([once(server, 'connection') as Promise<[Socket]>, once(near, 'connect')])
    sockets.push(far)
    return await trySplice(libc, near, far, fds)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    for (const fd of fds) libc.close(fd)
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}

async function trySplice (libc: Libc, near: Socket, far: Socket, fds: number[]): Promise<string | undefined> {
  const fd = descriptorOf(near)
  if (fd === undefined) return 'Node does not tell a socket\'s descriptor'
  const duplicated = libc.duplicate(fd)
  if (duplicated < 0) return `a socket's descriptor cannot be duplicated (errno ${-duplicated})`
  fds.push(duplicated)
  near.destroy()
  const ends = new Int32Array(2)
  const piped = libc.pipe(ends)
  if (piped < 0) return `no pipe can be had (errno ${-piped})`
  fds.push(...ends)
  await new Promise<void>((resolve) => { far.write('splice', () => resolve()) })
  const moved = libc.splice(duplicated, ends[1] ?? -1, 1024)
  if (moved === -errno.EAGAIN) return 'the connection did not outlive its first descriptor'
  return moved === 6 ? undefined : `splice(2) brought ${moved} of 6 bytes`
}
