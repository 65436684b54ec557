import { createCipheriv, createHash } from 'node:crypto'

/** Bytes in which every position counts: a block that is lost, doubled or moved changes the digest. */
export function createNoise (size: number, seed = 0): Buffer {
  const counter = Buffer.alloc(16)
  counter.writeUInt32BE(seed, 0)
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, 'noise'), counter).update(Buffer.alloc(size))
}

/** Numbers from 0 up to 1, the same ones for a seed every time (mulberry32). */
export function createDice (seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function computeSha256 (bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
