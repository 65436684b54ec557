import t from 'tap'
import { type Address, bitLength } from '../../../src/net/address.ts'
import { findSpecialPurpose, listSpecialPurposeBlocks } from '../../../src/net/special-purpose.ts'
import { addressOf, bitsOf, holds, readAddress, readCidr } from './addresses.ts'

/** The IANA registries by hand, and the Azure platform address; read for this test, not copied from the source. */
const blocks = [
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '168.63.129.16/32', '169.254.0.0/16', '172.16.0.0/12',
  '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24',
  '224.0.0.0/4', '240.0.0.0/4',
  '::/3', '4000::/2', '8000::/1', '::/128', '::1/128', '::/96', '::ffff:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64',
  '100:0:0:1::/64', '2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20', '5f00::/16', 'fc00::/7', 'fe80::/10', 'fec0::/10',
  'ff00::/8',
].map(readCidr)

/** Where a virtual network or a lab can have a private endpoint. */
const privateRanges = ['10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '::1/128', 'fc00::/7']

/** The narrowest of the blocks above, by arithmetic on whole addresses. */
function expectBlock (address: Address): string | undefined {
  const [narrowest] = blocks
    .filter((block) => holds(block, address))
    .sort((a, b) => b.prefixLength - a.prefixLength)
  return narrowest?.text
}

t.test('every special-purpose block begins and ends where it should, and its neighbours are judged by themselves', async (t) => {
  for (const block of blocks) {
    const { family } = block.first
    const first = bitsOf(block.first)
    const size = 2n ** BigInt(bitLength(family) - block.prefixLength)
    const end = 2n ** BigInt(bitLength(family))
    const edges = [first - 1n, first, first + size - 1n, first + size].filter((bits) => bits >= 0n && bits < end)
    for (const address of edges.map((bits) => addressOf(family, bits))) {
      t.equal(findSpecialPurpose(address)?.block.text, expectBlock(address), `${address.text}, at the edge of ${block.text}`)
    }
    t.not(findSpecialPurpose(block.first), undefined, `${block.text} is special`)
  }
})

t.test('a purpose is told in words, with its RFC', async (t) => {
  const table: ReadonlyArray<readonly [address: string, what: string]> = [
    ['10.255.255.255', 'private use (RFC 1918)'],
    ['127.0.0.1', 'loopback (RFC 1122)'],
    ['168.63.129.16', 'the Azure platform address'],
    ['169.254.169.254', 'link-local, with the cloud metadata service (RFC 3927)'],
    ['255.255.255.255', 'reserved, with limited broadcast (RFC 1112, RFC 919)'],
    ['::', 'unspecified (RFC 4291)'],
    ['::1', 'loopback (RFC 4291)'],
    ['::10.0.0.1', 'IPv4-compatible (RFC 4291)'],
    ['::ffff:20.62.128.4', 'IPv4-mapped (RFC 4291)'],
    ['64:ff9b::20.62.128.4', 'IPv4-IPv6 translation (RFC 6052)'],
    ['2001::1', 'IETF protocol assignments, with Teredo (RFC 2928, RFC 4380)'],
    ['2002:1414:1414::1', '6to4 (RFC 3056)'],
    ['fd00::1', 'unique local (RFC 4193)'],
    ['fe80::1', 'link-local (RFC 4291)'],
    ['1::', 'not global unicast (RFC 4291)'],
  ]
  for (const [address, what] of table) t.equal(findSpecialPurpose(readAddress(address))?.what, what, address)
})

t.test('ordinary public addresses have no special purpose', async (t) => {
  const ordinary = [
    '1.1.1.1', '9.255.255.255', '11.0.0.0', '20.62.128.4', '100.63.255.255', '100.128.0.0', '168.63.129.15', '168.63.129.17',
    '172.15.255.255', '172.32.0.0', '192.0.1.0', '192.167.255.255', '223.255.255.255', '2000::', '2001:200::1', '2001:db7::1',
    '2001:db9::1', '2003::1', '2603:1030:408::1', '2a01:111::1', '3ffe::1', '3fff:1000::1',
  ]
  for (const address of ordinary) t.equal(findSpecialPurpose(readAddress(address)), undefined, address)
})

t.test('a private endpoint can lie in the private and shared ranges and loopback, and nowhere else', async (t) => {
  for (const block of blocks) {
    const purpose = findSpecialPurpose(block.first)
    t.equal(purpose?.mayHoldPrivateEndpoint, privateRanges.includes(purpose?.block.text ?? ''), block.text)
  }
})

t.test('a range for private endpoints has no other block inside, so that its first address speaks for all of it', async (t) => {
  for (const range of privateRanges.map(readCidr)) {
    const inside = blocks.filter(({ first }) => holds(range, first)).map(({ text }) => text)
    t.same(inside, [range.text])
  }
})

t.test('the list of all blocks is the whole list', async (t) => {
  t.same(listSpecialPurposeBlocks().map(({ text }) => text).sort(), [...blocks].map(({ text }) => text).sort())
})
