import t from 'tap'
import { bitLength } from '../../../src/net/address.ts'
import { type Cidr, compareWords, lastWords, wordsBehind } from '../../../src/net/cidr.ts'
import { type CidrSet, coversBlock, createCidrSet, emptyCidrSet, listOutermostBlocks } from '../../../src/net/cidr-set.ts'
import { addressOf, readAddress, readCidr, wordsOf } from './addresses.ts'

function setOf (...texts: readonly string[]): CidrSet {
  return createCidrSet(texts.map(readCidr))
}

/** The blocks that a set finds for some addresses. */
function findAll (set: CidrSet, addresses: readonly string[]): ReadonlyArray<string | undefined> {
  return addresses.map((text) => set.find(readAddress(text))?.text)
}

t.test('a block holds its first and its last address, and neither neighbour', async (t) => {
  const table: ReadonlyArray<readonly [block: string, inside: readonly string[], outside: readonly string[]]> = [
    ['0.0.0.0/0', ['0.0.0.0', '128.0.0.0', '255.255.255.255'], ['::', '::ffff:1.2.3.4']],
    ['128.0.0.0/1', ['128.0.0.0', '255.255.255.255'], ['127.255.255.255', '0.0.0.0']],
    ['20.1.2.0/23', ['20.1.2.0', '20.1.3.255'], ['20.1.1.255', '20.1.4.0']],
    ['20.1.2.3/32', ['20.1.2.3'], ['20.1.2.2', '20.1.2.4']],
    ['0.0.0.0/32', ['0.0.0.0'], ['0.0.0.1']],
    ['255.255.255.255/32', ['255.255.255.255'], ['255.255.255.254']],
    ['::/0', ['::', '8000::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '::ffff:1.2.3.4'], ['0.0.0.0']],
    ['2603:1020:206:c02::400/121', ['2603:1020:206:c02::400', '2603:1020:206:c02::47f'], ['2603:1020:206:c02::3ff', '2603:1020:206:c02::480']],
    ['2603:1020::/32', ['2603:1020::', '2603:1020:ffff:ffff:ffff:ffff:ffff:ffff'], ['2603:101f:ffff:ffff:ffff:ffff:ffff:ffff', '2603:1021::']],
    ['2603::ffff:ffff:0:0/96', ['2603::ffff:ffff:0:0', '2603::ffff:ffff:ffff:ffff'], ['2603::ffff:fffe:ffff:ffff', '2603::1:0:0:0:0']],
    ['::1/128', ['::1'], ['::', '::2']],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128', ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'], ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe']],
    ['::ffff:0:0/96', ['::ffff:0.0.0.0', '::ffff:255.255.255.255'], ['1.2.3.4', '::1:0:0:0', '::fffe:ffff:ffff']],
  ]
  for (const [block, inside, outside] of table) {
    const set = setOf(block)
    t.same(findAll(set, inside), inside.map(() => block), block)
    t.same(findAll(set, outside), outside.map(() => undefined), `beside ${block}`)
  }
})

t.test('of blocks that lie in each other the narrowest is found, and behind it the one around it', async (t) => {
  const set = setOf('20.0.0.0/8', '20.1.0.0/16', '20.1.2.0/24', '20.1.2.3/32', '20.1.255.0/24', '20.2.0.0/16', '0.0.0.0/0')
  t.same(findAll(set, [
    '19.255.255.255', '20.0.0.0', '20.1.0.0', '20.1.2.0', '20.1.2.2', '20.1.2.3', '20.1.2.4', '20.1.3.0', '20.1.254.255',
    '20.1.255.0', '20.1.255.255', '20.2.0.0', '20.3.0.0', '20.255.255.255', '21.0.0.0', '255.255.255.255',
  ]), [
    '0.0.0.0/0', '20.0.0.0/8', '20.1.0.0/16', '20.1.2.0/24', '20.1.2.0/24', '20.1.2.3/32', '20.1.2.0/24', '20.1.0.0/16', '20.1.0.0/16',
    '20.1.255.0/24', '20.1.255.0/24', '20.2.0.0/16', '20.0.0.0/8', '20.0.0.0/8', '0.0.0.0/0', '0.0.0.0/0',
  ])
})

t.test('blocks with one first or one last address in common are told apart', async (t) => {
  const set = setOf('2603::/16', '2603::/64', '2603::/128', '2603:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128', '2603:ffff::/32')
  t.same(findAll(set, ['2603::', '2603::1', '2603:0:0:1::', '2603:ffff::', '2603:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '2604::']), [
    '2603::/128', '2603::/64', '2603::/16', '2603:ffff::/32', '2603:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128', undefined,
  ])
})

t.test('blocks side by side stay two', async (t) => {
  const set = setOf('20.1.3.0/24', '20.1.2.0/24')
  t.same(findAll(set, ['20.1.1.255', '20.1.2.0', '20.1.2.255', '20.1.3.0', '20.1.3.255', '20.1.4.0']), [
    undefined, '20.1.2.0/24', '20.1.2.0/24', '20.1.3.0/24', '20.1.3.0/24', undefined,
  ])
})

t.test('the blocks of a set are sorted, and none is there twice, however it was written', async (t) => {
  const texts = ['::/0', '20.1.2.0/24', '20.1.2.3', '20.1.2.3/32', 'FD00::/8', '20.0.0.0/8', 'fd00:0::/8', '20.1.2.0/24', '0.0.0.0/0', '::ffff:20.1.2.3']
  t.same(setOf(...texts).blocks.map(({ text }) => text), [
    '0.0.0.0/0', '20.0.0.0/8', '20.1.2.0/24', '20.1.2.3/32', '::/0', '::ffff:1401:203/128', 'fd00::/8',
  ])
})

t.test('the set of nothing finds nothing', async (t) => {
  for (const set of [emptyCidrSet, createCidrSet([])]) {
    t.same(set.blocks, [])
    t.same(findAll(set, ['0.0.0.0', '255.255.255.255', '::', '::ffff:1.2.3.4']), [undefined, undefined, undefined, undefined])
  }
})

t.test('the end of a block, and what comes behind it', async (t) => {
  const table: ReadonlyArray<readonly [block: string, last: string, behind: string | undefined]> = [
    ['0.0.0.0/0', '255.255.255.255', undefined],
    ['0.0.0.0/1', '127.255.255.255', '128.0.0.0'],
    ['128.0.0.0/1', '255.255.255.255', undefined],
    ['20.255.255.255/32', '20.255.255.255', '21.0.0.0'],
    ['255.255.255.255/32', '255.255.255.255', undefined],
    ['::/0', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', undefined],
    ['8000::/1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', undefined],
    ['2603:1020::/32', '2603:1020:ffff:ffff:ffff:ffff:ffff:ffff', '2603:1021::'],
    ['2603:1020::/33', '2603:1020:7fff:ffff:ffff:ffff:ffff:ffff', '2603:1020:8000::'],
    ['2603:ffff:ffff:ffff::/64', '2603:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '2604::'],
    ['::ffff:0:0/96', '::ffff:255.255.255.255', '::1:0:0:0'],
    ['::1:ffff:ffff/128', '::1:ffff:ffff', '::2:0:0'],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', undefined],
  ]
  for (const [text, last, behind] of table) {
    const block = readCidr(text)
    t.same(lastWords(block), readAddress(last).words, text)
    t.same(wordsBehind(block), behind === undefined ? undefined : readAddress(behind).words, text)
  }
})

/** A generator of numbers from a seed (mulberry32), for far more cases than shrinking ones would allow. */
function createDice (seed: number): { below: (limit: number) => number, bits: (count: number) => bigint } {
  let state = seed
  function word (): number {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  return {
    below: (limit) => word() % limit,
    bits: (count) => {
      const words = (BigInt(word()) << 96n) | (BigInt(word()) << 64n) | (BigInt(word()) << 32n) | BigInt(word())
      return words >> BigInt(128 - count)
    },
  }
}

type Dice = ReturnType<typeof createDice>

/** A block as two numbers, for the plain way to search: look at all of them. */
interface PlainBlock {
  readonly block: Cidr
  readonly family: 4 | 6
  readonly first: bigint
  readonly last: bigint
}

/** A block near one of some places, so that many lie in each other and side by side. */
function rollBlock (dice: Dice, family: 4 | 6, places: readonly bigint[]): PlainBlock {
  const bits = bitLength(family)
  const length = dice.below(bits + 1)
  const hostBits = BigInt(bits - length)
  const near = (places[dice.below(places.length)] ?? 0n) ^ (BigInt(dice.below(4)) << hostBits)
  const first = (BigInt.asUintN(bits, near) >> hostBits) << hostBits
  const block = readCidr(`${addressOf(family, first).text}/${length}`)
  return { block, family, first, last: first + (1n << hostBits) - 1n }
}

function findPlainly (blocks: readonly PlainBlock[], family: 4 | 6, bits: bigint): Cidr | undefined {
  let found: PlainBlock | undefined
  for (const plain of blocks) {
    if (plain.family !== family || bits < plain.first || bits > plain.last) continue
    if (found === undefined || plain.block.prefixLength >= found.block.prefixLength) found = plain
  }
  return found?.block
}

/** An end of a block, a neighbour of one, an address inside, or one from anywhere. */
function rollAddress (dice: Dice, { first, last }: PlainBlock, bits: number): bigint {
  const choices = [first, last, first - 1n, last + 1n, first + (dice.bits(bits) & (last - first)), dice.bits(bits)]
  return BigInt.asUintN(bits, choices[dice.below(choices.length)] ?? 0n)
}

t.test('a million addresses are found where a search of all blocks finds them', async (t) => {
  const dice = createDice(20251028)
  let cases = 0
  const wrong: string[] = []
  for (let round = 0; round < 2500; round++) {
    const places = {
      4: [dice.bits(32), dice.bits(32), dice.bits(8)],
      6: [dice.bits(128), dice.bits(128), dice.bits(40)],
    }
    const blocks = Array.from({ length: 1 + dice.below(24) }, () => {
      const family = dice.below(2) === 0 ? 4 : 6
      return rollBlock(dice, family, places[family])
    })
    const set = createCidrSet(blocks.map(({ block }) => block))
    for (let turn = 0; turn < 400; turn++) {
      const plain = blocks[dice.below(blocks.length)]
      if (plain === undefined) continue
      const { family } = plain
      const bits = rollAddress(dice, plain, bitLength(family))
      const found = set.find({ family, words: wordsOf(family, bits) })
      cases++
      if (found?.text === findPlainly(blocks, family, bits)?.text) continue
      wrong.push(`${addressOf(family, bits).text} of ${blocks.map(({ block }) => block.text).join(' ')}: ${found?.text}`)
    }
  }
  t.same(wrong.slice(0, 5), [])
  t.equal(cases, 1_000_000)
})

t.test('the words of a block\'s ends, and their order, are those of its numbers', async (t) => {
  const dice = createDice(7)
  const wrong: string[] = []
  for (let round = 0; round < 20_000; round++) {
    const family = dice.below(2) === 0 ? 4 : 6
    const bits = bitLength(family)
    const { block, first, last } = rollBlock(dice, family, [dice.bits(bits), (1n << BigInt(bits)) - 1n])
    const other = dice.below(2) === 0 ? last : dice.bits(bits)
    const behind = last + 1n === 1n << BigInt(bits) ? undefined : wordsOf(family, last + 1n)
    const order = Math.sign(compareWords(block.first.words, wordsOf(family, other)))
    const isRight = String(lastWords(block)) === String(wordsOf(family, last)) &&
      String(wordsBehind(block)) === String(behind) && order === (first < other ? -1 : first > other ? 1 : 0)
    if (!isRight) wrong.push(block.text)
  }
  t.same(wrong.slice(0, 5), [])
})

t.test('addresses of different words are in the order of the first that differs', async (t) => {
  const sorted = ['::', '::1', '::ffff:ffff', '::1:0:0', '0:0:0:1::', '0:1::', '7fff::', '8000::', 'ffff::ffff', 'ffff:ffff::'].map(readAddress)
  for (const [index, a] of sorted.entries()) {
    for (const [at, b] of sorted.entries()) {
      t.equal(Math.sign(compareWords(a.words, b.words)), Math.sign(index - at), `${a.text} and ${b.text}`)
    }
  }
})

t.test('a block is covered by a wider one, or by several that leave nothing of it out', async (t) => {
  const table: ReadonlyArray<readonly [block: string, set: readonly string[], isCovered: boolean]> = [
    ['20.1.2.0/24', ['20.1.2.0/24'], true],
    ['20.1.2.0/24', ['20.0.0.0/8'], true],
    ['20.1.2.0/24', ['20.1.2.0/25', '20.1.2.128/25'], true],
    ['20.1.2.0/24', ['20.1.2.0/25', '20.1.2.128/26', '20.1.2.192/26'], true],
    ['20.1.2.0/24', ['20.0.0.0/8', '20.1.2.64/26'], true],
    ['20.1.2.0/24', ['20.1.2.0/25'], false],
    ['20.1.2.0/24', ['20.1.2.128/25'], false],
    ['20.1.2.0/24', ['20.1.2.0/26', '20.1.2.192/26'], false],
    ['20.1.2.0/24', ['20.1.2.0/32', '20.1.2.255/32'], false],
    ['20.1.2.0/24', ['20.1.1.0/24', '20.1.3.0/24'], false],
    ['20.1.2.0/24', [], false],
    ['0.0.0.0/0', ['0.0.0.0/1', '128.0.0.0/1'], true],
    ['0.0.0.0/0', ['0.0.0.0/1', '128.0.0.0/2'], false],
    ['0.0.0.0/0', ['::/0'], false],
    ['255.255.255.255/32', ['255.255.255.255/32'], true],
    ['::/0', ['::/1', '8000::/1'], true],
    ['::/0', ['::/1', 'c000::/2'], false],
    ['2603::/63', ['2603::/64', '2603:0:0:1::/64'], true],
    ['::ffff:20.1.2.0/120', ['20.1.2.0/24'], false],
  ]
  for (const [block, texts, isCovered] of table) {
    t.equal(coversBlock(setOf(...texts), readCidr(block)), isCovered, `${block} by ${texts.join(', ')}`)
  }
})

t.test('the outermost blocks hold every address of the set, and none of them lies in another', async (t) => {
  const table: ReadonlyArray<readonly [set: readonly string[], outermost: readonly string[]]> = [
    [[], []],
    [['20.1.2.0/24', '20.0.0.0/8', '20.255.255.255', '21.0.0.0/8'], ['20.0.0.0/8', '21.0.0.0/8']],
    [['20.1.2.0/25', '20.1.2.128/25'], ['20.1.2.0/25', '20.1.2.128/25']],
    [['0.0.0.0/0', '255.255.255.255', '::/0', 'ffff::/16'], ['0.0.0.0/0', '::/0']],
    [['::14:102:0:0/96', '20.1.2.0/24', '2603::/16', '2603:1030::/32'], ['20.1.2.0/24', '::14:102:0:0/96', '2603::/16']],
  ]
  for (const [texts, outermost] of table) {
    t.same(listOutermostBlocks(setOf(...texts)).map(({ text }) => text), outermost, texts.join(', '))
  }
})
