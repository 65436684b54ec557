import type { Socket } from 'node:net'
import type { Libc } from '../../host/libc.ts'
import type { Relay, RelayOptions, RelayOutcome } from '../ends.ts'
import { handOver } from './hand-over.ts'
import { readClock } from './tally.ts'
import { type RelayThread, startRelayThread } from './thread.ts'
import type { LoopTunnel } from './tunnel-loop.ts'

export interface SpliceRelaysOptions {
  readonly libc: Libc
  readonly threads: number
  /** Most tunnels at once, over all threads. */
  readonly maxTunnels: number
  /** A thread has died, with the tunnels it carried; says whether another has taken its place. */
  readonly onThreadDeath: (cause: unknown, isReplaced: boolean) => void
}

/** Relays on threads of their own, whose bytes the kernel moves. */
export interface SpliceRelays {
  /** Starts a relay, or returns `undefined` when these two ends cannot be handed over; they are untouched then. */
  start (options: RelayOptions): Relay | undefined
  readonly pipesIdle: number
  readonly pipesLent: number
  readonly threadsRunning: number
  readonly threadsDied: number
  close (): Promise<void>
}

// 256 KiB is within 3 % of 1 MiB, and a quarter of the memory that a stalled reader pins.
const pipeBytes = 256 * 1024
// fs.pipe-user-pages-soft is 16,384 pages for an unprivileged user, all threads together.
const maxPipeBytes = 64 * 1024 * 1024
const shortestLifeMs = 10_000
// Manifests and tokens are copied, layers are spliced.
const spliceAfterBytes = 128 * 1024

/** Starts the threads. */
export function startSpliceRelays ({ libc, threads, maxTunnels, onThreadDeath }: SpliceRelaysOptions): SpliceRelays {
  const running = new Set<RelayThread>()
  let threadsDied = 0
  let isClosing = false

  function startThread (): void {
    const startedAt = readClock()
    const thread = startRelayThread({
      libc,
      slots: maxTunnels,
      pipeBytes,
      maxPipeBytes: Math.floor(maxPipeBytes / threads),
      spliceAfterBytes,
      onDeath (cause) {
        running.delete(thread)
        if (isClosing) return
        threadsDied++
        // One that dies at birth would do so again and again; without threads, bytes go through streams.
        const isReplaced = readClock() - startedAt > shortestLifeMs
        if (isReplaced) startThread()
        onThreadDeath(cause, isReplaced)
      },
    })
    running.add(thread)
  }

  for (let count = 0; count < threads; count++) startThread()

  function leastLoaded (): RelayThread | undefined {
    const open = [...running].filter(({ hasRoom }) => hasRoom)
    return open.sort((a, b) => a.load - b.load)[0]
  }

  return {
    start ({ client, upstream, early, idleTimeoutMs }) {
      const thread = leastLoaded()
      const taken = thread === undefined ? undefined : handOver(libc, client, upstream)
      if (thread === undefined || taken === undefined) return undefined
      const relay = carry(thread, {
        clientFd: taken.client.fd,
        upstreamFd: taken.upstream.fd,
        fromClient: join(early, taken.client.buffered),
        fromUpstream: taken.upstream.buffered,
        idleTimeoutMs,
      })
      const closed = [relay.ended, untilClosed(client.socket), untilClosed(upstream.socket)] as const
      return { ...relay, ended: Promise.all(closed).then(([outcome]) => outcome) }
    },
    get pipesIdle () { return sumOf(running, ({ tally }) => tally.pipesIdle) },
    get pipesLent () { return sumOf(running, ({ tally }) => tally.pipesLent) },
    get threadsRunning () { return running.size },
    get threadsDied () { return threadsDied },
    async close () {
      isClosing = true
      await Promise.all([...running].map(async (thread) => { await thread.close() }))
    },
  }
}

/** Reads the tally while the tunnel runs, and keeps its last numbers: its place there is given away when it ends. */
function carry (thread: RelayThread, tunnel: Omit<LoopTunnel, 'slot'>): Relay {
  const { tally } = thread
  let last: { fromClient: number, fromUpstream: number, at: number } | undefined
  let resolveEnded: (outcome: RelayOutcome) => void
  const ended = new Promise<RelayOutcome>((resolve) => { resolveEnded = resolve })
  const slot = thread.add(tunnel, (outcome) => {
    last = {
      fromClient: tally.bytesFromClient(slot),
      fromUpstream: tally.bytesFromUpstream(slot),
      at: tally.lastByteAt(slot),
    }
    resolveEnded(outcome)
  })
  return {
    bytes: {
      get fromClient () { return last?.fromClient ?? tally.bytesFromClient(slot) },
      get fromUpstream () { return last?.fromUpstream ?? tally.bytesFromUpstream(slot) },
    },
    idleMs: () => readClock() - (last?.at ?? tally.lastByteAt(slot)),
    ended,
    stop () {
      if (last === undefined) thread.stop(slot)
    },
  }
}

function sumOf (threads: Iterable<RelayThread>, read: (thread: RelayThread) => number): number {
  let sum = 0
  for (const thread of threads) sum += read(thread)
  return sum
}

/** Node closes its own descriptor a moment behind the hand-over; `socket.closed` says so too early. */
async function untilClosed (socket: Socket): Promise<void> {
  await new Promise((resolve) => { socket.once('close', resolve) })
}

function join (early: Buffer, buffered: Buffer | undefined): Buffer | undefined {
  if (buffered === undefined) return early.length === 0 ? undefined : early
  return early.length === 0 ? buffered : Buffer.concat([early, buffered])
}
