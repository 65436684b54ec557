/** Whoever wants the process to end: a person's Ctrl-C, or a service manager. */
export interface Stops {
  /**
   * Takes the next SIGINT or SIGTERM that nobody has taken yet: it aborts the signal that is returned, and the process
   * goes on. All others end the process, as they would any other.
   */
  take (): AbortSignal
}

const signals = ['SIGINT', 'SIGTERM'] as const

/** Leaves the signals to the system until one is taken. `exit` ends the process with the code that it is given. */
export function createStops (exit: (code: number) => void): Stops {
  const taken: AbortController[] = []
  // The first process of a container: the kernel spares it every signal that it does not handle.
  const isSpared = process.pid === 1

  function listen (): void {
    for (const signal of signals) process.on(signal, stop)
  }

  function stop (_signal: NodeJS.Signals, number: number): void {
    const next = taken.shift()
    if (taken.length === 0 && !isSpared) for (const signal of signals) process.off(signal, stop)
    if (next === undefined) exit(128 + number)
    else next.abort()
  }

  if (isSpared) listen()
  return {
    take () {
      if (taken.length === 0 && !isSpared) listen()
      const controller = new AbortController()
      taken.push(controller)
      return controller.signal
    },
  }
}
