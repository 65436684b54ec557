import { receive, reset, send } from './sockets.js'
import { summarize } from './summary.js'
import { openTunnel } from './tunnel.js'

const warmUp = 500

/** Sends one byte through a tunnel and waits for it to come back, again and again. */
export function runPingPong ({ route, rounds }, waitForGo) {
  const fd = openTunnel(route)
  const byte = Buffer.alloc(1)
  send(fd, Buffer.from('echo\n'))
  waitForGo()
  const times = new Float64Array(rounds)
  for (let round = -warmUp; round < rounds; round++) {
    const sentAt = process.hrtime.bigint()
    send(fd, byte)
    if (receive(fd, byte, { wait: true }) !== 1) throw new Error('the tunnel ended')
    if (round >= 0) times[round] = Number(process.hrtime.bigint() - sentAt) / 1000
  }
  reset(fd)
  return summarize(times)
}
