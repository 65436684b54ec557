import fc from 'fast-check'
import t from 'tap'
import { type Address, bitLength } from '../../../src/net/address.ts'
import { type Cidr, parseCidr } from '../../../src/net/cidr.ts'
import { createCidrSet, emptyCidrSet } from '../../../src/net/cidr-set.ts'
import { addressOf, anyAddress, bitsOf, holds, readAddress, readCidr } from './addresses.ts'

t.test('a block is read, and a bare address is the block of itself', async (t) => {
  const table: ReadonlyArray<readonly [text: string, canonical: string]> = [
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['128.0.0.0/1', '128.0.0.0/1'],
    ['10.1.2.3', '10.1.2.3/32'],
    ['10.1.2.3/32', '10.1.2.3/32'],
    ['::/0', '::/0'],
    ['FD00::/8', 'fd00::/8'],
    ['2001:db8:0:0:8000::/65', '2001:db8:0:0:8000::/65'],
    ['::1', '::1/128'],
  ]
  for (const [text, canonical] of table) t.equal(parseCidr(text)?.text, canonical, text)
})

t.test('a slip of the hand is no block', async (t) => {
  const none = [
    '', '/', '/8', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/08', '10.0.0.0/-1', '10.0.0.0/8 ', '10.0.0.0/8/8', '10.0.0.0/+8',
    '10.0.0.0/1e1', '10.0.0.0/255.0.0.0', '10/8', '10.0.0.1/8', '10.0.0.0/4', '::/129', '::1/127', 'fd00::1/64', '[::]/0',
    '1::/15', '::/1000', '10.0.0.0/٨',
  ]
  for (const text of none) t.equal(parseCidr(text), undefined, text)
})

/** An address, and how many of its bits count. */
const addressAndLength = anyAddress.chain((text) => {
  const address = readAddress(text)
  return fc.tuple(fc.constant(address), fc.nat(bitLength(address.family)))
})

t.test('a block with bits behind its length is refused, and only such a block', async () => {
  fc.assert(fc.property(addressAndLength, ([address, length]) => {
    const hostBits = BigInt(bitLength(address.family) - length)
    const isClean = bitsOf(address) % (2n ** hostBits) === 0n
    return (parseCidr(`${address.text}/${length}`) !== undefined) === isClean
  }))
})

function blockHolds (block: Cidr, address: Address): boolean {
  return createCidrSet([block]).find(address) !== undefined
}

t.test('a block holds exactly the addresses that share its leading bits', async () => {
  fc.assert(fc.property(addressAndLength, anyAddress, fc.nat(127), ([near, length], far, flipped) => {
    const bits = bitLength(near.family)
    const hostBits = BigInt(bits - length)
    const first = addressOf(near.family, (bitsOf(near) >> hostBits) << hostBits)
    const block = readCidr(`${first.text}/${length}`)
    const neighbour = addressOf(near.family, bitsOf(near) ^ (1n << BigInt(flipped % bits)))
    return blockHolds(block, near) &&
      [neighbour, readAddress(far)].every((address) => blockHolds(block, address) === holds(block, address))
  }), { numRuns: 1000 })
})

t.test('a mapped address lies in no IPv4 block, and an IPv4 address in no IPv6 block', async (t) => {
  t.notOk(blockHolds(readCidr('0.0.0.0/0'), readAddress('::ffff:10.0.0.1')))
  t.notOk(blockHolds(readCidr('::/0'), readAddress('10.0.0.1')))
})

t.test('a set finds the narrowest of its blocks, whatever their order', async (t) => {
  const texts = ['10.0.0.0/8', '10.1.2.0/24', '0.0.0.0/0', '10.1.0.0/16', 'fd00::/8']
  for (const order of [texts, texts.toReversed()]) {
    const set = createCidrSet(order.map(readCidr))
    t.equal(set.find(readAddress('10.1.2.3'))?.text, '10.1.2.0/24')
    t.equal(set.find(readAddress('10.1.3.3'))?.text, '10.1.0.0/16')
    t.equal(set.find(readAddress('11.0.0.0'))?.text, '0.0.0.0/0')
    t.equal(set.find(readAddress('fd00::1'))?.text, 'fd00::/8')
    t.equal(set.find(readAddress('fe80::1')), undefined)
    t.equal(set.blocks.length, 5)
  }
  t.equal(emptyCidrSet.find(readAddress('10.1.2.3')), undefined)
})
