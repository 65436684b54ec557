import { readSync } from 'node:fs'
import { reset, send } from './sockets.js'
import { openTunnel } from './tunnel.js'

/** Opens tunnels through which nothing moves, and holds them until it is told to end. */
export function runIdle ({ route, tunnels }, waitForGo) {
  waitForGo()
  const hold = Buffer.from('hold\n')
  const fds = Array.from({ length: tunnels }, () => {
    const fd = openTunnel(route)
    send(fd, hold)
    return fd
  })
  process.stdout.write('open\n')
  readSync(0, Buffer.alloc(16))
  for (const fd of fds) reset(fd)
  return { tunnels }
}
