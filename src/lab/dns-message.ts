import { isIP } from 'node:net'

/** Response codes of RFC 1035 section 4.1.1, those that a lab has a use for. */
const responseCodes = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const

const typeCodes: Readonly<Record<string, number>> = {
  A: 1, NS: 2, CNAME: 5, SOA: 6, MX: 15, TXT: 16, AAAA: 28, SRV: 33, HTTPS: 65,
}
const typeNames = new Map(Object.entries(typeCodes).map(([name, code]) => [code, name]))

const headerBytes = 12
const internetClass = 1
const optType = 41
/** RFC 1035 section 4.2.1: what a UDP answer may measure when the question says nothing else. */
const classicUdpBytes = 512

export type ResponseCode = keyof typeof responseCodes

/** One question as it came, well-formed. */
export interface DnsQuery {
  readonly id: number
  /** Without the last dot, in the letters that were sent: resolvers vary their case and expect it back. */
  readonly name: string
  /** `A`, `AAAA` …, or `TYPE123` (RFC 3597) for a type without a name here. */
  readonly type: string
  /** The longest answer that the asker takes over UDP (EDNS, RFC 6891, or 512). */
  readonly maxUdpBytes: number
  readonly usesEdns: boolean
  readonly recursionDesired: boolean
  /** The question section's bytes, to be echoed. */
  readonly question: Buffer
}

/** One record of an answer. */
export type DnsRecord =
  | { readonly type: 'A' | 'AAAA', readonly name: string, readonly ttl: number, readonly address: string }
  | { readonly type: 'CNAME', readonly name: string, readonly ttl: number, readonly target: string }

/** What `encodeResponse` writes besides what it takes from the query. */
export interface DnsResponse {
  readonly id: number
  /** The question section: the query's own, unless a lie is wanted. */
  readonly question: Buffer
  readonly code: ResponseCode
  readonly truncated: boolean
  readonly records: readonly DnsRecord[]
}

/**
 * Reads one query: a header, exactly one question without compression, perhaps an EDNS record.
 * `undefined` for whatever else the bytes are; never throws.
 */
export function parseQuery (message: Buffer): DnsQuery | undefined {
  if (message.length < headerBytes) return undefined
  const flags = message.readUInt16BE(2)
  const isResponse = (flags & 0x8000) !== 0
  const operation = (flags >> 11) & 0xf
  if (isResponse || operation !== 0 || message.readUInt16BE(4) !== 1) return undefined
  const name = parseName(message, headerBytes)
  if (name === undefined || message.length < name.end + 4) return undefined
  if (message.readUInt16BE(name.end + 2) !== internetClass) return undefined
  const code = message.readUInt16BE(name.end)
  const end = name.end + 4
  const ednsBytes = parseEdns(message, end)
  return {
    id: message.readUInt16BE(0),
    name: name.text,
    type: typeNames.get(code) ?? `TYPE${code}`,
    maxUdpBytes: Math.max(classicUdpBytes, ednsBytes ?? 0),
    usesEdns: ednsBytes !== undefined,
    recursionDesired: (flags & 0x0100) !== 0,
    question: message.subarray(headerBytes, end),
  }
}

/** The question section that asks for `name`, for an answer that is to name another question than was asked. */
export function encodeQuestion (name: string, type: string): Buffer {
  const fixed = Buffer.alloc(4)
  fixed.writeUInt16BE(typeCodes[type] ?? 0, 0)
  fixed.writeUInt16BE(internetClass, 2)
  return Buffer.concat([encodeName(name), fixed])
}

/**
 * Writes the response to a query; a truncated one carries no record.
 *
 * @throws RangeError for a record that no message can hold: a bad name, or an address that is none.
 */
export function encodeResponse (query: DnsQuery, response: DnsResponse): Buffer {
  const records = response.truncated ? [] : response.records
  const header = Buffer.alloc(headerBytes)
  header.writeUInt16BE(response.id, 0)
  // A response (0x8000) with recursion available (0x0080); truncated is 0x0200, recursion desired 0x0100.
  const flags = 0x8080 | (response.truncated ? 0x0200 : 0) | (query.recursionDesired ? 0x0100 : 0)
  header.writeUInt16BE(flags | responseCodes[response.code], 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(records.length, 6)
  header.writeUInt16BE(query.usesEdns ? 1 : 0, 10)
  const edns = query.usesEdns ? [encodeEdns()] : []
  return Buffer.concat([header, response.question, ...records.map(encodeRecord), ...edns])
}

/** RFC 1035 section 4.1.2. A pointer makes no sense in the first name of a message, so none is followed. */
function parseName (message: Buffer, start: number): { text: string, end: number } | undefined {
  const labels: string[] = []
  let offset = start
  for (let length = message[offset]; length !== 0; length = message[offset]) {
    if (length === undefined || length > 63 || offset + 1 + length >= message.length) return undefined
    labels.push(message.toString('latin1', offset + 1, offset + 1 + length))
    offset += 1 + length
    if (offset - start > 254) return undefined
  }
  return { text: labels.join('.'), end: offset + 1 }
}

/** The UDP size in an OPT record right behind the question, where every resolver puts it. */
function parseEdns (message: Buffer, offset: number): number | undefined {
  const hasAdditional = message.readUInt16BE(10) > 0
  if (!hasAdditional || message.length < offset + 11) return undefined
  const isOpt = message[offset] === 0 && message.readUInt16BE(offset + 1) === optType
  return isOpt ? message.readUInt16BE(offset + 3) : undefined
}

function encodeEdns (): Buffer {
  const record = Buffer.alloc(11)
  record.writeUInt16BE(optType, 1)
  // 1232 is the UDP size that the DNS Flag Day of 2020 settled on.
  record.writeUInt16BE(1232, 3)
  return record
}

function encodeRecord (record: DnsRecord): Buffer {
  const value = record.type === 'CNAME' ? encodeName(record.target) : encodeAddress(record.address)
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(typeCodes[record.type] ?? 0, 0)
  fixed.writeUInt16BE(internetClass, 2)
  fixed.writeUInt32BE(record.ttl, 4)
  fixed.writeUInt16BE(value.length, 8)
  return Buffer.concat([encodeName(record.name), fixed, value])
}

function encodeName (name: string): Buffer {
  const labels = name === '' ? [] : name.split('.')
  const parts = labels.map((label) => Buffer.from(`\0${label}`, 'latin1'))
  for (const part of parts) {
    if (part.length < 2 || part.length > 64) throw new RangeError(`${JSON.stringify(name)} has a label that is empty or over 63 bytes`)
    part.writeUInt8(part.length - 1, 0)
  }
  return Buffer.concat([...parts, Buffer.alloc(1)])
}

function encodeAddress (address: string): Buffer {
  switch (isIP(address)) {
    case 4: return Buffer.from(address.split('.').map(Number))
    case 6: return encodeIPv6(address)
    default: throw new RangeError(`${JSON.stringify(address)} is not an IP address`)
  }
}

/** The URL standard's spelling has no dotted quad left, only groups of hexadecimal digits and perhaps one gap. */
function encodeIPv6 (address: string): Buffer {
  const [head = '', tail = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === '' ? [] : tail.split(':')
  const gap = new Array<string>(8 - before.length - after.length).fill('0')
  return Buffer.from([...before, ...gap, ...after].map((group) => group.padStart(4, '0')).join(''), 'hex')
}
