import fc from 'fast-check'
import t from 'tap'
import { type HelloReading, maxHelloBytes, readClientHello, renderAlert } from '../../../src/tls/client-hello.ts'
import {
  type HelloParts, encodeExtension, encodeHello, encodeHostName, encodeNameEntry, encodeNumbers, encodeRecords,
  encodeServerName, encodeVector,
} from '../../support/hello-encoder.ts'
import { createDice } from '../../support/noise.ts'
import { recordedHellos } from '../../support/recorded-hellos.ts'

const host = 'contoso.azurecr.io'
const padding = encodeExtension(21, Buffer.alloc(40))

/** A reading, and how many bytes it is of. */
interface Progress {
  readonly length: number
  readonly reading: HelloReading
}

/** What is read first that is not `partial` when the bytes come one at a time. */
function readByteByByte (bytes: Buffer): Progress {
  for (let length = 0; length < bytes.length; length++) {
    const reading = readClientHello(bytes.subarray(0, length))
    if (reading.state !== 'partial') return { length, reading }
  }
  return { length: bytes.length, reading: readClientHello(bytes) }
}

function hello (serverName: string | undefined, hasEch = false): object {
  return { state: 'hello', serverName, hasEch }
}

function notTls (problem: string): object {
  return { state: 'not_tls', problem }
}

/** The message inside the records of a hello. */
function takeMessage (bytes: Buffer): Buffer {
  const fragments: Buffer[] = []
  for (let at = 0; at < bytes.length && bytes[at] === 22;) {
    const end = at + 5 + bytes.readUInt16BE(at + 3)
    fragments.push(bytes.subarray(at + 5, end))
    at = end
  }
  const payload = Buffer.concat(fragments)
  return payload.subarray(0, 4 + payload.readUIntBE(1, 3))
}

for (const { client, hex, hasEch } of recordedHellos) {
  t.test(`the hello of ${client} is read`, async (t) => {
    const flight = Buffer.from(hex, 'hex')
    const message = takeMessage(flight)
    const expected = hello(host, hasEch)
    t.same(readClientHello(flight), expected, 'as it came, with what came behind it')
    for (const sizes of [[2 ** 14], [1], [4, 1], [40, 3], [message.length - 1, 1]]) {
      const bytes = encodeRecords(message, sizes)
      t.same(readByteByByte(bytes), { length: bytes.length, reading: expected }, `in records of ${sizes}`)
    }
  })
}

// GREASE (RFC 8701), with values that nobody knows where everybody can have one.
const grease = [
  encodeExtension(0x0a0a), encodeExtension(0x5a5a, Buffer.of(0)), encodeExtension(0xfafa, Buffer.alloc(40)),
]
const greasedSuites = [0xcaca, 0x1301, 0xc02f]
// X25519MLKEM768 (0x11ec) with its 1216 bytes, behind X25519.
const keyShares = encodeExtension(51, encodeVector(Buffer.concat([
  encodeNumbers([0x001d], 2), encodeVector(Buffer.alloc(32, 1), 2),
  encodeNumbers([0x11ec], 2), encodeVector(Buffer.alloc(1216, 2), 2),
]), 2))

const encryptedHello = encodeExtension(0xfe0d, Buffer.alloc(186))

/** Hellos that no client here makes, or not so. */
const shapes: ReadonlyArray<readonly [what: string, parts: HelloParts, reading: object]> = [
  ['without extensions, as SSL 3.0 had it', { version: 0x0300 }, hello(undefined)],
  ['of TLS 1.0 with a session and compression', {
    version: 0x0301,
    sessionId: Buffer.alloc(32, 7),
    suites: [0x2f, 0x0a, 0x05],
    methods: [1, 0],
    extensions: [encodeHostName(host)],
  }, hello(host)],
  ['with an empty list of extensions', { extensions: [] }, hello(undefined)],
  ['with extensions, none of which names a host', { extensions: [padding] }, hello(undefined)],
  ['with an extension that is empty at its end', { extensions: [encodeHostName(host), encodeExtension(23)] }, hello(host)],
  // By the order that published fingerprints (JA3) of Windows 10 have; .NET on Linux has OpenSSL's.
  ['like the one of SChannel', {
    suites: [
      0xc02c, 0xc02b, 0xc030, 0xc02f, 0x9f, 0x9e, 0xc024, 0xc023, 0xc028, 0xc027, 0xc00a, 0xc009, 0xc014, 0xc013,
      0x9d, 0x9c, 0x3d, 0x3c, 0x35, 0x2f, 0x0a,
    ],
    extensions: [
      encodeHostName(host), encodeExtension(10, encodeVector(encodeNumbers([0x1d, 0x17, 0x18], 2), 2)),
      encodeExtension(11, Buffer.of(1, 0)),
      encodeExtension(13, encodeVector(encodeNumbers([0x0804, 0x0401, 0x0403], 2), 2)),
      encodeExtension(35), encodeExtension(23), encodeExtension(0xff01, Buffer.of(0)),
    ],
  }, hello(host)],
  ['with GREASE all over', { suites: greasedSuites, extensions: [...grease, encodeHostName(host), ...grease] }, hello(host)],
  ['with a post-quantum key share before the name', { extensions: [keyShares, encodeHostName(host)] }, hello(host)],
  ['with ECH, or a decoy of it', { extensions: [encodeHostName(host), encryptedHello] }, hello(host, true)],
  ['with ECH and no name outside it', { extensions: [encryptedHello] }, hello(undefined, true)],
  ['with two ECH, which another may judge', { extensions: [encryptedHello, encryptedHello] }, hello(undefined, true)],
]

for (const [what, parts, expected] of shapes) {
  t.test(`a hello ${what} is read`, async (t) => {
    const bytes = encodeRecords(encodeHello(parts), [1000, 100])
    t.same(readByteByByte(bytes), { length: bytes.length, reading: expected })
    for (const behind of ['\0', '\x14\x03\x03\0\x01\x01', '\x17\x03\x03', 'GET /', '\x16\x03\x01\0\0']) {
      t.same(readClientHello(Buffer.concat([bytes, Buffer.from(behind, 'latin1')])), expected, 'whatever follows it')
    }
  })
}

t.test('what does not speak TLS is told by its first byte, TLS under way by it too', async (t) => {
  const banners = [
    'SSH-2.0-OpenSSH_9.2', 'GET / HTTP/1.1', 'PRI * HTTP/2.0', '220 mail.example ESMTP', 'EHLO a', '+OK', '* OK', '\x05\x01\0', '\0',
    // SSL 2.0's hello, TLS: change cipher spec, alert, application data; DTLS; the first message of PostgreSQL.
    '\x80\x2e\x01\x03\x01', '\x14\x03\x03', '\x15\x03\x01', '\x17\x03\x03', '\xfe\xfd', '\0\0\0\x08\x04\xd2\x16\x2f', '\x1603',
  ]
  for (const banner of banners) {
    const length = banner.startsWith('\x16') ? 2 : 1
    t.same(readByteByByte(Buffer.from(banner, 'latin1')), { length, reading: notTls('no_handshake') }, JSON.stringify(banner))
  }
  t.same(readClientHello(Buffer.alloc(0)), { state: 'partial' })
})

t.test('a name has one form, whatever its letters are', async (t) => {
  const table: ReadonlyArray<readonly [text: string, name: string]> = [
    ['CONTOSO.AzureCR.io', host], [`${host}.`, host], ['localhost', 'localhost'], ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    [`${'a.'.repeat(126)}a`, `${'a.'.repeat(126)}a`], [`${'a.'.repeat(126)}a.`, `${'a.'.repeat(126)}a`],
  ]
  for (const [text, name] of table) {
    t.same(readClientHello(encodeRecords(encodeHello({ extensions: [encodeHostName(text)] }))), hello(name), text)
  }
})

t.test('a server name that is not one usable host name is refused, and never taken for none', async (t) => {
  const texts = [
    '', '.', 'a..b', '-a.example', 'a_b.example', '*.azurecr.io', 'a b', `${host}\0`, `${host}\0.evil.example`, `\0${host}`, `${host}:443`,
    'b\xfccher.example', 'b\xc3\xbccher.example', '127.0.0.1', '127.1', '2130706433', '0x7f.1', '::1', '[::1]', 'a'.repeat(64),
    `${'a.'.repeat(127)}a`, 'a'.repeat(255), 'a'.repeat(256), 'a'.repeat(3000),
  ]
  const name = encodeNameEntry(host)
  const extensions: ReadonlyArray<readonly [what: string, ...extensions: Buffer[]]> = [
    ...texts.map((text) => [JSON.stringify(text), encodeHostName(text)] as const),
    ['the name twice in one list', encodeServerName(name, name)],
    ['two names in one list', encodeServerName(name, encodeNameEntry('evil.example'))],
    ['an entry of another type', encodeServerName(encodeNameEntry(host, 1))],
    ['an entry of another type before the name', encodeServerName(encodeNameEntry('a', 1), name)],
    ['an entry of another type behind the name', encodeServerName(name, encodeNameEntry('a', 1))],
    ['the extension twice', encodeHostName(host), encodeHostName(host)],
    ['the extension twice, with other names', encodeHostName(host), padding, encodeHostName('evil.example')],
    ['the extension twice, empty the second time', encodeHostName(host), encodeExtension(0)],
    ['no list', encodeExtension(0)],
    ['an empty list', encodeServerName()],
    ...[-name.length, -1, 1, 256].map((more) => [
      `a list that says ${more} bytes more than there are`,
      encodeExtension(0, Buffer.concat([encodeNumbers([name.length + more], 2), name])),
    ] as const),
    ['a list that is longer than its entry', encodeServerName(name, Buffer.of(0))],
    ['bytes behind the list', encodeExtension(0, Buffer.concat([encodeVector(name, 2), name]))],
    ['a list that is longer than its extension', encodeExtension(0, encodeVector(name, 2).subarray(0, -1))],
    ['a name that is longer than its entry', encodeServerName(Buffer.from('\0\0\x09a.b'))],
    ['a name that is shorter than its entry', encodeServerName(Buffer.from('\0\0\x02a.b'))],
  ]
  for (const [what, ...list] of extensions) {
    const bytes = encodeRecords(encodeHello({ extensions: [padding, ...list, padding] }))
    t.same(readClientHello(bytes), notTls('unusable_name'), what)
    const atTheEnd = encodeRecords(encodeHello({ extensions: list }), [50, 5])
    t.same(readClientHello(atTheEnd), notTls('unusable_name'), `${what}, at the end`)
  }
})

t.test('a name that is too long for any host is refused before its letters come', async (t) => {
  const start = encodeRecords(encodeHello({ extensions: [] })).length
  for (const size of [255, 256, 3000]) {
    const bytes = encodeRecords(encodeHello({ extensions: [encodeHostName('a'.repeat(size))] }))
    const { length, reading } = readByteByByte(bytes)
    t.same(reading, notTls('unusable_name'))
    t.ok(length <= start + 4, `${size} bytes are too many`)
  }
})

/** A hello in a record; in its message, the session id is at 38, two suites at 39, the method at 45, the rest at 47. */
const plain = encodeRecords(encodeHello({
  suites: [0x1301, 0xc02f],
  extensions: [padding, encodeHostName(host), encodeExtension(23)],
}))
const inRecord = 5
const extensionsAt = inRecord + 45 + 2

/** The same with other bytes from there on, as many as there are. */
function edit (at: number, ...values: readonly number[]): Buffer {
  const bytes = Buffer.from(plain)
  bytes.set(values, at)
  return bytes
}

t.test('lengths that do not add up are refused at the byte that says so', async (t) => {
  const size = plain.length - inRecord
  const lastLength = plain.length - 1
  const nameless = encodeRecords(encodeHello({ extensions: [padding, encodeExtension(0)] }))
  const table: ReadonlyArray<readonly [what: string, bytes: Buffer, length: number, problem: string]> = [
    ['an empty record', edit(3, 0, 0), 5, 'malformed'],
    ['a record of over 2^14 bytes', edit(3, 0x40, 1), 4, 'too_large'],
    ['a record that ends before the hello, and no other one', edit(4, size - 1), plain.length, 'malformed'],
    ['a record that goes on behind the hello', edit(4, size + 1), 9, 'malformed'],
    ['a record that begins with another message', edit(5, 2), 6, 'no_client_hello'],
    ['a hello request', edit(5, 0), 6, 'no_client_hello'],
    ['a message of over 64 KiB', edit(6, 1), 7, 'too_large'],
    ['a message of over 16 KiB', edit(7, 0x40), 8, 'too_large'],
    ['a message that is too short for a hello', Buffer.from([22, 3, 1, 0, 20, 1, 0, 0, 40]), 9, 'malformed'],
    ['SSL 2.0 in the version', edit(9, 2), 10, 'malformed'],
    ['a session id of 33 bytes', edit(inRecord + 38, 33), inRecord + 39, 'malformed'],
    ['no cipher suites', edit(inRecord + 39, 0, 0), inRecord + 41, 'malformed'],
    ['half a cipher suite', edit(inRecord + 39, 0, 3), inRecord + 41, 'malformed'],
    ['more cipher suites than message', edit(inRecord + 39, 0, 200), inRecord + 41, 'malformed'],
    ['cipher suites up to the end of the message', edit(inRecord + 39, 0, (size - 41) & 0xfe), inRecord + 41, 'malformed'],
    ['many more cipher suites than message', edit(inRecord + 39, 1), inRecord + 40, 'malformed'],
    ['no compression methods', edit(inRecord + 45, 0), inRecord + 46, 'malformed'],
    ['more compression methods than message', edit(inRecord + 45, 255), inRecord + 46, 'malformed'],
    ['a byte behind the compression methods', edit(inRecord + 45, size - 47), inRecord + 46, 'malformed'],
    ['three bytes for extensions', edit(inRecord + 45, size - 49), inRecord + 46, 'malformed'],
    ['fewer extensions than message', edit(extensionsAt + 1, size - 50), extensionsAt + 2, 'malformed'],
    ['more extensions than message', edit(extensionsAt, 1), extensionsAt + 1, 'malformed'],
    ['an extension that goes on behind the message', edit(extensionsAt + 4, 0, 200), extensionsAt + 6, 'malformed'],
    ['an extension with three bytes behind it', edit(extensionsAt + 4, 0, size - 47 - 2 - 4 - 1), extensionsAt + 6, 'malformed'],
    ['a second server name', edit(plain.length - 4, 0, 0), plain.length - 2, 'unusable_name'],
    ['a server name without room for one', nameless, nameless.length - 2, 'unusable_name'],
    ['a last extension that is longer than the message', edit(lastLength, 1), lastLength + 1, 'malformed'],
  ]
  t.same(readClientHello(plain), hello(host))
  for (const [what, bytes, length, problem] of table) {
    t.same(readByteByByte(Buffer.concat([bytes, bytes])), { length, reading: notTls(problem) }, what)
  }
})

t.test('records that come between those of a hello are refused at their first byte', async (t) => {
  const message = encodeHello({ extensions: [encodeHostName(host)] })
  const start = encodeRecords(message.subarray(0, 60))
  const others = [[20, 3, 1], [21, 3, 1], [23, 3, 1], [71, 69, 1], [22, 2, 2], [22, 84, 2]] as const
  for (const [first, second, length] of others) {
    const bytes = Buffer.concat([start, Buffer.of(first, second, 1, 0, 1, 0)])
    t.same(readByteByByte(bytes), { length: start.length + length, reading: notTls('malformed') }, `${first} ${second}`)
  }
  const empty = Buffer.concat([start, Buffer.of(22, 3, 1, 0, 0)])
  t.same(readByteByByte(empty), { length: empty.length, reading: notTls('malformed') }, 'an empty one')
  const long = Buffer.concat([start, encodeRecords(Buffer.concat([message.subarray(60), message]))])
  const expected = { length: start.length + 5, reading: notTls('malformed') }
  t.same(readByteByByte(long), expected, 'one with another message behind the hello')
})

t.test('a hello has 16 KiB with its records, and not a byte more', async (t) => {
  function fill (bytes: number): Buffer {
    const bare = encodeHello({ extensions: [encodeHostName(host), encodeExtension(21)] }).length
    return encodeHello({ extensions: [encodeHostName(host), encodeExtension(21, Buffer.alloc(bytes - bare))] })
  }
  const table: ReadonlyArray<readonly [sizes: readonly number[], overhead: number]> = [
    [[2 ** 14], 5], [[8192], 10], [[1, 2 ** 14], 10], [[3, 1, 5000], 30],
    [Array.from({ length: 2000 }, () => 1).concat(2 ** 14), 10_005],
  ]
  for (const [sizes, overhead] of table) {
    const whole = encodeRecords(fill(maxHelloBytes - overhead), sizes)
    t.equal(whole.length, maxHelloBytes)
    t.same(readClientHello(whole), hello(host))
    t.same(readClientHello(whole.subarray(0, -1)), { state: 'partial' })
    const { length, reading } = readByteByByte(encodeRecords(fill(maxHelloBytes - overhead + 1), sizes))
    t.same(reading, notTls('too_large'), `${sizes.slice(0, 3)}`)
    t.ok(length < 12_000, `known after ${length} bytes`)
  }
  const slow = Buffer.concat(Array.from({ length: 3000 }, () => encodeRecords(Buffer.of(1, 0, 0x20, 0))))
  t.equal(readClientHello(slow).state, 'not_tls', 'one that its records would make too large')
})

const text = fc.string({ unit: fc.constantFrom(...'abz09-'), minLength: 1, maxLength: 12 })
const anyName = fc.array(text.map((label) => `a${label}a`), { minLength: 1, maxLength: 6 })
  .map((labels) => `${labels.join('.')}.example`)
const bytesUpTo = (maxLength: number) => fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes))
const otherExtensionType = fc.integer({ min: 1, max: 0xfe0c })
const otherExtension = fc.tuple(otherExtensionType, bytesUpTo(90)).map((parts) => encodeExtension(...parts))
const otherExtensions = fc.array(otherExtension, { maxLength: 5 })
const anyHello = fc.record({
  version: fc.integer({ min: 0x0300, max: 0x03ff }),
  sessionId: bytesUpTo(32),
  suites: fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 1, maxLength: 40 }),
  methods: fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 8 }),
  before: otherExtensions,
  name: fc.option(anyName, { nil: undefined }),
  hasEch: fc.boolean(),
  after: otherExtensions,
}).map(({ before, name, hasEch, after, ...parts }) => ({
  name,
  hasEch,
  message: encodeHello({
    ...parts,
    extensions: [
      ...before, ...name === undefined ? [] : [encodeHostName(name)],
      ...after, ...hasEch ? [encryptedHello] : [],
    ],
  }),
}))
const recordSize = fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 2 ** 14 }))
const recordSizes = fc.array(recordSize, { minLength: 1, maxLength: 8 })

t.test('any hello in any records is read the same, and every beginning of it is partial', async () => {
  fc.assert(fc.property(anyHello, recordSizes, bytesUpTo(20), ({ message, name, hasEch }, sizes, behind) => {
    const bytes = encodeRecords(message, sizes)
    const { length, reading } = readByteByByte(Buffer.concat([bytes, behind]))
    const isRead = reading.state === 'hello' && reading.serverName === name && reading.hasEch === hasEch
    return isRead && length === bytes.length
  }), { numRuns: 1000 })
})

t.test('a reading other than partial stays what it is, whatever follows', async () => {
  const byte = fc.integer({ min: 0, max: 255 })
  fc.assert(fc.property(anyHello, recordSizes, fc.nat(), byte, ({ message }, sizes, place, value) => {
    const bytes = encodeRecords(message, sizes)
    bytes[place % bytes.length] = value
    const { length, reading } = readByteByByte(bytes)
    return [0, 1, 2, 3, 4, 5, 50, 5000].every((more) => {
      const later = readClientHello(bytes.subarray(0, length + more))
      return JSON.stringify(later) === JSON.stringify(reading)
    })
  }), { numRuns: 1000 })
})

/** Writes more behind a beginning, so that it still is one or the whole; refused when no byte can be written there. */
function goOn (bytes: Buffer, length: number, first: number): Progress {
  // A long way at once where what comes is nobody's business.
  const far = Math.min(length + 300, bytes.length)
  if (readClientHello(bytes.subarray(0, far)).state === 'partial') return { length: far, reading: { state: 'partial' } }
  let reading: HelloReading = { state: 'partial' }
  for (let tries = 0; tries < 256; tries++) {
    bytes[length] = (first + tries) % 256
    reading = readClientHello(bytes.subarray(0, length + 1))
    if (reading.state !== 'not_tls') break
  }
  return { length: length + 1, reading }
}

t.test('whatever is partial can still become a hello, byte after byte; but for the letters of a name', async (t) => {
  const dice = createDice(20)
  const below = (limit: number) => Math.floor(dice() * limit)
  const messages = recordedHellos.map(({ hex }) => takeMessage(Buffer.from(hex, 'hex')))
  // What lets lengths be short and long, and finds the type of a record soon.
  const firsts = [0, 22, 200]
  const rounds = 200
  let completed = 0
  for (let round = 0; round < rounds; round++) {
    const mutant = encodeRecords(messages[below(messages.length)] ?? Buffer.alloc(0), [1 + below(20), 10 + below(300)])
    for (let edits = below(4); edits > 0; edits--) mutant[below(Math.min(mutant.length, 120))] = below(256)
    const bytes = Buffer.alloc(maxHelloBytes + 1)
    let length = Math.min(readByteByByte(mutant).length - 1, below(mutant.length))
    mutant.copy(bytes, 0, 0, length)
    let reading: HelloReading = { state: 'partial' }
    while (reading.state === 'partial' && length < bytes.length) ({ length, reading } = goOn(bytes, length, firsts[below(3)] ?? 0))
    const isNameToBlame = reading.state === 'not_tls' && reading.problem === 'unusable_name'
    if (reading.state === 'hello') completed++
    else if (!isNameToBlame) t.fail(`${JSON.stringify(reading)} for ${bytes.toString('hex', 0, Math.min(length, 400))}`)
  }
  t.ok(completed > rounds / 2, `${completed} became one`)
})

t.test('an alert is a whole fatal record that is not encrypted', async (t) => {
  t.same(renderAlert('unrecognized_name'), Buffer.from('15030300020270', 'hex'))
  t.same(renderAlert('access_denied'), Buffer.from('15030300020231', 'hex'))
  t.same(renderAlert('handshake_failure'), Buffer.from('15030300020228', 'hex'))
})
