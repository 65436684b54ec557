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
  /** A thread has died, with the tunnels it carried; another has taken its place. */
  readonly onThreadDeath: (cause: unknown) => void
}

/** Relays on threads of their own, whose bytes the kernel moves. */
export interface SpliceRelays {
  /** Starts a relay, or returns `undefined` when these two ends cannot be handed over; they are untouched then. */
  start (options: RelayOptions): Relay | undefined
  readonly pipesIdle: number
  readonly pipesLent: number
  close (): Promise<void>
}

// 256 KiB is within 3 % of 1 MiB, and a quarter of the memory that a stalled reader pins.
const pipeBytes = 256 * 1024
// fs.pipe-user-pages-soft is 16,384 pages for an unprivileged user, all threads together.
const maxPipeBytes = 64 * 1024 * 1024
// Manifests and tokens are copied, layers are spliced.
const spliceAfterBytes = 128 * 1024

/** Starts the threads. */
export function startSpliceRelays ({ libc, threads, maxTunnels, onThreadDeath }: SpliceRelaysOptions): SpliceRelays {
  const running: RelayThread[] = []
  let isClosing = false

  function startThread (index: number): void {
    running[index] = startRelayThread({
      libc,
      slots: maxTunnels,
      pipeBytes,
      maxPipeBytes: Math.floor(maxPipeBytes / threads),
      spliceAfterBytes,
      onDeath (cause) {
        if (isClosing) return
        startThread(index)
        onThreadDeath(cause)
      },
    })
  }

  for (let index = 0; index < threads; index++) startThread(index)

  function leastLoaded (): RelayThread | undefined {
    const open = running.filter(({ hasRoom }) => hasRoom)
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
    get pipesIdle () { return running.reduce((sum, { tally }) => sum + tally.pipesIdle, 0) },
    get pipesLent () { return running.reduce((sum, { tally }) => sum + tally.pipesLent, 0) },
    async close () {
      isClosing = true
      await Promise.all(running.map(async (thread) => { await thread.close() }))
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

/** Node closes its own descriptor a moment behind the hand-over; `socket.closed` says so too early. */
async function untilClosed (socket: Socket): Promise<void> {
  await new Promise((resolve) => { socket.once('close', resolve) })
}

function join (early: Buffer, buffered: Buffer | undefined): Buffer | undefined {
  if (buffered === undefined) return early.length === 0 ? undefined : early
  return early.length === 0 ? buffered : Buffer.concat([early, buffered])
}
