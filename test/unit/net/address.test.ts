import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import t from 'tap'
import { bitLength, formatSocketAddress, parseAddress, unmapAddress } from '../../../src/net/address.ts'
import { almostAddress, ipv6Groups, readAddress } from './addresses.ts'

t.test('a spelling of an address is read, and written in its one canonical form', async (t) => {
  const table: ReadonlyArray<readonly [text: string, canonical: string]> = [
    ['0.0.0.0', '0.0.0.0'],
    ['20.62.128.4', '20.62.128.4'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8::A', '2001:db8::a'],
    ['2001:0db8:0000:0000:0000:0000:0002:0001', '2001:db8::2:1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:192.0.2.33', '1:2:3:4:5:6:c000:221'],
    ['::192.0.2.33', '::c000:221'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
  ]
  for (const [text, canonical] of table) t.equal(parseAddress(text)?.text, canonical, text)
})

t.test('RFC 5952 §4.2: the longest run of zeros is left out, the first of two, and never a single one', async (t) => {
  t.equal(parseAddress('2001:0:0:1:0:0:0:1')?.text, '2001:0:0:1::1')
  t.equal(parseAddress('2001:db8:0:0:1:0:0:1')?.text, '2001:db8::1:0:0:1')
  t.equal(parseAddress('0:0:1:2:3:0:0:4')?.text, '::1:2:3:0:0:4')
  t.equal(parseAddress('2001:db8:0:1:1:1:1:1')?.text, '2001:db8:0:1:1:1:1:1')
  t.equal(parseAddress('1:0:0:0:0:0:0:0')?.text, '1::')
})

t.test('what only some C library or browser would take for an address is none', async (t) => {
  const none = [
    '', ' ', '.', ':', ':::', '1', '127.1', '10.1.2', '0x7f.0.0.1', '0177.0.0.1', '010.0.0.1', '00.0.0.0', '2130706433',
    '256.0.0.1', '1.2.3.4.', '.1.2.3.4', '1.2.3.4.5', '1.2.3', '1..2.3', '+1.2.3.4', '1.2.3.-4', '1.2.3.4 ', ' 1.2.3.4',
    '1.2.3.4\n', '1.2.3.4\0', '１.2.3.4', '1.2.3.4/32', '1.2.3.4:443',
    '[::1]', '::1%eth0', 'fe80::1%25eth0', '::g', '12345::', '1::2::3', ':1', '1:', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9',
    '1::2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8::', '::1.2.3', '::1.2.3.256', '::01.2.3.4', '1.2.3.4::', '::1.2.3.4:5',
    '1:2:3:4:5:6:7:1.2.3.4', '::1 ', '::1\n', '::ffff:1.2.3.4.',
  ]
  for (const text of none) t.equal(parseAddress(text), undefined, JSON.stringify(text))
})

t.test('whatever is read, another parser reads as the same bits; what it refuses is refused', async () => {
  fc.assert(fc.property(almostAddress, (text) => {
    const address = parseAddress(text)
    // ipaddr.js takes the IPv4-compatible form for the mapped one; the table above says what it is.
    if (address === undefined || /^::[0-9]+\./.test(text)) return true
    if (!ipaddr.isValid(text)) return false
    const bytes = address.words.flatMap((word) => [word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff])
    return bytes.join() === ipaddr.parse(text).toByteArray().join()
  }), { numRuns: 3000 })
})

t.test('every well-formed address is read', async () => {
  fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
    return parseAddress(text)?.words.length === (text.includes(':') ? 4 : 1)
  }))
})

t.test('an IPv6 address has the text that a URL gives it, and that text reads as the same address', async () => {
  fc.assert(fc.property(ipv6Groups, (groups) => {
    const address = parseAddress(groups.map((group) => group.toString(16).padStart(4, '0').toUpperCase()).join(':'))
    if (address === undefined) return false
    const again = parseAddress(address.text)
    return `[${address.text}]` === new URL(`http://[${groups.map((group) => group.toString(16)).join(':')}]/`).hostname &&
      again?.text === address.text && again.words.join() === address.words.join()
  }), { numRuns: 1000 })
})

t.test('a mapped address is unmapped, and no other is touched', async (t) => {
  t.equal(unmapAddress(readAddress('::ffff:192.0.2.33')).text, '192.0.2.33')
  t.equal(unmapAddress(readAddress('::ffff:255.255.255.255')).text, '255.255.255.255')
  t.equal(unmapAddress(readAddress('::ffff:c000:221')).family, 4)
  for (const text of ['192.0.2.33', '::192.0.2.33', '::fffe:192.0.2.33', '::1:ffff:c000:221', '1::ffff:c000:221', '::ffff:0:c000:221']) {
    const address = readAddress(text)
    t.equal(unmapAddress(address), address, text)
  }
  fc.assert(fc.property(fc.ipV4(), (text) => {
    const unmapped = unmapAddress(readAddress(`::ffff:${text}`))
    return unmapped.text === text && unmapped.words.join() === readAddress(text).words.join()
  }))
})

t.test('a port is told from an IPv6 address by brackets', async (t) => {
  t.equal(formatSocketAddress('10.0.0.1', 443), '10.0.0.1:443')
  t.equal(formatSocketAddress('::1', 443), '[::1]:443')
  t.equal(bitLength(4), 32)
  t.equal(bitLength(6), 128)
})
