import type { Libc } from '../../host/libc.ts'
import type { ByteCounts, Relay, RelayOptions, RelayOutcome } from '../ends.ts'
import { handOver } from './hand-over.ts'
import { readClock } from './tally.ts'
import { type RelayThread, startRelayThread } from './thread.ts'
import type { LoopTunnel } from './tunnel-loop.ts'

export interface SpliceRelaysOptions {
  readonly libc: Libc
  readonly threads: number
  /** Most tunnels at once, over all threads. */
  readonly maxTunnels: number
  /** A thread that dies younger is not replaced: it would do so again and again. */
  readonly shortestLifeMs?: number
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

// fs.pipe-user-pages-soft is 16,384 pages for an unprivileged user, all threads together.
const maxPipeBytes = 64 * 1024 * 1024
const defaultShortestLifeMs = 10_000
// Manifests and tokens are copied, layers are spliced.
const spliceAfterBytes = 128 * 1024

/** Starts the threads. */
export function startSpliceRelays (options: SpliceRelaysOptions): SpliceRelays {
  const { libc, threads, maxTunnels, shortestLifeMs = defaultShortestLifeMs, onThreadDeath } = options
  const running = new Set<RelayThread>()
  let threadsDied = 0
  let isClosing = false

  function startThread (): void {
    const startedAt = readClock()
    const thread = startRelayThread({
      libc,
      slots: maxTunnels,
      maxPipeBytes: Math.floor(maxPipeBytes / threads),
      spliceAfterBytes,
      onDeath (cause) {
        running.delete(thread)
        if (isClosing) return
        threadsDied++
        // Without threads, bytes go through streams.
        const isReplaced = readClock() - startedAt > shortestLifeMs
        if (isReplaced) startThread()
        onThreadDeath(cause, isReplaced)
      },
    })
    running.add(thread)
  }

  for (let count = 0; count < threads; count++) startThread()

  function leastLoaded (): RelayThread | undefined {
    let least: RelayThread | undefined
    for (const thread of running) {
      if (thread.hasRoom && (least === undefined || thread.load < least.load)) least = thread
    }
    return least
  }

  return {
    start ({ client, upstream, early, idleTimeoutMs }) {
      const thread = leastLoaded()
      const taken = thread === undefined ? undefined : handOver(libc, client, upstream)
      if (thread === undefined || taken === undefined) return undefined
      return new ThreadRelay(thread, {
        clientFd: taken.client.fd,
        upstreamFd: taken.upstream.fd,
        fromClient: join(early, taken.client.buffered),
        fromUpstream: taken.upstream.buffered,
        idleTimeoutMs,
      })
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

/**
 * A relay as the main thread sees it, small because there may be thousands that do nothing. Reads the tally while the
 * tunnel runs, and keeps its last numbers: its place there is given away when it ends.
 */
class ThreadRelay implements Relay, ByteCounts {
  readonly ended: Promise<RelayOutcome>
  readonly #thread: RelayThread
  readonly #slot: number
  #isOver = false
  #fromClient = 0
  #fromUpstream = 0
  #lastByteAt = 0

  constructor (thread: RelayThread, tunnel: Omit<LoopTunnel, 'slot'>) {
    let resolveEnded: (outcome: RelayOutcome) => void
    this.ended = new Promise((resolve) => { resolveEnded = resolve })
    this.#thread = thread
    this.#slot = thread.add(tunnel, (outcome) => {
      this.#fromClient = this.fromClient
      this.#fromUpstream = this.fromUpstream
      this.#lastByteAt = thread.tally.lastByteAt(this.#slot)
      this.#isOver = true
      resolveEnded(outcome)
    })
  }

  get bytes (): ByteCounts { return this }

  get fromClient (): number {
    return this.#isOver ? this.#fromClient : this.#thread.tally.bytesFromClient(this.#slot)
  }

  get fromUpstream (): number {
    return this.#isOver ? this.#fromUpstream : this.#thread.tally.bytesFromUpstream(this.#slot)
  }

  idleMs (): number {
    return readClock() - (this.#isOver ? this.#lastByteAt : this.#thread.tally.lastByteAt(this.#slot))
  }

  stop (): void {
    if (!this.#isOver) this.#thread.stop(this.#slot)
  }
}

function sumOf (threads: Iterable<RelayThread>, read: (thread: RelayThread) => number): number {
  let sum = 0
  for (const thread of threads) sum += read(thread)
  return sum
}

function join (early: Buffer, buffered: Buffer | undefined): Buffer | undefined {
  if (buffered === undefined) return early.length === 0 ? undefined : early
  return early.length === 0 ? buffered : Buffer.concat([early, buffered])
}
