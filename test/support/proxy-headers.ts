import { isIPv4 } from 'node:net'
import { parseAddress } from '../../src/net/address.ts'

/** What a load balancer says of a connection. */
export interface ProxiedConnection {
  readonly source: string
  readonly sourcePort: number
  readonly destination: string
  readonly destinationPort: number
}

/** A connection of this client, to some port of the load balancer. */
export function proxiedFrom (source: string, sourcePort = 50_000): ProxiedConnection {
  return { source, sourcePort, destination: isIPv4(source) ? '192.0.2.1' : '2001:db8::1', destinationPort: 443 }
}

/** The header of version 1, as a load balancer writes it. */
export function writeVersion1 ({ source, destination, sourcePort, destinationPort }: ProxiedConnection): Buffer {
  const protocol = isIPv4(source) ? 'TCP4' : 'TCP6'
  return Buffer.from(`PROXY ${protocol} ${source} ${destination} ${sourcePort} ${destinationPort}\r\n`, 'latin1')
}

const signature = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a])

/** A header of version 2 from its parts, good or not: command, family and protocol, and all that follows. */
export function assembleVersion2 (command: number, transport: number, rest: Buffer, length = rest.length): Buffer {
  return Buffer.concat([signature, Buffer.from([command, transport, length >>> 8, length & 0xff]), rest])
}

/** The header of version 2, with what may stand behind the addresses. */
export function writeVersion2 (
  { source, destination, sourcePort, destinationPort }: ProxiedConnection, extensions: Buffer = Buffer.alloc(0),
): Buffer {
  const ports = Buffer.alloc(4)
  ports.writeUInt16BE(sourcePort, 0)
  ports.writeUInt16BE(destinationPort, 2)
  const rest = Buffer.concat([bytesOf(source), bytesOf(destination), ports, extensions])
  return assembleVersion2(0x21, isIPv4(source) ? 0x11 : 0x21, rest)
}

/** What load balancers send for connections of their own. */
export const localVersion2 = assembleVersion2(0x20, 0x00, Buffer.alloc(0))

/** One type-length-value of version 2. */
export function writeExtension (type: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, value.length >>> 8, value.length & 0xff]), value])
}

/** The id of the private endpoint, as Azure Private Link adds it: type 0xEE, subtype 1, a number of four bytes. */
export const azureLinkId = writeExtension(0xee, Buffer.from([0x01, 0x44, 0x33, 0x22, 0x11]))

function bytesOf (text: string): Buffer {
  const address = parseAddress(text)
  if (address === undefined) throw new TypeError(`not an address: ${text}`)
  const bytes = Buffer.alloc(4 * address.words.length)
  for (const [index, word] of address.words.entries()) bytes.writeUInt32BE(word, 4 * index)
  return bytes
}
