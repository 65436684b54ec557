/**
 * The body of a relay thread: turns the loop, and takes commands between turns. It never returns to Node's own event
 * loop before it is told to close; the main thread wakes it through the event descriptor.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { loadLibc } from '../../host/libc.ts'
import { createPipePool } from './pipe-pool.ts'
import { openTally } from './tally.ts'
import type { ThreadCommand, ThreadData, ThreadReport } from './thread.ts'
import { createTunnelLoop } from './tunnel-loop.ts'

const { eventFd, memory, maxPipeBytes, spliceAfterBytes } = workerData as ThreadData
const port = parentPort
const loaded = loadLibc()
if (port === null || !('libc' in loaded)) throw new Error('a relay thread needs its port and the C library')
const { libc } = loaded

/** What has ended in this turn; told in one message, for a message costs the main thread more than what it says. */
let ended: ThreadReport[] = []
const loop = createTunnelLoop({
  libc,
  pipes: createPipePool({ libc, maxBytes: maxPipeBytes }),
  tally: openTally(memory),
  eventFd,
  spliceAfterBytes,
  onEnded: (slot, outcome) => { ended.push({ slot, outcome }) },
})

function report (to: NonNullable<typeof port>): void {
  if (ended.length === 0) return
  to.postMessage(ended)
  ended = []
}

/** Carries out what has been asked for; returns whether to go on. */
function takeCommands (from: NonNullable<typeof port>): boolean {
  for (;;) {
    const received = receiveMessageOnPort(from) as { message: ThreadCommand } | undefined
    if (received === undefined) return true
    const { message } = received
    if (message.kind === 'close') return false
    if (message.kind === 'add') loop.add(message.tunnel)
    else loop.stop(message.slot)
  }
}

let isOpen = true
while (isOpen) {
  if (loop.turn()) isOpen = takeCommands(port)
  report(port)
}
loop.close()
report(port)
port.close()
