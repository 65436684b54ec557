import { createCipheriv, createHash } from 'node:crypto'

const blockBytes = 256 * 1024
const zeros = Buffer.alloc(blockBytes)

/**
 * Pseudo-random bytes that a seed (a word) stands for, so that both ends can have the same: the key stream of
 * AES-128-CTR. Yields blocks, `bytes` in all.
 */
export function * makeNoise (seed, bytes) {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16)
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16))
  for (let left = bytes; left > 0; left -= blockBytes) {
    yield cipher.update(zeros.subarray(0, Math.min(left, blockBytes)))
  }
}
