/** Work that waits for its turn: a few at a time, and of each source one at a time. */
export interface FairLine {
  /**
   * Takes work into the line; it begins when its source's turn has come, at once if nobody waits. `undefined`: the
   * line, or the source's part of it, is full. The promise ends as the work does.
   */
  run<T> (source: string, work: () => Promise<T>): Promise<T> | undefined
}

export interface FairLineOptions {
  /** Most that runs at a time. */
  readonly maxRunning: number
  /** Most that waits, over all sources. */
  readonly maxWaiting: number
  /** Most that waits of one source. */
  readonly maxWaitingPerSource: number
}

/**
 * Sources take turns, in the order in which they came, each with one piece of work: however much one of them brings,
 * another waits for one piece of it at most before each of its own. Holds nothing of what has ended.
 */
export function createFairLine ({ maxRunning, maxWaiting, maxWaitingPerSource }: FairLineOptions): FairLine {
  /** Of each source that runs or waits, what waits. */
  const waitingOf = new Map<string, Array<() => Promise<void>>>()
  /** The sources that wait and do not run. */
  const turns: string[] = []
  let running = 0
  let waiting = 0

  function startNext (): void {
    while (running < maxRunning) {
      const source = turns.shift()
      const start = source === undefined ? undefined : waitingOf.get(source)?.shift()
      if (source === undefined || start === undefined) return
      running++
      waiting--
      void start().then(() => {
        running--
        if (waitingOf.get(source)?.length === 0) waitingOf.delete(source)
        else turns.push(source)
        startNext()
      })
    }
  }

  return {
    run (source, work) {
      const line = waitingOf.get(source)
      if (waiting >= maxWaiting || (line?.length ?? 0) >= maxWaitingPerSource) return undefined
      waiting++
      return new Promise((resolve, reject) => {
        const start = async (): Promise<void> => {
          try {
            resolve(await work())
          } catch (error) {
            reject(error)
          }
        }
        if (line === undefined) {
          waitingOf.set(source, [start])
          turns.push(source)
        } else {
          line.push(start)
        }
        startNext()
      })
    },
  }
}
