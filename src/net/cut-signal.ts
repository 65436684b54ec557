/**
 * Says that it is no use to wait any longer. An `AbortSignal` is one; those who make one for each tunnel may make
 * something lighter, since making an `AbortSignal` costs more than all decisions on a tunnel together.
 */
export interface CutSignal {
  readonly aborted: boolean
  /** The listener is called once, at most; not at all when the signal is aborted already. */
  addEventListener (type: 'abort', listener: () => void): void
  removeEventListener (type: 'abort', listener: () => void): void
}
