import type { Duplex } from 'node:stream'
import type { CutSignal } from '../net/cut-signal.ts'

/** What a stream began with. `bytes` is all that was read of it; nothing is put back. */
export type FirstBytes<Verdict> =
  | { readonly kind: 'judged', readonly verdict: Verdict, readonly bytes: Buffer }
  /** There was no verdict: the stream has ended, is closed, or the signal was aborted before. */
  | { readonly kind: 'ended' | 'closed' | 'cut', readonly bytes: Buffer }

/**
 * Reads a stream until `judge` has a verdict on what has come so far, which is asked again with each chunk; `early` has
 * come before. Bounds are the judge's: one that never makes up its mind reads the whole stream.
 *
 * Never rejects. The stream is left as it is, unread behind `bytes`, and is the caller's.
 */
export function readFirstBytes<Verdict> (
  stream: Duplex, early: Buffer, judge: (bytes: Buffer) => Verdict | undefined, signal: CutSignal,
): Promise<FirstBytes<Verdict>> {
  return new Promise((resolve) => {
    let bytes = early

    function settle (first: FirstBytes<Verdict>): void {
      stream.off('readable', look)
      stream.off('end', end)
      stream.off('close', close)
      signal.removeEventListener('abort', cut)
      resolve(first)
    }

    function look (): void {
      const chunk = stream.read() as Buffer | null
      if (chunk === null) return
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
      decide()
    }

    function decide (): void {
      const verdict = judge(bytes)
      if (verdict !== undefined) settle({ kind: 'judged', verdict, bytes })
    }

    const end = (): void => settle({ kind: 'ended', bytes })
    const close = (): void => settle({ kind: 'closed', bytes })
    const cut = (): void => settle({ kind: 'cut', bytes })

    // Before the judge: a stream that is gone takes no answer, whatever it has sent.
    if (stream.destroyed) return close()
    if (signal.aborted) return cut()
    stream.on('readable', look)
    stream.on('end', end)
    stream.on('close', close)
    signal.addEventListener('abort', cut)
    if (early.length > 0) decide()
    // It had ended before there was anybody to hear of it.
    if (stream.readableEnded) end()
  })
}
