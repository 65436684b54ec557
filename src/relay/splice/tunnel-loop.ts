import { type Libc, createEpollEvents, epoll, errno } from '../../host/libc.ts'
import type { RelayOutcome } from '../ends.ts'
import { type Flow, type FlowEnd, type FlowTools, createFlow, emptyFlow, failure, pumpFlow } from './flow.ts'
import type { PipePool } from './pipe-pool.ts'
import { createReadThresholds } from './read-thresholds.ts'
import { type Tally, readClock } from './tally.ts'

/** A tunnel to carry. The loop owns both descriptors from here on. */
export interface LoopTunnel {
  /** Its place in the tally, free since the last tunnel there has ended. */
  readonly slot: number
  readonly clientFd: number
  readonly upstreamFd: number
  /** What was read of either end before, and goes out first. */
  readonly fromClient: Uint8Array | undefined
  readonly fromUpstream: Uint8Array | undefined
  readonly idleTimeoutMs: number
}

export interface TunnelLoopOptions {
  readonly libc: Libc
  readonly pipes: PipePool
  readonly tally: Tally
  /** A descriptor that becomes readable when there are commands. */
  readonly eventFd: number
  readonly spliceAfterBytes: number
  /** Called after the tunnel's descriptors are closed and its last bytes are in the tally. */
  readonly onEnded: (slot: number, outcome: RelayOutcome) => void
}

/** Carries the tunnels of one thread. */
export interface TunnelLoop {
  add (tunnel: LoopTunnel): void
  /** Resets both ends of a tunnel, if it is still there. */
  stop (slot: number): void
  /**
   * Waits for something to happen, for a second at most, and does what there is to do. Returns whether the event
   * descriptor was signalled.
   */
  turn (): boolean
  /** Resets every tunnel, and frees what the loop made. */
  close (): void
}

interface CarriedTunnel {
  readonly slot: number
  readonly client: FlowEnd
  readonly upstream: FlowEnd
  readonly fromClient: Flow
  readonly fromUpstream: Flow
  readonly idleTimeoutMs: number
  /** When a tunnel that is only being emptied is cut off; Infinity until then. */
  cutAt: number
  /** What it will have ended as, once an end has failed. */
  outcome: RelayOutcome | undefined
  isQueued: boolean
}

// A thread that is blocked in a call cannot be stopped from outside, so it comes up for air.
const maxWaitMs = 1000
const eventsPerWait = 256
const scratchBytes = 64 * 1024
// How long an end may go on sending to nobody, so that what it is still owed is not cut off by an early reset.
const lingerMs = 10_000
const eventTag = 0xffffffff

function createEnd (fd: number): FlowEnd {
  return { fd, readable: true, writable: true, hungUp: false, sentFin: false, mayHideFailure: false }
}

/** An empty loop with an epoll of its own. */
export function createTunnelLoop (options: TunnelLoopOptions): TunnelLoop {
  const { libc, pipes, tally, eventFd, onEnded } = options
  const tools: FlowTools = {
    libc,
    pipes,
    tally,
    scratch: new Uint8Array(scratchBytes),
    spliceAfterBytes: options.spliceAfterBytes,
    now: readClock(),
  }
  const thresholds = createReadThresholds<Flow>(libc)
  /** By slot; slots are given out from the lowest. */
  const tunnels: Array<CarriedTunnel | undefined> = []
  let carried = 0
  const events = createEpollEvents(eventsPerWait)
  const epollFd = libc.createEpoll()
  libc.watch(epollFd, eventFd, eventTag)
  /** Tunnels to which something has happened, and tunnels whose last turn was over before they were done. */
  let woken: CarriedTunnel[] = []
  const unfinished: CarriedTunnel[] = []
  let nextCheckAt = Infinity
  /** Whether only one tunnel has its turn. */
  let isAlone = false

  function enqueue (tunnel: CarriedTunnel, queue = woken): void {
    if (tunnel.isQueued) return
    tunnel.isQueued = true
    queue.push(tunnel)
  }

  /** Takes note of an event; returns whether it was the event descriptor's. */
  function note (bits: number, tag: number): boolean {
    if (tag === eventTag) {
      libc.drainEvent(eventFd)
      return true
    }
    const tunnel = tunnels[tag >>> 1]
    if (tunnel === undefined) return false
    const end = (tag & 1) === 0 ? tunnel.client : tunnel.upstream
    const isOver = (bits & (epoll.error | epoll.hangUp)) !== 0
    // An error shows itself to whichever call comes first.
    if (isOver || (bits & epoll.out) !== 0) end.writable = true
    if (isOver || (bits & (epoll.in | epoll.readHangUp)) !== 0) end.readable = true
    if (isOver || (bits & epoll.readHangUp) !== 0) end.hungUp = true
    if (!isOver && (bits & epoll.readHangUp) !== 0) end.sentFin = true
    enqueue(tunnel)
    return false
  }

  /** Gives a tunnel its turn in both directions. */
  function visit (tunnel: CarriedTunnel): void {
    tunnel.isQueued = false
    const { fromClient, fromUpstream } = tunnel
    if (!pump(tunnel, fromClient) || !pump(tunnel, fromUpstream)) return
    if (fromClient.isDone && fromUpstream.isDone) end(tunnel, tunnel.outcome ?? 'closed', false)
  }

  /** Gives one direction its turn; returns whether the tunnel goes on. */
  function pump (tunnel: CarriedTunnel, flow: Flow): boolean {
    if (flow.isDone) return true
    const pumped = pumpFlow(flow, tools)
    thresholds.note(flow, tools.now, isAlone)
    if (pumped === 'more') enqueue(tunnel, unfinished)
    return pumped !== 'failed' || survives(tunnel, flow)
  }

  /**
   * Sees to a failed end; returns whether the tunnel goes on. EPIPE from a peer that had sent FIN before it went: all
   * it had to say will be read. What the other end still sends is for nobody, but what it is owed must reach it.
   *
   * The kernel says EPIPE of a reset behind a FIN, and ECONNRESET of one without (tcp_reset in net/ipv4/tcp_input.c),
   * also when both came between two turns, so that the FIN was not seen. But EPIPE is also what splice(2) leaves of
   * any failure that it has taken away.
   */
  function survives (tunnel: CarriedTunnel, flow: Flow): boolean {
    const failedEnd = failure.isSource ? flow.from : flow.to
    const outcome = failedEnd === tunnel.client ? 'client_reset' : 'upstream_reset'
    const hadFinished = !failure.isSource && failure.errno === errno.EPIPE &&
      (failedEnd.sentFin || !failedEnd.mayHideFailure)
    if (!hadFinished || tunnel.outcome !== undefined) {
      end(tunnel, tunnel.outcome ?? outcome, true)
      return false
    }
    emptyFlow(flow, tools)
    flow.isDiscarding = true
    flow.to.readable = true
    flow.to.hungUp = true
    tunnel.outcome = outcome
    tunnel.cutAt = tools.now + lingerMs
    nextCheckAt = Math.min(nextCheckAt, tunnel.cutAt)
    enqueue(tunnel)
    return true
  }

  function end (tunnel: CarriedTunnel, outcome: RelayOutcome, isReset: boolean): void {
    for (const flow of [tunnel.fromClient, tunnel.fromUpstream]) {
      thresholds.forget(flow)
      emptyFlow(flow, tools)
    }
    tally.setClosed(tunnel.slot)
    for (const { fd } of [tunnel.client, tunnel.upstream]) {
      if (isReset) libc.lingerNone(fd)
      libc.close(fd)
    }
    tunnels[tunnel.slot] = undefined
    if (--carried === 0) pipes.trim()
    // A tunnel that is still queued is skipped there.
    tunnel.isQueued = true
    onEnded(tunnel.slot, outcome)
  }

  /** Milliseconds that there is nothing to do by the clock, a second at most. */
  function untilNextCheck (): number {
    const until = Math.ceil(Math.min(nextCheckAt, thresholds.nextCheckAt) - readClock())
    return Math.min(maxWaitMs, Math.max(0, until))
  }

  /** A tunnel may have ended since it was put into a queue. */
  function visitIfCarried (tunnel: CarriedTunnel): void {
    if (tunnels[tunnel.slot] === tunnel) visit(tunnel)
  }

  /** Reads what there is of flows that were to bring more and did not. */
  function readOverdue (): void {
    for (const flow of thresholds.takeOverdue(tools.now)) {
      flow.from.readable = true
      const tunnel = tunnels[flow.slot]
      if (tunnel !== undefined) enqueue(tunnel)
    }
  }

  /** Ends what has been idle, or emptied, for too long; says when to look again. */
  function checkTimes (): void {
    nextCheckAt = Infinity
    for (const tunnel of tunnels) {
      if (tunnel === undefined) continue
      const idleAt = tally.lastByteAt(tunnel.slot) + tunnel.idleTimeoutMs
      if (tunnel.cutAt <= tools.now) end(tunnel, tunnel.outcome ?? 'stopped', true)
      else if (idleAt <= tools.now) end(tunnel, 'idle', true)
      else nextCheckAt = Math.min(nextCheckAt, idleAt, tunnel.cutAt)
    }
  }

  return {
    add ({ slot, clientFd, upstreamFd, fromClient, fromUpstream, idleTimeoutMs }) {
      const client = createEnd(clientFd)
      const upstream = createEnd(upstreamFd)
      const tunnel: CarriedTunnel = {
        slot,
        client,
        upstream,
        fromClient: createFlow(slot, 0, client, upstream, fromClient),
        fromUpstream: createFlow(slot, 1, upstream, client, fromUpstream),
        idleTimeoutMs,
        cutAt: Infinity,
        outcome: undefined,
        isQueued: false,
      }
      tunnels[slot] = tunnel
      carried++
      libc.watch(epollFd, clientFd, slot * 2)
      libc.watch(epollFd, upstreamFd, slot * 2 + 1)
      nextCheckAt = Math.min(nextCheckAt, tally.lastByteAt(slot) + idleTimeoutMs)
      enqueue(tunnel)
    },

    stop (slot) {
      const tunnel = tunnels[slot]
      if (tunnel !== undefined) end(tunnel, 'stopped', true)
    },

    turn () {
      const isBusy = woken.length > 0 || unfinished.length > 0
      const count = libc.wait(epollFd, events, isBusy ? 0 : untilNextCheck())
      tools.now = readClock()
      let isSignalled = false
      for (let index = 0; index < count; index++) {
        if (note(events.bits(index), events.tag(index))) isSignalled = true
      }
      if (tools.now >= thresholds.nextCheckAt) readOverdue()
      // One of the busy ones, and then a look at who else has come: a small answer waits for one turn of bulk at most.
      const next = unfinished.shift()
      isAlone = woken.length + (next === undefined ? 0 : 1) === 1 && unfinished.length === 0
      const turns = woken
      woken = []
      for (const tunnel of turns) visitIfCarried(tunnel)
      if (next !== undefined) visitIfCarried(next)
      if (tools.now >= nextCheckAt) checkTimes()
      tally.writePipes(pipes.idle, pipes.lent)
      return isSignalled
    },

    close () {
      for (const tunnel of tunnels) if (tunnel !== undefined) end(tunnel, 'stopped', true)
      libc.close(epollFd)
      pipes.trim()
    },
  }
}
