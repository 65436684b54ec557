import { loadLibc } from '../host/libc.ts'
import type { Relay, RelayOptions } from './ends.ts'
import { testSplice } from './splice/self-test.ts'
import { type SpliceRelays, startSpliceRelays } from './splice/splice-relays.ts'
import { startStreamRelay } from './stream-relay.ts'

/** The ways there are to move bytes; a metric label. */
export const relayEngines = ['splice', 'stream'] as const

export type RelayEngine = typeof relayEngines[number]

/** What the relays share: threads, pipes, the choice of engine. */
export interface Relays {
  readonly engine: RelayEngine
  /**
   * Carries bytes between two ends until both have finished: half-closes and resets pass from one to the other, neither
   * end is read faster than the other takes, and there is no limit on time or bytes but the idle time. Takes over both
   * ends.
   */
  start (options: RelayOptions): Relay
  /** Pipes of the splice engine that wait to be used, and pipes that hold bytes. */
  readonly pipes: { readonly idle: number, readonly lent: number }
  /** Threads of the splice engine that run, and how many have died since the start. */
  readonly threads: { readonly running: number, readonly died: number }
  /** Resets what is left of the relays on threads, and ends the threads. */
  close (): Promise<void>
}

export interface RelaysOptions {
  /** `auto`: splice where it works, else streams. */
  readonly engine: 'auto' | RelayEngine
  /** Threads of the splice engine. */
  readonly threads: number
  readonly maxTunnels: number
  /** `auto` has settled for streams, and why. */
  readonly onFallback: (problem: string) => void
  /** A relay thread has died with its tunnels; says whether a new one has taken its place. */
  readonly onThreadDeath: (cause: unknown, isReplaced: boolean) => void
}

/** The splice engine was asked for, and does not work here. */
export class SpliceUnavailableError extends Error {
  override readonly name = 'SpliceUnavailableError'
}

/** Chooses the engine and starts it. Rejects with `SpliceUnavailableError` when `splice` is asked for in vain. */
export async function startRelays (options: RelaysOptions): Promise<Relays> {
  const splice = options.engine === 'stream' ? 'not asked for' : await startSplice(options)
  if (typeof splice === 'string') {
    if (options.engine === 'splice') throw new SpliceUnavailableError(splice)
    if (options.engine === 'auto') options.onFallback(splice)
    return {
      engine: 'stream',
      start: startStreamRelay,
      pipes: { idle: 0, lent: 0 },
      threads: { running: 0, died: 0 },
      close: async () => {},
    }
  }
  return {
    engine: 'splice',
    // TLS with the client has its bytes in Node's hands, and so stays there.
    start: (relay) => splice.start(relay) ?? startStreamRelay(relay),
    get pipes () { return { idle: splice.pipesIdle, lent: splice.pipesLent } },
    get threads () { return { running: splice.threadsRunning, died: splice.threadsDied } },
    close: splice.close,
  }
}

/** The engine, or what keeps it from working here. */
async function startSplice ({ threads, maxTunnels, onThreadDeath }: RelaysOptions): Promise<SpliceRelays | string> {
  const loaded = loadLibc()
  if (!('libc' in loaded)) return loaded.problem
  const { libc } = loaded
  return await testSplice(libc) ?? startSpliceRelays({ libc, threads, maxTunnels, onThreadDeath })
}
