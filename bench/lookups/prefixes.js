/** The prefixes that are searched, and the addresses that are looked for. */
import { readFileSync } from 'node:fs'
import { parseServiceTags } from '../../dist/acr/service-tags.js'

/** Those of a gateway that also lets the bundle of Microsoft's own registry through. */
export const usedTags = ['AzureContainerRegistry', 'Storage', 'MicrosoftContainerRegistry']

/** Their sizes in the file of 2025-10-28, IPv4 and IPv6, and the prefix lengths that are common there. */
const madeSizes = { used: [[1261, 24, 32], [818, 48, 128]], whole: [[64_000, 16, 32], [29_362, 44, 128]] }

/**
 * The prefixes of the tags in use, and of the whole file, as texts: from Microsoft's file, or without one made up in
 * the same numbers.
 *
 * @returns {{ source: string, used: string[], whole: string[] }}
 */
export function readPrefixes (file) {
  if (file === undefined) {
    return { source: 'made up', used: makePrefixes(madeSizes.used), whole: makePrefixes(madeSizes.whole) }
  }
  const parsed = parseServiceTags(readFileSync(file, 'utf8'), () => true)
  if (!parsed.ok) throw new Error(`${file} ${parsed.problem}`)
  const { changeNumber, tags } = parsed.serviceTags
  const textsOf = (some) => some.flatMap(({ blocks }) => blocks.blocks.map(({ text }) => text))
  return {
    source: `Microsoft's file, change ${changeNumber}`,
    used: textsOf(tags.filter(({ name }) => usedTags.includes(name))),
    whole: textsOf(tags),
  }
}

/** A generator of the same numbers each time, from 0 to 2^32 (xorshift). */
export function createNumbers (seed = 2_463_534_242) {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

function makePrefixes ([ipv4, ipv6]) {
  const next = createNumbers()
  const texts = new Set()
  const make = ([count, from, to], text) => {
    for (let made = 0; made < count;) {
      const length = from + next() % (to - from + 1)
      const before = texts.size
      texts.add(text(length))
      made += texts.size - before
    }
  }
  make(ipv4, (length) => `${formatIpv4(clear(next(), length))}/${length}`)
  make(ipv6, (length) => {
    const words = [0x26031000 + (next() & 0xffff), next(), next(), next()]
    return `${formatIpv6(words.map((word, index) => clear(word, length - 32 * index)))}/${length}`
  })
  return [...texts]
}

/** The word with what is behind its first `length` bits set to 0. */
function clear (word, length) {
  return length >= 32 ? word >>> 0 : length <= 0 ? 0 : (word & -1 << (32 - length)) >>> 0
}

function formatIpv4 (word) {
  return [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255].join('.')
}

function formatIpv6 (words) {
  return words.flatMap((word) => [word >>> 16, word & 0xffff]).map((group) => group.toString(16)).join(':')
}

/**
 * Addresses of a family, half of them inside blocks, and half anywhere; told apart by a set that has been tested.
 *
 * @returns {{ hits: string[], misses: string[] }} `count` texts each
 */
export function makeAddresses (set, family, count) {
  const next = createNumbers()
  const blocks = set.blocks.filter(({ first }) => first.family === family)
  const hits = []
  while (hits.length < count) {
    const { first, prefixLength } = blocks[next() % blocks.length]
    const words = first.words.map((word, index) => {
      return (word | next() & ~clear(0xffffffff, prefixLength - 32 * index)) >>> 0
    })
    hits.push(family === 4 ? formatIpv4(words[0]) : formatIpv6(words))
  }
  const misses = []
  while (misses.length < count) {
    // Near the blocks, so that a search has to go all the way.
    const near = blocks[next() % blocks.length].first.words
    const words = near.map((word, index) => index === 0 && family === 6 ? word : next())
    if (set.find({ family, words }) === undefined) misses.push(family === 4 ? formatIpv4(words[0]) : formatIpv6(words))
  }
  return { hits, misses }
}
