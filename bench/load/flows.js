import { createPoll, discard, epoll, reset, send } from './sockets.js'
import { openTunnel } from './tunnel.js'

/** Receives so many bytes over so many tunnels at once, and throws them away. */
export function runFlows ({ route, flows, bytes }, waitForGo) {
  const each = Math.floor(bytes / flows)
  const request = Buffer.from(`send ${each}\n`)
  const into = Buffer.alloc(1024 * 1024)
  const poll = createPoll()
  const left = new Map()
  for (let count = 0; count < flows; count++) {
    const fd = openTunnel(route)
    left.set(fd, each)
    poll.add(fd, epoll.in)
  }
  waitForGo()
  const startedAt = performance.now()
  for (const fd of left.keys()) send(fd, request)
  while (left.size > 0) {
    poll.wait(30_000, (fd) => {
      const length = discard(fd, into)
      if (length === -1) return
      const rest = (left.get(fd) ?? 0) - Math.max(0, length)
      left.set(fd, rest)
      if (length > 0) return
      if (length < 0 || rest !== 0) throw new Error(`a flow ended ${rest} bytes early`)
      left.delete(fd)
      reset(fd)
    })
  }
  return { seconds: (performance.now() - startedAt) / 1000, bytes: each * flows }
}
