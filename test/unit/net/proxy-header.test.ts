import fc from 'fast-check'
import t from 'tap'
import { parseAddress } from '../../../src/net/address.ts'
import { type ProxyHeaderReading, maxVersion2Bytes, readProxyHeader } from '../../../src/net/proxy-header.ts'
import {
  assembleVersion2, azureLinkId, localVersion2, proxiedFrom, writeExtension, writeVersion1, writeVersion2,
} from '../../support/proxy-headers.ts'
import { anyAddress } from './addresses.ts'

function read (text: string): ProxyHeaderReading {
  return readProxyHeader(Buffer.from(text, 'latin1'))
}

/** `address port length` of a header, or what else it is. */
function summarize (reading: ProxyHeaderReading): string {
  if (reading.kind === 'partial') return 'partial'
  if (reading.kind === 'malformed') return reading.problem
  const { source, length } = reading
  return source === undefined ? `own ${length}` : `${source.address.text} ${source.port} ${length}`
}

t.test('version 1: a line says where a client is, and bytes behind it are not looked at', async (t) => {
  const lines: ReadonlyArray<readonly [line: string, summary: string]> = [
    ['PROXY TCP4 192.0.2.7 192.0.2.1 50000 443\r\n', '192.0.2.7 50000 42'],
    ['PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n', '255.255.255.255 65535 56'],
    ['PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\nCONNECT a:443 HTTP/1.1\r\n', '0.0.0.0 0 32'],
    ['PROXY TCP6 2001:DB8::7 2001:db8::1 50000 443\r\n\r\n', '2001:db8::7 50000 46'],
    ['PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n',
      'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 104'],
    ['PROXY UNKNOWN\r\n', 'own 15'],
    ['PROXY UNKNOWN \r\n', 'own 16'],
    ['PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n', 'own 107'],
    ['PROXY UNKNOWN \0\xff\n\r what may be\r\n', 'own 32'],
  ]
  for (const [line, summary] of lines) t.equal(summarize(read(line)), summary, JSON.stringify(line))
})

t.test('an IPv4 client of a socket for both families is IPv4, as it is where it connects by itself', async (t) => {
  t.equal(summarize(read('PROXY TCP6 ::ffff:192.0.2.7 ::ffff:192.0.2.1 50000 443\r\n')), '192.0.2.7 50000 56')
  t.equal(summarize(readProxyHeader(writeVersion2(proxiedFrom('::ffff:192.0.2.7')))), '192.0.2.7 50000 52')
})

t.test('version 1: whatever is not exactly the line is refused', async (t) => {
  const lines = [
    'PROXY \r\n', 'PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n', 'PROXY TCP4\r\n', 'PROXY TCP4 \r\n', 'PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n',
    'PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n', 'PROXY TCP4 1.2.3.4\t1.2.3.4 1 2\r\n', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rX\n', 'PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 00\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 100000\r\n', 'PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n', 'PROXY TCP4 1.2.3.4 1.2.3.4 0x1 2\r\n', 'PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n', 'PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n', 'PROXY TCP4 1.2.3.4 x 1 2\r\n', 'PROXY TCP4 ::1 ::1 1 2\r\n',
    'PROXY TCP4 1.2.3.4 ::1 1 2\r\n', 'PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n', 'PROXY TCP6 ::1%eth0 ::1 1 2\r\n', 'PROXY TCP6 [::1] ::1 1 2\r\n',
    'PROXY TCP6 1::2::3 ::1 1 2\r\n', 'PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n', 'PROXY UNKNOWNX\r\n', 'PROXY UNKNOW\r\n',
    `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`,
  ]
  for (const line of lines) t.equal(summarize(read(line)), 'garbled', JSON.stringify(line))
  t.equal(summarize(read('PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r')), 'partial', 'half an end may still become a whole one')
})

t.test('version 2: addresses are read, and all that is behind them is skipped', async (t) => {
  t.equal(summarize(readProxyHeader(writeVersion2(proxiedFrom('192.0.2.7')))), '192.0.2.7 50000 28')
  t.equal(summarize(readProxyHeader(writeVersion2(proxiedFrom('2001:db8::7', 65535)))), '2001:db8::7 65535 52')
  t.equal(summarize(readProxyHeader(writeVersion2(proxiedFrom('10.1.2.3', 0), azureLinkId))), '10.1.2.3 0 36')
  const most = writeExtension(0x04, Buffer.alloc(maxVersion2Bytes - 36 - 3))
  t.equal(summarize(readProxyHeader(writeVersion2(proxiedFrom('2001:db8::7'), most))), '2001:db8::7 50000 2064')
  const nonsense = Buffer.from('no type, length and value')
  t.equal(summarize(readProxyHeader(writeVersion2(proxiedFrom('10.1.2.3'), nonsense))), '10.1.2.3 50000 53')
})

t.test('version 2: a connection of the load balancer itself has no source, whatever else is said', async (t) => {
  t.equal(summarize(readProxyHeader(localVersion2)), 'own 16')
  for (const transport of [0x00, 0x11, 0x12, 0x21, 0x31, 0x44, 0xff]) {
    t.equal(summarize(readProxyHeader(assembleVersion2(0x20, transport, Buffer.alloc(5)))), 'own 21', `LOCAL with ${transport}`)
  }
  t.equal(summarize(readProxyHeader(assembleVersion2(0x21, 0x00, Buffer.alloc(0)))), 'own 16', 'PROXY of unknown family')
  t.equal(summarize(readProxyHeader(assembleVersion2(0x21, 0x00, Buffer.alloc(12)))), 'own 28')
})

t.test('version 2: what is no TCP over IP, too short, too long or not of this version is refused', async (t) => {
  for (const command of [0x00, 0x01, 0x10, 0x11, 0x22, 0x2f, 0x30, 0x31, 0xff]) {
    t.equal(summarize(readProxyHeader(assembleVersion2(command, 0x11, Buffer.alloc(12)))), 'garbled', `command ${command}`)
  }
  for (const transport of [0x12, 0x22, 0x31, 0x32]) {
    t.equal(summarize(readProxyHeader(assembleVersion2(0x21, transport, Buffer.alloc(216)))), 'not_tcp', `transport ${transport}`)
  }
  for (const transport of [0x01, 0x02, 0x03, 0x10, 0x13, 0x20, 0x23, 0x30, 0x41, 0xff]) {
    t.equal(summarize(readProxyHeader(assembleVersion2(0x21, transport, Buffer.alloc(216)))), 'garbled', `transport ${transport}`)
  }
  t.equal(summarize(readProxyHeader(assembleVersion2(0x21, 0x11, Buffer.alloc(11)))), 'garbled')
  t.equal(summarize(readProxyHeader(assembleVersion2(0x21, 0x21, Buffer.alloc(35)))), 'garbled')
  t.equal(summarize(readProxyHeader(assembleVersion2(0x21, 0x11, Buffer.alloc(0), maxVersion2Bytes + 1))), 'too_long')
  t.equal(summarize(readProxyHeader(assembleVersion2(0x20, 0x00, Buffer.alloc(0), 0xffff))), 'too_long')
})

t.test('what begins like neither version has no header', async (t) => {
  const openings = [
    'X', 'CONNECT a:443 HTTP/1.1\r\n\r\n', 'POST', 'PROXYX', 'PROXY\r\n', 'PRI * HTTP/2.0\r\n', 'proxy ', ' PROXY ', '\x16\x03\x01', '\r\nX', '\r\n\r\n\r',
    '\r\n\r\n\0\r\nQUIT\r', '\n',
  ]
  for (const opening of openings) t.equal(summarize(read(opening)), 'absent', JSON.stringify(opening))
  t.equal(summarize(read('')), 'partial')
})

t.test('a beginning that nothing can make a header of is refused at once', async (t) => {
  const beginnings = [
    'PROXY T4', 'PROXY TCP5', 'PROXY TCP4\r', 'PROXY TCP4 x', 'PROXY TCP4 1.2.3.4.', 'PROXY TCP4 1..', 'PROXY TCP4 256', 'PROXY TCP4 1.2.3.4  ',
    'PROXY TCP4 a:', 'PROXY TCP6 1.', 'PROXY TCP6 1::2::', 'PROXY TCP6 12345', 'PROXY TCP6 1:2:3:4:5:6:7:8:', 'PROXY TCP4 1.2.3.4 1.2.3.4 x',
    'PROXY TCP4 1.2.3.4 1.2.3.4 65536', 'PROXY TCP4 1.2.3.4 1.2.3.4 1\r', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 \r', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 2 ', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r', `PROXY UNKNOWN ${'x'.repeat(93)}`,
  ]
  for (const beginning of beginnings) t.equal(summarize(read(beginning)), 'garbled', JSON.stringify(beginning))
})

const port = fc.oneof(fc.constantFrom(0, 1, 9, 10, 6553, 65535), fc.nat(65535))
const connection = fc.tuple(anyAddress, port, port).map(([source, sourcePort, destinationPort]) => {
  return { ...proxiedFrom(source, sourcePort), destinationPort }
})
const header = fc.oneof(
  connection.map(writeVersion1),
  fc.tuple(connection, fc.uint8Array({ maxLength: 600 })).map(([one, rest]) => writeVersion2(one, Buffer.from(rest))),
  fc.constantFrom('', ' ', ' 1.2.3.4 junk').map((rest) => Buffer.from(`PROXY UNKNOWN${rest}\r\n`)),
  fc.uint8Array({ maxLength: 60 }).map((rest) => assembleVersion2(0x20, 0x00, Buffer.from(rest))),
)

t.test('however it is cut, a header is partial up to its last byte, and the same with whatever follows', async () => {
  fc.assert(fc.property(header, fc.uint8Array({ maxLength: 40 }), (whole, rest) => {
    const reading = readProxyHeader(whole)
    if (reading.kind !== 'header' || reading.length !== whole.length) return false
    for (let cut = 0; cut < whole.length; cut++) {
      if (readProxyHeader(whole.subarray(0, cut)).kind !== 'partial') return false
    }
    return summarize(readProxyHeader(Buffer.concat([whole, rest]))) === summarize(reading)
  }))
})

t.test('both versions say the same of a connection, in the one form that addresses have', async () => {
  fc.assert(fc.property(connection, (one) => {
    const [first, second] = [readProxyHeader(writeVersion1(one)), readProxyHeader(writeVersion2(one))]
    if (first.kind !== 'header' || second.kind !== 'header' || first.source === undefined) return false
    const { address, port } = first.source
    return port === one.sourcePort && JSON.stringify(address) === JSON.stringify(second.source?.address) &&
      JSON.stringify(address) === JSON.stringify(parseAddress(address.text))
  }))
})

t.test('with any bytes changed nothing is thrown, and what was refused stays refused with more bytes', async () => {
  const slip = fc.tuple(fc.nat(2200), fc.nat(255), fc.constantFrom('set', 'insert', 'drop'))
  fc.assert(fc.property(header, fc.array(slip, { minLength: 1, maxLength: 3 }), (whole, slips) => {
    let bytes = whole
    for (const [place, value, how] of slips) {
      const at = place % (bytes.length + 1)
      const middle = how === 'drop' ? [] : [value]
      bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(middle), bytes.subarray(how === 'insert' ? at : at + 1)])
    }
    let last = readProxyHeader(bytes.subarray(0, 0))
    for (let cut = 1; cut <= bytes.length; cut++) {
      const next = readProxyHeader(bytes.subarray(0, cut))
      if (last.kind !== 'partial' && summarize(last) !== summarize(next)) return false
      last = next
    }
    return true
  }), { numRuns: 500 })
})
