import { connect, type Socket } from 'node:net'
import type { CutSignal } from '../net/cut-signal.ts'
import type { DialTarget, SlowTargets } from './slow-targets.ts'

/** How one attempt to connect ended; a closed list, and a metric label. */
export const attemptOutcomes = ['connected', 'refused', 'unreachable', 'timeout', 'exhausted', 'abandoned'] as const

export type AttemptOutcome = typeof attemptOutcomes[number]

/** An outcome of an attempt that failed by itself. */
export type FailedOutcome = Exclude<AttemptOutcome, 'connected' | 'abandoned'>

interface Failure {
  readonly outcome: FailedOutcome
  readonly cause: Error
}

/** No address could be connected to. */
export class DialError extends Error {
  override readonly name = 'DialError'
  readonly outcome: FailedOutcome

  constructor (outcome: FailedOutcome, cause?: Error) {
    super(`no address could be connected to: ${outcome}`, { cause })
    this.outcome = outcome
  }
}

export interface DialOptions<Target extends DialTarget> {
  /** In order of preference; at least one. */
  readonly targets: readonly Target[]
  /** Aborted when the time is up or the client has gone. */
  readonly signal: CutSignal
  /** What is known from earlier dials of targets that did not answer: they are tried last. */
  readonly slowTargets?: SlowTargets
  /** Milliseconds between the starts of two attempts. */
  readonly attemptDelayMs?: number
  /** Called once for each attempt that was started. */
  readonly onAttempt?: (outcome: AttemptOutcome) => void
}

/** A connection, and which of the targets it goes to. */
export interface Dialled<Target extends DialTarget> {
  readonly socket: Socket
  readonly target: Target
}

// RFC 8305 §5: 250 ms between attempts is recommended.
const defaultAttemptDelayMs = 250
// An answer of hundreds of addresses must not become hundreds of connections.
const maxTargets = 16
// Finds a peer that vanished without a word; the kernel's own default is two hours.
const keepAliveMs = 60_000

/**
 * Connects to the first target that answers. The attempts are staggered as RFC 8305 §5 asks; an earlier one is kept
 * alive while later ones run, and a failed one starts the next at once. The losers are destroyed. A target that failed,
 * or was overtaken by a later one, is remembered in `slowTargets`.
 *
 * The caller owns the socket, which may be half-closed and has no listener left. Rejects with `DialError`: when every
 * target failed, or as a `timeout` when the signal was aborted first.
 */
export async function dial<Target extends DialTarget> (options: DialOptions<Target>): Promise<Dialled<Target>> {
  const { signal, onAttempt, slowTargets, attemptDelayMs = defaultAttemptDelayMs } = options
  const ordered = interleaveFamilies(options.targets)
  const waiting = (slowTargets?.moveBack(ordered) ?? ordered).slice(0, maxTargets)
  const running = new Map<Socket, Target>()
  const failures: Failure[] = []
  let winner: Dialled<Target> | undefined
  let timer: NodeJS.Timeout | undefined
  let settle = (): void => {}

  /** Starts the next attempt and sees to the one after it. */
  function startNext (): void {
    clearTimeout(timer)
    const target = waiting.shift()
    if (target === undefined) return
    if (waiting.length > 0) timer = setTimeout(startNext, attemptDelayMs)
    const socket = connect({ host: target.address.text, port: target.port, allowHalfOpen: true, noDelay: true })
    running.set(socket, target)
    socket.once('error', (cause) => {
      running.delete(socket)
      slowTargets?.remember(target)
      const outcome = outcomeOf(cause)
      onAttempt?.(outcome)
      failures.push({ outcome, cause })
      if (waiting.length > 0) startNext()
      else if (running.size === 0) settle()
    })
    socket.once('connect', () => {
      winner ??= { socket, target }
      settle()
    })
  }

  try {
    await new Promise<void>((resolve) => {
      settle = resolve
      signal.addEventListener('abort', settle)
      if (signal.aborted) settle()
      else startNext()
    })
    if (winner !== undefined) return winner
    throw new DialError(signal.aborted ? 'timeout' : worstOutcome(failures), failures[0]?.cause)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', settle)
    // In the order in which they were started: those before the winner were overtaken by it.
    let isOvertaken = winner !== undefined
    for (const [socket, target] of running) {
      const isWinner = socket === winner?.socket
      onAttempt?.(isWinner ? 'connected' : signal.aborted ? 'timeout' : 'abandoned')
      if (isWinner) {
        isOvertaken = false
        slowTargets?.forget(target)
        release(socket)
      } else {
        if (isOvertaken) slowTargets?.remember(target)
        abandon(socket)
      }
    }
  }
}

/** Makes the winner the caller's. */
function release (socket: Socket): void {
  socket.removeAllListeners('error')
  socket.removeAllListeners('connect')
  socket.setKeepAlive(true, keepAliveMs)
}

function abandon (socket: Socket): void {
  socket.removeAllListeners()
  // The attempt may still fail on its way out, which is nobody's business.
  socket.on('error', () => {})
  socket.destroy()
}

/** RFC 8305 §4: IPv6 first, then the families in turn, each in the order it was given in. */
function interleaveFamilies<Target extends DialTarget> (targets: readonly Target[]): Target[] {
  if (targets.length === 1) return [...targets]
  const ipv6 = targets.filter(({ address }) => address.family === 6)
  const ipv4 = targets.filter(({ address }) => address.family === 4)
  const ordered: Target[] = []
  for (let index = 0; index < Math.max(ipv6.length, ipv4.length); index++) {
    ordered.push(...ipv6.slice(index, index + 1), ...ipv4.slice(index, index + 1))
  }
  return ordered
}

// Of several failures a person is told the first of these: a lack on our own side, then what came nearest to working.
const outcomesByWeight = ['exhausted', 'refused', 'timeout', 'unreachable'] as const

function worstOutcome (failures: readonly Failure[]): FailedOutcome {
  return outcomesByWeight.find((outcome) => failures.some((failure) => failure.outcome === outcome)) ?? 'unreachable'
}

const outcomesByCode: Readonly<Record<string, FailedOutcome>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'refused',
  ETIMEDOUT: 'timeout',
  EMFILE: 'exhausted',
  ENFILE: 'exhausted',
  ENOBUFS: 'exhausted',
  ENOMEM: 'exhausted',
  EADDRNOTAVAIL: 'exhausted',
}

/** What is in no list (EHOSTUNREACH, ENETUNREACH, a local packet filter's EPERM or EACCES) is a lack of a way there. */
function outcomeOf (error: NodeJS.ErrnoException): FailedOutcome {
  return outcomesByCode[error.code ?? ''] ?? 'unreachable'
}
