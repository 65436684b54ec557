/**
 * What a relay thread tells of its tunnels while they run, in memory that it shares with the main thread. Only
 * the thread writes while it carries a tunnel; a reader may be a moment behind.
 */
export interface Tally {
  /** To be handed to the thread, and opened there by `openTally`. */
  readonly memory: SharedArrayBuffer
  readonly slots: number
  bytesFromClient (slot: number): number
  bytesFromUpstream (slot: number): number
  /** When the last byte came or went, by `readClock`. */
  lastByteAt (slot: number): number
  /** Puts everything of a slot back, for a tunnel that begins now with so many bytes. */
  begin (slot: number, bytesFromClient: number, bytesFromUpstream: number): void
  setBytes (slot: number, side: 0 | 1, bytes: number): void
  setLastByteAt (slot: number, at: number): void
  /** Whether the descriptors of the tunnel are open: from its beginning until just before they are closed. */
  isOpen (slot: number): boolean
  setClosed (slot: number): void
  readonly pipesIdle: number
  readonly pipesLent: number
  writePipes (idle: number, lent: number): void
}

/** Milliseconds on a steady clock that all threads share; `performance.now` counts from the start of each one. */
export function readClock (): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}

const header = 2
const fieldsPerSlot = 4

/** Memory for so many tunnels. */
export function createTally (slots: number): Tally {
  const words = header + slots * fieldsPerSlot
  return openTally(new SharedArrayBuffer(words * Float64Array.BYTES_PER_ELEMENT))
}

/** The same memory, from another thread. */
export function openTally (memory: SharedArrayBuffer): Tally {
  const numbers = new Float64Array(memory)
  const at = (slot: number, field: number): number => header + slot * fieldsPerSlot + field
  return {
    memory,
    slots: (numbers.length - header) / fieldsPerSlot,
    bytesFromClient: (slot) => numbers[at(slot, 0)] ?? 0,
    bytesFromUpstream: (slot) => numbers[at(slot, 1)] ?? 0,
    lastByteAt: (slot) => numbers[at(slot, 2)] ?? 0,
    begin (slot, bytesFromClient, bytesFromUpstream) {
      numbers.set([bytesFromClient, bytesFromUpstream, readClock(), 1], at(slot, 0))
    },
    setBytes (slot, side, bytes) { numbers[at(slot, side)] = bytes },
    setLastByteAt (slot, time) { numbers[at(slot, 2)] = time },
    isOpen: (slot) => numbers[at(slot, 3)] === 1,
    setClosed (slot) { numbers[at(slot, 3)] = 0 },
    get pipesIdle () { return numbers[0] ?? 0 },
    get pipesLent () { return numbers[1] ?? 0 },
    writePipes (idle, lent) {
      numbers[0] = idle
      numbers[1] = lent
    },
  }
}
