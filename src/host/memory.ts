import { setFlagsFromString } from 'node:v8'

/**
 * Keeps the space for young objects at its first size (1 MB), in place of letting it grow to 16 MB; to be called before
 * there is load. The chunks that a relay moves lie outside of that space, each held by a small object inside it, so
 * their memory comes back only when it is collected: a small space is collected often, and cheaply, since nearly
 * everything in it is dead by then. Measured over six pulls of 0.5 GB: resident memory grew by 7 to 14 MB, and by 40
 * to 80 MB without.
 */
export function keepYoungSpaceSmall (): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}
