import type { Libc } from '../../host/libc.ts'
import { largePipeBytes } from './pipe-pool.ts'

/** How fast a flow has been of late. */
export interface Pace {
  /** Bytes read when its socket was last found empty, and when that was. */
  bytesAtEmpty: number
  emptyAt: number
  /** How many times in a row a great deal had come before it was empty. */
  fullTurns: number
}

/** What of a flow its threshold depends on. */
export interface PacedFlow {
  readonly from: { readonly fd: number, readonly readable: boolean }
  readonly bytes: number
  readonly isDone: boolean
  readonly pace: Pace
}

/**
 * Keeps a fast flow from waking the thread for every few packets: its socket tells only when a good deal has come
 * (SO_RCVLOWAT). A threshold that is not reached within a millisecond is given up, so the last block of an answer on a
 * connection that stays open waits for so long, once. FIN and resets are told at once, whatever the threshold.
 */
export interface ReadThresholds<Flow extends PacedFlow> {
  /** A flow has had its turn; `isAlone`: no other had one. Several keep the thread busy without any waiting. */
  note (flow: Flow, now: number, isAlone: boolean): void
  /** The flows that have waited too long; their thresholds are gone, and they are to be read whatever there is. */
  takeOverdue (now: number): readonly Flow[]
  /** When there may be such flows; Infinity without any. */
  readonly nextCheckAt: number
  /** A flow has ended. */
  forget (flow: Flow): void
}

// As much as a pipe takes at once. CPU per GB of one flow on loopback, beside a splice loop in C in the same run: 1.16
// without a threshold, 1.14 with 256 KiB, 1.10 with 512 KiB, 1.06 with 1 MiB.
const thresholdBytes = largePipeBytes
const fullTurnsToRaise = 3
const patienceMs = 1

/** The pace of a flow that has not begun. */
export function createPace (): Pace {
  return { bytesAtEmpty: 0, emptyAt: 0, fullTurns: 0 }
}

/** No flow has a threshold yet. */
export function createReadThresholds<Flow extends PacedFlow> (libc: Libc): ReadThresholds<Flow> {
  const raised = new Set<Flow>()
  let nextCheckAt = Infinity

  function raise (flow: Flow): void {
    libc.setReadThreshold(flow.from.fd, thresholdBytes)
    raised.add(flow)
  }

  function lower (flow: Flow): void {
    raised.delete(flow)
    flow.pace.fullTurns = 0
    libc.setReadThreshold(flow.from.fd, 1)
  }

  return {
    note (flow, now, isAlone) {
      const { pace, bytes } = flow
      const moved = bytes - pace.bytesAtEmpty
      if (flow.from.readable || flow.isDone || moved === 0) return
      pace.bytesAtEmpty = bytes
      pace.emptyAt = now
      const isFull = moved >= thresholdBytes
      if (raised.has(flow)) {
        if (!isFull) lower(flow)
      } else {
        pace.fullTurns = isFull && isAlone ? pace.fullTurns + 1 : 0
        if (pace.fullTurns >= fullTurnsToRaise) raise(flow)
      }
      if (raised.size > 0) nextCheckAt = Math.min(nextCheckAt, now + patienceMs)
    },

    takeOverdue (now) {
      const overdue: Flow[] = []
      nextCheckAt = Infinity
      for (const flow of raised) {
        if (flow.from.readable) continue
        const dueAt = flow.pace.emptyAt + patienceMs
        if (dueAt <= now) overdue.push(flow)
        else nextCheckAt = Math.min(nextCheckAt, dueAt)
      }
      for (const flow of overdue) lower(flow)
      return overdue
    },

    get nextCheckAt () { return nextCheckAt },
    forget: (flow) => { raised.delete(flow) },
  }
}
