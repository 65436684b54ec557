import type { Duplex } from 'node:stream'
import type { CutSignal } from '../net/cut-signal.ts'

/** Watches over the time between a request and its answer: aborted when the time is up, or when the client has gone. */
export interface SetupWatch extends CutSignal {
  isClientGone (): boolean
  /** The answer is on its way, or there will be none: stops the clock. More than once is as good as once. */
  done (): void
}

/** Starts the clock. The caller must call `done` on every path. */
export function watchSetup (client: Duplex, timeoutMs: number): SetupWatch {
  let listeners: ReadonlyArray<() => void> = []
  let isAborted = client.destroyed

  function abort (): void {
    if (isAborted) return
    isAborted = true
    for (const listener of listeners) listener()
    listeners = []
  }

  const timer = setTimeout(abort, timeoutMs)
  // A client that has only half-closed still waits for its answer.
  client.once('close', abort)
  return {
    get aborted () { return isAborted },
    addEventListener: (_type, listener) => { listeners = [...listeners, listener] },
    removeEventListener: (_type, listener) => { listeners = listeners.filter((one) => one !== listener) },
    isClientGone: () => client.destroyed,
    done () {
      clearTimeout(timer)
      client.off('close', abort)
    },
  }
}
