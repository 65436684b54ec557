import { createPoll, epoll, receive, reset, send } from './sockets.js'
import { summarize } from './summary.js'
import { beginTunnel, connectRequest, isOpened } from './tunnel.js'

/**
 * Connects, asks for a tunnel, waits for the 200 and closes; with a `hello` in the route, sends that and waits for its
 * answer before. With `clients`, so many at once, each beginning again when it is done (closed loop); with `rate`, so
 * many a second whatever the answers do (open loop), timed from when each was due, so that a proxy that stalls is
 * charged for those it kept waiting. `targets` are asked for in turn, in place of the route's own. Times are in
 * milliseconds.
 */
export function runSetups ({ route, targets, clients, rate, count, mayRefuse = false }, waitForGo) {
  const requests = (targets ?? [route.target]).map(connectRequest)
  const hello = route.hello === undefined ? undefined : Buffer.from(route.hello, 'hex')
  const answer = Buffer.alloc(4096)
  const poll = createPoll()
  const times = new Float64Array(count)
  const underway = new Map()
  let begun = 0
  let done = 0
  let refused = 0
  waitForGo()
  const startedAt = performance.now()

  function begin (dueAt) {
    const fd = beginTunnel(route)
    underway.set(fd, { isOpen: false, dueAt, request: requests[begun++ % requests.length] })
    poll.add(fd, epoll.out)
  }

  function proceed (fd, bits) {
    if ((bits & epoll.out) !== 0) {
      send(fd, underway.get(fd).request)
      poll.modify(fd, epoll.in)
      return
    }
    const length = receive(fd, answer)
    if (length === -1) return
    if (length <= 0) throw new Error('the proxy closed a connection, or did not accept it')
    const setup = underway.get(fd)
    if (!setup.isOpen && !isOpened(answer)) {
      if (!mayRefuse) throw new Error(`refused: ${answer.toString('latin1', 0, length)}`)
      refused++
    } else if (!setup.isOpen && hello !== undefined) {
      setup.isOpen = true
      send(fd, hello)
      return
    }
    const now = performance.now()
    times[done++] = now - setup.dueAt
    underway.delete(fd)
    reset(fd)
    if (clients !== undefined && begun < count) begin(performance.now())
  }

  if (clients !== undefined) for (let index = 0; index < clients; index++) begin(performance.now())
  while (done < count) {
    let timeoutMs = 30_000
    if (rate !== undefined) {
      const now = performance.now()
      const due = Math.min(count, Math.floor((now - startedAt) * rate / 1000) + 1)
      while (begun < due) begin(startedAt + begun * 1000 / rate)
      // A wait in whole milliseconds would begin them late: this spins through the last one.
      if (begun < count) timeoutMs = Math.floor(startedAt + begun * 1000 / rate - performance.now())
    }
    poll.wait(Math.max(0, timeoutMs), proceed)
  }
  const seconds = (performance.now() - startedAt) / 1000
  return { ...summarize(times), perSecond: count / seconds, refused }
}
