import { createHash } from 'node:crypto'
import { makeNoise } from './noise.js'
import { receive, reset, send } from './sockets.js'
import { openTunnel } from './tunnel.js'

/** Asks for noise and hashes what comes, and what should have come. */
export function runVerify ({ route, seed, bytes }, waitForGo) {
  // One word in the source's line.
  const word = createHash('sha256').update(seed).digest('hex').slice(0, 16)
  const fd = openTunnel(route)
  waitForGo()
  send(fd, Buffer.from(`noise ${word} ${bytes}\n`))
  const into = Buffer.alloc(1024 * 1024)
  const hash = createHash('sha256')
  let count = 0
  for (;;) {
    const length = receive(fd, into, { wait: true })
    if (length === -1) continue
    if (length < 0) throw new Error(`the tunnel failed after ${count} of ${bytes} bytes`)
    if (length === 0) break
    hash.update(into.subarray(0, length))
    count += length
  }
  reset(fd)
  const expected = createHash('sha256')
  for (const block of makeNoise(word, bytes)) expected.update(block)
  return { count, received: hash.digest('hex'), expected: expected.digest('hex') }
}
