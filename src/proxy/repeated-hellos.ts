/** Hellos that have been carried lately. */
export interface RepeatedHellos {
  /** Whether the same one has been met lately; it is remembered from here on. */
  hasMet (hello: Buffer): boolean
}

// Twice as many are kept at most, which is a minute's worth on a gateway that is busy beyond measure.
const generationSize = 5000
// Version, the 32 random bytes (RFC 8446 §4.1.2) and the session id, with what stands before them.
const tellingBytes = 80

/**
 * Remembers the beginnings of hellos. No client sends the same 32 random bytes twice, so one that comes again is the
 * gateway's own tunnel that has led back to it, through whatever stands between: a loop that would open tunnels until
 * there is no place left. Bounded, and without a clock.
 */
export function createRepeatedHellos (): RepeatedHellos {
  let young = new Set<string>()
  let old = new Set<string>()
  return {
    hasMet (hello) {
      const beginning = hello.toString('latin1', 0, tellingBytes)
      if (young.has(beginning) || old.has(beginning)) return true
      if (young.size >= generationSize) {
        old = young
        young = new Set()
      }
      young.add(beginning)
      return false
    },
  }
}
