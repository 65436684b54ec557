import type { Address } from './address.ts'
import { type Cidr, compareWords, lastWords, wordsBehind } from './cidr.ts'

/** An immutable set of address blocks that says which of them holds an address. */
export interface CidrSet {
  /** IPv4 first, each family by its addresses, a wider block before those inside it; no block twice. */
  readonly blocks: readonly Cidr[]
  /**
   * The narrowest block that holds the address: some 17 comparisons for 100,000 blocks, nothing allocated. An
   * IPv4-mapped IPv6 address is an IPv6 address: it lies in no IPv4 block.
   */
  find (address: Pick<Address, 'family' | 'words'>): Cidr | undefined
}

/** The set of no blocks: it holds no address. */
export const emptyCidrSet: CidrSet = createCidrSet([])

/** Builds the set once. Blocks may lie in each other, and come in any order. */
export function createCidrSet (given: Iterable<Cidr>): CidrSet {
  const blocks = [...new Map(Array.from(given, (block) => [block.text, block])).values()].sort(compareBlocks)
  const ipv4 = cutIntoRanges(blocks.filter(({ first }) => first.family === 4))
  const ipv6 = cutIntoRanges(blocks.filter(({ first }) => first.family === 6))
  const owners4 = ipv4.map(({ owner }) => owner)
  const owners6 = ipv6.map(({ owner }) => owner)
  // One array of numbers a family, four of them for an IPv6 address: what is searched lies together.
  const starts4 = Uint32Array.from(ipv4, ({ words }) => words[0] ?? 0)
  const starts6 = Uint32Array.from(ipv6.flatMap(({ words }) => words))
  return {
    blocks,
    find: ({ family, words }) => family === 4
      ? owners4[countUpTo4(starts4, words[0] ?? 0) - 1]
      : owners6[countUpTo6(starts6, words) - 1],
  }
}

/** Whether every address of the block lies in the set, if need be in several of its blocks. */
export function coversBlock ({ find }: CidrSet, block: Cidr): boolean {
  const { family } = block.first
  const last = lastWords(block)
  let words: readonly number[] | undefined = block.first.words
  while (words !== undefined && compareWords(words, last) <= 0) {
    const holder = find({ family, words })
    if (holder === undefined) return false
    words = wordsBehind(holder)
  }
  return true
}

/** The blocks of the set that lie in no other block of it: they hold the same addresses. */
export function listOutermostBlocks ({ blocks }: CidrSet): readonly Cidr[] {
  let outermost: Cidr | undefined
  return blocks.filter((block) => {
    // A wider block stands before those inside it.
    const isInside = outermost?.first.family === block.first.family &&
      compareWords(block.first.words, lastWords(outermost)) <= 0
    if (!isInside) outermost = block
    return !isInside
  })
}

/** Addresses from `words` up to the next range: all in one narrowest block, or in none. */
interface Range {
  readonly words: readonly number[]
  readonly owner: Cidr | undefined
}

/** The sorted blocks of one family as ranges that do not overlap; two blocks lie in each other or apart. */
function cutIntoRanges (blocks: readonly Cidr[]): readonly Range[] {
  const ranges: Range[] = []
  /** The blocks around the place reached, the widest first. */
  const around: Array<{ readonly block: Cidr, readonly behind: readonly number[] | undefined }> = []

  function begin (words: readonly number[], owner: Cidr | undefined): void {
    const last = ranges.at(-1)
    if (last !== undefined && compareWords(last.words, words) === 0) ranges.pop()
    ranges.push({ words, owner })
  }

  /** Ends the blocks that end before an address, or all of them. */
  function endBefore (words: readonly number[] | undefined): void {
    for (let inner = around.at(-1); inner !== undefined; inner = around.at(-1)) {
      const { behind } = inner
      if (words !== undefined && (behind === undefined || compareWords(behind, words) > 0)) return
      around.pop()
      if (behind !== undefined) begin(behind, around.at(-1)?.block)
    }
  }

  for (const block of blocks) {
    endBefore(block.first.words)
    begin(block.first.words, block)
    around.push({ block, behind: wordsBehind(block) })
  }
  endBefore(undefined)
  return ranges
}

function compareBlocks (a: Cidr, b: Cidr): number {
  return a.first.family - b.first.family || compareWords(a.first.words, b.first.words) ||
    a.prefixLength - b.prefixLength
}

/** How many of the sorted starts are not above the address. */
function countUpTo4 (starts: Uint32Array, word: number): number {
  let low = 0
  let high = starts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((starts[middle] ?? 0) <= word) low = middle + 1
    else high = middle
  }
  return low
}

/** The same for addresses of four words. */
function countUpTo6 (starts: Uint32Array, words: readonly number[]): number {
  // By index: taking the array apart in one line goes through an iterator, 170 ns in place of 43.
  const first = words[0] ?? 0
  const second = words[1] ?? 0
  const third = words[2] ?? 0
  const fourth = words[3] ?? 0
  let low = 0
  let high = starts.length >>> 2
  while (low < high) {
    const middle = (low + high) >>> 1
    const at = middle << 2
    const difference = (starts[at] ?? 0) - first || (starts[at + 1] ?? 0) - second ||
      (starts[at + 2] ?? 0) - third || (starts[at + 3] ?? 0) - fourth
    if (difference <= 0) low = middle + 1
    else high = middle
  }
  return low
}
