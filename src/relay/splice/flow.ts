import { type Libc, errno } from '../../host/libc.ts'
import type { Pipe, PipePool } from './pipe-pool.ts'
import { type Pace, createPace } from './read-thresholds.ts'
import type { Tally } from './tally.ts'

/** A socket as the relay thread knows it. Readiness is edge-triggered: true until a call says otherwise. */
export interface FlowEnd {
  readonly fd: number
  readable: boolean
  writable: boolean
  /** Nothing more will come but what is queued, so a short read is no sign that the queue is empty. */
  hungUp: boolean
  /** Its FIN was seen, before any failure. */
  sentFin: boolean
  /**
   * The last splice(2) to it took less than it was given. It may have met a failure behind the first bytes, which it
   * then takes away: the next call knows only that there is nobody (EPIPE).
   */
  mayHideFailure: boolean
}

/** One direction of a tunnel. */
export interface Flow {
  /** Where its bytes are told: the tunnel's place in the tally, and 0 for what the client sends, 1 for the upstream. */
  readonly slot: number
  readonly side: 0 | 1
  readonly from: FlowEnd
  readonly to: FlowEnd
  /** Bytes read from `from`, whether or not they have reached `to`. */
  bytes: number
  /** Copied bytes that `to` has not taken yet. */
  backlog: Uint8Array | undefined
  /** Lent while `inPipe` is not 0. */
  pipe: Pipe | undefined
  inPipe: number
  /** `from` has sent FIN. */
  hasEnded: boolean
  /** `to` has gone: what `from` still sends is thrown away. */
  isDiscarding: boolean
  /** FIN has been passed on, or there is nobody to pass it on to. */
  isDone: boolean
  readonly pace: Pace
}

/** What pumping needs besides the flow. */
export interface FlowTools {
  readonly libc: Libc
  readonly pipes: PipePool
  readonly tally: Tally
  /** Where copied bytes pass through; what is left of it is a backlog of its own. */
  readonly scratch: Uint8Array
  /** Bytes after which a flow is taken for bulk and spliced. */
  readonly spliceAfterBytes: number
  /** When this turn began, by the tally's clock. */
  now: number
}

/** Why pumping stopped. */
export type Pumped =
  /** It waits for a socket, or is done. */
  | 'settled'
  /** Its turn is over; there is more to do. */
  | 'more'
  /** An end has failed; the errno is in `failure`. */
  | 'failed'

/** The last failure, for the one who asked; not allocated, since a reset may come with each of thousands of tunnels. */
export const failure = { errno: 0, isSource: false }

// How often a flow may be read before the others get their turn: 8 MiB at most, a few milliseconds.
const maxReads = 8

/** A flow that nothing has been read for yet; `backlog` holds what was read before there was a flow. */
export function createFlow (
  slot: number, side: 0 | 1, from: FlowEnd, to: FlowEnd, backlog: Uint8Array | undefined,
): Flow {
  return {
    slot,
    side,
    from,
    to,
    bytes: backlog?.length ?? 0,
    backlog,
    pipe: undefined,
    inPipe: 0,
    hasEnded: false,
    isDiscarding: false,
    isDone: false,
    pace: createPace(),
  }
}

/** Counts bytes that have been read, before they go out: nobody is to have what is not counted yet. */
function count (flow: Flow, bytes: number, { tally, now }: FlowTools): void {
  flow.bytes += bytes
  tally.setBytes(flow.slot, flow.side, flow.bytes)
  tally.setLastByteAt(flow.slot, now)
}

/**
 * Moves what can be moved now, out before in: nothing is read while something waits to be written. FIN is passed on
 * when all that came before it has been taken.
 *
 * Out goes until it is out, or an error says that it cannot: splice(2) takes a socket's ECONNRESET away when it meets
 * it behind the first bytes, and returns those. A read of that socket would then say FIN.
 */
export function pumpFlow (flow: Flow, tools: FlowTools): Pumped {
  for (let reads = 0; ;) {
    if (!isEmpty(flow)) {
      if (!flow.to.writable) return 'settled'
      const written = flow.inPipe > 0 ? spliceOut(flow, tools) : writeBacklog(flow, tools)
      if (written < 0) return 'failed'
      continue
    }
    if (flow.hasEnded) {
      passEnd(flow, tools)
      return 'settled'
    }
    if (!flow.from.readable) return 'settled'
    if (reads++ === maxReads) return 'more'
    const read = flow.isDiscarding ? discard(flow, tools) : readIn(flow, tools)
    if (read < 0) return 'failed'
  }
}

/** Lets go of what the flow holds; bytes in it are gone. */
export function emptyFlow (flow: Flow, { pipes }: FlowTools): void {
  flow.backlog = undefined
  if (flow.pipe !== undefined) pipes.scrap(flow.pipe)
  flow.pipe = undefined
  flow.inPipe = 0
}

function isEmpty ({ backlog, inPipe }: Flow): boolean {
  return backlog === undefined && inPipe === 0
}

function passEnd (flow: Flow, { libc }: FlowTools): void {
  // Fails only if the peer has gone, which its own direction will tell.
  if (!flow.isDiscarding) libc.shutdownWrite(flow.to.fd)
  flow.isDone = true
}

function readIn (flow: Flow, tools: FlowTools): number {
  if (flow.bytes >= tools.spliceAfterBytes) {
    flow.pipe = tools.pipes.take()
    if (flow.pipe !== undefined) return spliceIn(flow, flow.pipe, tools)
  }
  return copyThrough(flow, tools)
}

/** Into an empty pipe, so that EAGAIN can only mean an empty socket. */
function spliceIn (flow: Flow, pipe: Pipe, tools: FlowTools): number {
  const { libc, pipes } = tools
  const moved = libc.splice(flow.from.fd, pipe.writeFd, pipe.bytes)
  if (moved > 0) {
    flow.inPipe = moved
    count(flow, moved, tools)
    return moved
  }
  flow.pipe = undefined
  pipes.give(pipe)
  return noteEmpty(flow, moved)
}

function spliceOut (flow: Flow, { libc, pipes, tally, now }: FlowTools): number {
  const { pipe, to } = flow
  if (pipe === undefined) return 0
  const moved = libc.splice(pipe.readFd, to.fd, flow.inPipe)
  to.mayHideFailure = moved >= 0 ? moved < flow.inPipe : to.mayHideFailure && moved === -errno.EPIPE
  if (moved < 0) return noteFull(to, moved)
  tally.setLastByteAt(flow.slot, now)
  flow.inPipe -= moved
  if (flow.inPipe === 0) {
    flow.pipe = undefined
    pipes.give(pipe)
  }
  return moved
}

/** Reads once, and writes at once what it can. */
function copyThrough (flow: Flow, tools: FlowTools): number {
  const { libc, scratch } = tools
  const { from, to } = flow
  const read = libc.read(from.fd, scratch, scratch.length)
  if (read <= 0) return noteEmpty(flow, read)
  count(flow, read, tools)
  // epoll(7): with edge-triggered events a short read of a stream says that it is empty, unless it has hung up.
  if (read < scratch.length && !from.hungUp) from.readable = false
  const written = to.writable ? libc.write(to.fd, scratch, read) : 0
  const taken = Math.max(0, written)
  if (taken < read) flow.backlog = scratch.slice(taken, read)
  return written < 0 ? noteFull(to, written) : read
}

function writeBacklog (flow: Flow, { libc, tally, now }: FlowTools): number {
  const { backlog, to } = flow
  if (backlog === undefined) return 0
  const written = libc.write(to.fd, backlog, backlog.length)
  if (written < 0) return noteFull(to, written)
  tally.setLastByteAt(flow.slot, now)
  flow.backlog = written < backlog.length ? backlog.subarray(written) : undefined
  return written
}

function discard (flow: Flow, { libc, scratch }: FlowTools): number {
  const read = libc.read(flow.from.fd, scratch, scratch.length)
  return read > 0 ? read : noteEmpty(flow, read)
}

/** What a reading call that brought nothing means: the end, an empty socket, or a failure, which it notes. */
function noteEmpty (flow: Flow, result: number): number {
  if (result === 0) {
    flow.hasEnded = true
    flow.from.sentFin = true
  }
  if (result === -errno.EAGAIN) flow.from.readable = false
  return noteFailure(result, true)
}

/** What a writing call that failed means: a full socket, or a failure, which it notes. */
function noteFull (to: FlowEnd, result: number): number {
  if (result === -errno.EAGAIN) to.writable = false
  return noteFailure(result, false)
}

/** Returns 0 for what is no failure, else the negative errno. */
function noteFailure (result: number, isSource: boolean): number {
  if (result >= 0 || result === -errno.EAGAIN || result === -errno.EINTR) return 0
  failure.errno = -result
  failure.isSource = isSource
  return result
}
