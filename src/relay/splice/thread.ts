import { Worker } from 'node:worker_threads'
import type { Libc } from '../../host/libc.ts'
import type { RelayOutcome } from '../ends.ts'
import { type Tally, createTally } from './tally.ts'
import type { LoopTunnel } from './tunnel-loop.ts'

/** What a thread is started with. */
export interface ThreadData {
  readonly eventFd: number
  readonly memory: SharedArrayBuffer
  readonly maxPipeBytes: number
  readonly spliceAfterBytes: number
}

/** What a thread is told. */
export type ThreadCommand =
  | { readonly kind: 'add', readonly tunnel: LoopTunnel }
  | { readonly kind: 'stop', readonly slot: number }
  | { readonly kind: 'close' }

/** What a thread tells, in lists: a tunnel has ended, and its descriptors are closed. */
export interface ThreadReport {
  readonly slot: number
  readonly outcome: RelayOutcome
}

export interface RelayThreadOptions {
  readonly libc: Libc
  /** Most tunnels at once. */
  readonly slots: number
  readonly maxPipeBytes: number
  readonly spliceAfterBytes: number
  /** The thread has died with its tunnels, which have all ended as `failed`; it must not be used any more. */
  readonly onDeath: (cause: unknown) => void
}

/** A thread that carries tunnels, from the main thread's side. */
export interface RelayThread {
  readonly tally: Tally
  /** Tunnels it carries now. */
  readonly load: number
  /** Whether another tunnel fits. */
  readonly hasRoom: boolean
  /**
   * Hands over both descriptors; returns the tunnel's place in the tally, which is its own until `onEnded` has been
   * called.
   */
  add (tunnel: Omit<LoopTunnel, 'slot'>, onEnded: (outcome: RelayOutcome) => void): number
  stop (slot: number): void
  /** Resets what it carries; resolves when the thread is gone. */
  close (): Promise<void>
}

/** Starts a thread; what is handed to it before it is up waits for it. */
export function startRelayThread (options: RelayThreadOptions): RelayThread {
  const { libc, slots, onDeath } = options
  const tally = createTally(slots)
  const eventFd = libc.createEvent()
  const data: ThreadData = {
    eventFd,
    memory: tally.memory,
    maxPipeBytes: options.maxPipeBytes,
    spliceAfterBytes: options.spliceAfterBytes,
  }
  const worker = new Worker(workerFile(), { workerData: data, resourceLimits })
  worker.unref()
  /** By slot. */
  const carried: Array<Carried | undefined> = []
  const freeSlots = Array.from({ length: slots }, (_, index) => slots - 1 - index)
  let isOpen = true

  function command (message: ThreadCommand): void {
    worker.postMessage(message)
    libc.signalEvent(eventFd)
  }

  function finish (slot: number, outcome: RelayOutcome): void {
    const tunnel = carried[slot]
    if (tunnel === undefined) return
    carried[slot] = undefined
    tunnel.onEnded(outcome)
    freeSlots.push(slot)
  }

  /** The thread is gone; what it had not closed is closed here, as a reset. */
  function bury (): void {
    isOpen = false
    for (const [slot, tunnel] of carried.entries()) {
      for (const fd of tally.isOpen(slot) ? tunnel?.fds ?? [] : []) {
        libc.lingerNone(fd)
        libc.close(fd)
      }
      finish(slot, 'failed')
    }
    libc.close(eventFd)
  }

  worker.on('message', (reports: readonly ThreadReport[]) => {
    for (const { slot, outcome } of reports) finish(slot, outcome)
  })
  let cause: unknown
  worker.on('error', (error) => { cause = error })
  const gone = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      const wasOpen = isOpen
      bury()
      resolve()
      if (wasOpen) onDeath(cause)
    })
  })

  return {
    tally,
    get load () { return slots - freeSlots.length },
    get hasRoom () { return isOpen && freeSlots.length > 0 },
    add (tunnel, onEnded) {
      const slot = freeSlots.pop()
      if (slot === undefined) throw new RangeError('the relay thread is full')
      tally.begin(slot, tunnel.fromClient?.length ?? 0, tunnel.fromUpstream?.length ?? 0)
      carried[slot] = { fds: [tunnel.clientFd, tunnel.upstreamFd], onEnded }
      command({ kind: 'add', tunnel: { ...tunnel, slot } })
      return slot
    },
    stop: (slot) => command({ kind: 'stop', slot }),
    async close () {
      if (isOpen) command({ kind: 'close' })
      isOpen = false
      // Nothing else need keep the process until the thread has reset what it carries.
      worker.ref()
      await gone
    },
  }
}

interface Carried {
  readonly fds: readonly number[]
  readonly onEnded: (outcome: RelayOutcome) => void
}

// The thread keeps a few hundred bytes a tunnel, and makes hardly any garbage.
const resourceLimits = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 128 }

/** Beside this file, whether it runs compiled or as it was written. */
function workerFile (): URL {
  return new URL(import.meta.url.replace(/thread(\.[jt]s)$/, 'worker$1'))
}
