/** What the person or the service manager at the other end of the signals wants. */
export interface StopSignals {
  /** Aborted at the first SIGINT or SIGTERM. */
  readonly interrupted: AbortSignal
  /** Aborted at the second. */
  readonly insisted: AbortSignal
}

/** Takes over SIGINT and SIGTERM for as long as the process lives. */
export function listenForStop (): StopSignals {
  const first = new AbortController()
  const second = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (first.signal.aborted) second.abort()
      first.abort()
    })
  }
  return { interrupted: first.signal, insisted: second.signal }
}
