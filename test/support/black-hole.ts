import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { Worker } from 'node:worker_threads'
import type { Test } from 'tap'

const host = '127.0.0.1'

// With this backlog the kernel holds two connections that nobody accepts, and drops the SYN of any further one.
const backlog = 1
const heldConnections = backlog + 1

/** Listens, and then never looks up again. */
const sleeper = `
  const { parentPort } = require('node:worker_threads')
  const server = require('node:net').createServer()
  server.listen({ host: '${host}', port: 0, backlog: ${backlog} }, () => {
    parentPort.postMessage(server.address().port)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })
`

/** Resolves with a port of loopback that answers no attempt to connect at all, until the test's end. */
export async function startBlackHole (t: Test): Promise<number> {
  const worker = new Worker(sleeper, { eval: true })
  const held: Socket[] = []
  t.teardown(async () => {
    for (const socket of held) socket.destroy()
    await worker.terminate()
  })
  const [port] = await once(worker, 'message')
  while (held.length < heldConnections) {
    const socket = connect({ host, port })
    socket.on('error', () => {})
    held.push(socket)
    await once(socket, 'connect')
  }
  return port
}
