import { type Address, createAddress, parseAddress, unmapAddress } from './address.ts'

/** The client's end of the connection that a load balancer passes on. */
export interface ProxiedSource {
  /** IPv4 as IPv4, also where the load balancer has a socket for both families and sends it as IPv6. */
  readonly address: Address
  readonly port: number
}

/**
 * Why bytes are no header that can be taken: they do not begin like one (`absent`), are against the specification
 * (`garbled`), are longer than any that is read (`too_long`), or speak for something else than TCP over IP (`not_tcp`).
 */
export type ProxyHeaderProblem = 'absent' | 'garbled' | 'too_long' | 'not_tcp'

/** What the first bytes of a connection are. */
export type ProxyHeaderReading =
  /** The beginning of a header: bytes may follow that make it one. */
  | { readonly kind: 'partial' }
  /** A header of `length` bytes. Without a source the connection is the load balancer's own, such as a health check. */
  | { readonly kind: 'header', readonly source?: ProxiedSource, readonly length: number }
  | { readonly kind: 'malformed', readonly problem: ProxyHeaderProblem }

/**
 * Most bytes of version 2 behind its fixed part. Addresses are 36 of them, and what load balancers add is small (the
 * id of a private endpoint in Azure 8 bytes, a server name up to 258, a unique id up to 131), but HAProxy can be told
 * to add fields of a client's certificate. The specification wants a header to fit into 536 bytes, and lets it have
 * 65,551.
 */
export const maxVersion2Bytes = 2048

/**
 * Reads the header of the PROXY protocol, version 1 or 2 (HAProxy's proxy-protocol.txt of 2020-03-05, §2). What version
 * 2 has behind its addresses is skipped, a checksum too.
 */
export function readProxyHeader (bytes: Buffer): ProxyHeaderReading {
  if (startsAlike(bytes, lineOpening)) return readVersion1(bytes)
  if (startsAlike(bytes, signature)) return readVersion2(bytes)
  return malformed('absent')
}

/** Whether bytes have the whole opening of a header, of either version. Nothing else that is spoken here begins so. */
export function hasProxyOpening (bytes: Buffer): boolean {
  return [lineOpening, signature].some((opening) => bytes.length >= opening.length && startsAlike(bytes, opening))
}

// The specification's own bound, with CRLF: the longest line of version 1 there can be.
const maxLineLength = 107
const lineOpening = Buffer.from('PROXY ', 'latin1')
const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const partial = { kind: 'partial' } as const

function malformed (problem: ProxyHeaderProblem): ProxyHeaderReading {
  return { kind: 'malformed', problem }
}

/** Whether the shorter of the two is how the longer begins. */
function startsAlike (bytes: Buffer, opening: Buffer): boolean {
  const length = Math.min(bytes.length, opening.length)
  return bytes.compare(opening, 0, length, 0, length) === 0
}

function readVersion1 (bytes: Buffer): ProxyHeaderReading {
  const text = bytes.toString('latin1', 0, maxLineLength)
  const end = text.indexOf('\r\n')
  if (end === -1) return text.length < maxLineLength && canBecomeLine(text) ? partial : malformed('garbled')
  const [, protocol = '', ...fields] = text.slice(0, end).split(' ')
  const length = end + 2
  if (protocol === 'UNKNOWN') return { kind: 'header', length }
  const [source, destination, sourcePort, destinationPort, ...more] = fields
  const address = readField(protocol, source)
  const port = readPort(sourcePort)
  if (address === undefined || port === undefined || more.length > 0) return malformed('garbled')
  if (readField(protocol, destination) === undefined || readPort(destinationPort) === undefined) return malformed('garbled')
  return { kind: 'header', source: { address: unmapAddress(address), port }, length }
}

/** An address of the family that the line is for. */
function readField (protocol: string, text = ''): Address | undefined {
  const address = parseAddress(text)
  return address !== undefined && protocol === `TCP${address.family}` ? address : undefined
}

function readPort (text = ''): number | undefined {
  return /^(?:0|[1-9][0-9]{0,4})$/.test(text) && Number(text) <= 65535 ? Number(text) : undefined
}

/** Whether a line without its end is how a good one begins. */
function canBecomeLine (text: string): boolean {
  const [, protocol = '', ...fields] = text.split(' ')
  if (fields.length === 0) return ['TCP4 ', 'TCP6 ', 'UNKNOWN\r'].some((word) => word.startsWith(protocol))
  if (protocol === 'UNKNOWN') return true
  return fields.length <= 4 && fields.every((field, index) => {
    const isLast = index === fields.length - 1
    if (index < 2) return isLast ? canBecomeField(protocol, field) : readField(protocol, field) !== undefined
    // Whatever a port begins with is a port.
    return (isLast && field === '') || readPort(index === 3 ? field.replace(/\r$/, '') : field) !== undefined
  })
}

/** What makes an address of the beginning of one, at least one of them of any. */
const completions = ['', ':', '::', '0', '.0', '0.0', '.0.0', '0.0.0', '.0.0.0', '0.0.0.0']

function canBecomeField (protocol: string, beginning: string): boolean {
  return completions.some((rest) => readField(protocol, beginning + rest) !== undefined)
}

// Family and protocol of version 2, in one byte.
const unspecified = 0x00
const tcpOver = { ipv4: 0x11, ipv6: 0x21 }
// UDP over either, and the sockets of a host: the specification has them, and no tunnel comes by them.
const notTcp = [0x12, 0x22, 0x31, 0x32]
// Two addresses and two ports.
const addressBytes: Readonly<Record<number, number>> = { [tcpOver.ipv4]: 12, [tcpOver.ipv6]: 36 }
const fixedBytes = 16

function readVersion2 (bytes: Buffer): ProxyHeaderReading {
  const [command, transport, lengthHigh, lengthLow = 0] = bytes.subarray(signature.length, fixedBytes)
  if (command === undefined) return partial
  const isLocal = command === 0x20
  if (!isLocal && command !== 0x21) return malformed('garbled')
  if (transport === undefined) return partial
  const hasSource = !isLocal && transport !== unspecified
  if (hasSource && notTcp.includes(transport)) return malformed('not_tcp')
  const leastBytes = hasSource ? addressBytes[transport] : 0
  if (leastBytes === undefined) return malformed('garbled')
  if (lengthHigh === undefined) return partial
  const variableBytes = lengthHigh * 256 + lengthLow
  if (variableBytes > maxVersion2Bytes) return malformed('too_long')
  if (bytes.length < fixedBytes) return partial
  if (variableBytes < leastBytes) return malformed('garbled')
  const length = fixedBytes + variableBytes
  if (bytes.length < length) return partial
  return hasSource ? { kind: 'header', source: readSource(bytes, transport), length } : { kind: 'header', length }
}

function readSource (bytes: Buffer, transport: number): ProxiedSource {
  const isIpv4 = transport === tcpOver.ipv4
  const words = (isIpv4 ? [0] : [0, 1, 2, 3]).map((index) => bytes.readUInt32BE(fixedBytes + 4 * index))
  // Both addresses come before both ports.
  const port = bytes.readUInt16BE(fixedBytes + 2 * 4 * words.length)
  return { address: unmapAddress(createAddress(words)), port }
}
