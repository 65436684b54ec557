/**
 * Says that it is no use to wait any longer. An `AbortSignal` is one; those who make one for each tunnel may make
 * something lighter, since making an `AbortSignal` costs more than all decisions on a tunnel together.
 */
export interface CutSignal {
  readonly aborted: boolean
  /** Why, if it says so: what to throw. */
  readonly reason?: unknown
  /** The listener is called once, at most; not at all when the signal is aborted already. */
  addEventListener (type: 'abort', listener: () => void): void
  removeEventListener (type: 'abort', listener: () => void): void
}

/** Never says so. */
export const neverCut: CutSignal = { aborted: false, addEventListener () {}, removeEventListener () {} }

/** What the promise brings, or `undefined` when the signal is aborted first; leaves no listener behind. */
export async function unlessAborted<T> (promise: Promise<T>, signal: CutSignal | undefined): Promise<T | undefined> {
  if (signal === undefined) return await promise
  let wake = (): void => {}
  const aborted = new Promise<undefined>((resolve) => { wake = () => resolve(undefined) })
  signal.addEventListener('abort', wake)
  if (signal.aborted) wake()
  try {
    return await Promise.race([aborted, promise])
  } finally {
    signal.removeEventListener('abort', wake)
  }
}
