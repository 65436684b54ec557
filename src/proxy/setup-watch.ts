import type { Duplex } from 'node:stream'

/** Watches over the time between a request and its answer. */
export interface SetupWatch {
  /** Aborted when the time is up, or when the client has gone. */
  readonly signal: AbortSignal
  readonly isClientGone: () => boolean
  /** The answer is on its way, or there will be none: stops the clock. More than once is as good as once. */
  done (): void
}

/** Starts the clock. The caller must call `done` on every path. */
export function watchSetup (client: Duplex, timeoutMs: number): SetupWatch {
  const controller = new AbortController()
  const abort = (): void => controller.abort()
  const timer = setTimeout(abort, timeoutMs)
  // A client that has only half-closed still waits for its answer.
  client.once('close', abort)
  if (client.destroyed) abort()
  return {
    signal: controller.signal,
    isClientGone: () => client.destroyed,
    done () {
      clearTimeout(timer)
      client.off('close', abort)
    },
  }
}
