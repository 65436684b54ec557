import { once } from 'node:events'
import { connect } from 'node:net'
import { Worker } from 'node:worker_threads'
import type { Test } from 'tap'

/** A listening socket whose queue is full: the kernel drops what knocks, and a connection neither comes nor fails. */
export interface FullListener {
  readonly port: number
  /** Empties the queue and takes what knocks again; the kernel does so a second after it was dropped. */
  open (): void
}

// Listens, says where, and stands still until it is woken.
const program = `
  const { parentPort, workerData } = require('node:worker_threads')
  const server = require('node:net').createServer((socket) => socket.on('error', () => {}))
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port)
    Atomics.wait(new Int32Array(workerData), 0, 0)
  })
`
// Linux takes one more than the backlog says.
const queueLength = 2

/** Starts one; the test's end ends it. */
export async function startFullListener (t: Test): Promise<FullListener> {
  const gate = new SharedArrayBuffer(4)
  const worker = new Worker(program, { eval: true, workerData: gate, execArgv: [] })
  function open (): void {
    Atomics.store(new Int32Array(gate), 0, 1)
    Atomics.notify(new Int32Array(gate), 0)
  }
  t.teardown(async () => {
    open()
    await worker.terminate()
  })
  const [port] = await once(worker, 'message') as [number]
  for (let knock = 0; knock < queueLength; knock++) {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    t.teardown(() => socket.destroy())
    await once(socket, 'connect')
  }
  return { port, open }
}
