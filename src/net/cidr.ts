import { type Address, bitLength, parseAddress } from './address.ts'

/** A block of addresses in CIDR notation (RFC 4632, RFC 4291 §2.3): its first address, and how many bits count. */
export interface Cidr {
  readonly first: Address
  readonly prefixLength: number
  /** `first.text/prefixLength`. */
  readonly text: string
}

/**
 * Reads `ADDRESS/LENGTH`; a bare address is the block of that one address.
 * A block with bits set to the right of its length is not one: it is nearly always a slip of the hand, and guessing
 * which end was meant opens more, or less, than somebody intended.
 */
export function parseCidr (text: string): Cidr | undefined {
  const slash = text.indexOf('/')
  const first = parseAddress(slash === -1 ? text : text.slice(0, slash))
  if (first === undefined) return undefined
  const bits = bitLength(first.family)
  const lengthText = slash === -1 ? String(bits) : text.slice(slash + 1)
  if (!/^(?:0|[1-9][0-9]{0,2})$/.test(lengthText)) return undefined
  const prefixLength = Number(lengthText)
  if (prefixLength > bits) return undefined
  const clean = first.words.every((word, index) => (word & ~wordMask(prefixLength, index)) === 0)
  return clean ? { first, prefixLength, text: `${first.text}/${prefixLength}` } : undefined
}

/** The last address of the block, as `Address.words`. */
export function lastWords ({ first, prefixLength }: Cidr): readonly number[] {
  return first.words.map((word, index) => (word | ~wordMask(prefixLength, index)) >>> 0)
}

/** The first address behind the block, as `Address.words`; none behind the last of all addresses. */
export function wordsBehind ({ first, prefixLength }: Cidr): readonly number[] | undefined {
  const words = [...first.words]
  let index = Math.ceil(prefixLength / 32) - 1
  // The last bit that counts; behind it the block's own words have no bit set.
  let step = 2 ** (32 * (index + 1) - prefixLength)
  for (; index >= 0; index--) {
    const sum = (words[index] ?? 0) + step
    words[index] = sum >>> 0
    if (sum < 2 ** 32) return words
    step = 1
  }
  return undefined
}

/** Whether one address of a family comes before another (below 0), is it (0), or comes behind it. */
export function compareWords (a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < a.length; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** The mask over the word at `index` for a block whose leading `prefixLength` bits count. */
function wordMask (prefixLength: number, index: number): number {
  const bits = Math.min(32, Math.max(0, prefixLength - 32 * index))
  // A shift by 32 is a shift by 0 in JavaScript.
  return bits === 0 ? 0 : -1 << (32 - bits)
}
