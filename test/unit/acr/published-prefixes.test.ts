import { readFileSync } from 'node:fs'
import ipaddr from 'ipaddr.js'
import t from 'tap'
import { parseServiceTags } from '../../../src/acr/service-tags.ts'
import { bitLength } from '../../../src/net/address.ts'
import { type CidrSet, emptyCidrSet } from '../../../src/net/cidr-set.ts'
import { missingFiles, publishedFiles } from '../../support/service-tag-files.ts'
import { addressOf, wordsOf } from '../net/addresses.ts'

/** A prefix as two numbers. */
interface PlainRange {
  readonly text: string
  readonly family: 4 | 6
  readonly first: bigint
  readonly last: bigint
}

/** The prefixes of a tag as another parser reads them, in order; they lie apart in each published tag. */
function readRanges (prefixes: readonly string[]): readonly PlainRange[] {
  return prefixes.map((text) => {
    const [address, length] = ipaddr.parseCIDR(text)
    const family = address.kind() === 'ipv4' ? 4 : 6
    const first = address.toByteArray().reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0n)
    return { text, family, first, last: first + (1n << BigInt(bitLength(family) - length)) - 1n } as const
  }).sort((a, b) => a.family - b.family || (a.first < b.first ? -1 : 1))
}

/** What a set finds wrong about one of the ranges it was made from, and what lies beside it. */
function listMistakes (set: CidrSet, ranges: readonly PlainRange[], index: number): string[] {
  const range = ranges[index]
  if (range === undefined) return []
  const { family, first, last, text } = range
  const before = ranges[index - 1]
  const behind = ranges[index + 1]
  if (before?.family === family && before.last >= first) return [`${text} overlaps ${before.text}`]
  const expected: ReadonlyArray<readonly [bits: bigint, text: string | undefined]> = [
    [first, text],
    [last, text],
    [first - 1n, before?.family === family && before.last === first - 1n ? before.text : undefined],
    [last + 1n, behind?.family === family && behind.first === last + 1n ? behind.text : undefined],
  ]
  return expected.flatMap(([bits, wanted]) => {
    if (bits < 0n || bits >> BigInt(bitLength(family)) > 0n) return []
    const found = set.find({ family, words: wordsOf(family, bits) })?.text
    return found === wanted ? [] : [`${addressOf(family, bits).text}: ${found}, not ${wanted}`]
  })
}

interface PublishedTags {
  readonly values: ReadonlyArray<{
    readonly name: string
    readonly properties: { readonly addressPrefixes: readonly string[] }
  }>
}

for (const [name, file] of Object.entries(publishedFiles)) {
  t.test(`every prefix of every tag of ${name} is found, from its first address to its last`, { skip: missingFiles }, async (t) => {
    const text = readFileSync(file, 'utf8')
    const parsed = parseServiceTags(text, () => true)
    if (!parsed.ok) throw new Error(parsed.problem)
    const { values } = JSON.parse(text) as PublishedTags
    const mistakes = values.flatMap(({ name: tag, properties: { addressPrefixes } }) => {
      const set = parsed.serviceTags.find(tag)?.blocks ?? emptyCidrSet
      const ranges = readRanges(addressPrefixes)
      return ranges.flatMap((_, index) => listMistakes(set, ranges, index)).map((mistake) => `${tag}: ${mistake}`)
    })
    t.same(mistakes.slice(0, 5), [])
    t.equal(mistakes.length, 0)
    t.ok(values.length > 200)
  })
}
