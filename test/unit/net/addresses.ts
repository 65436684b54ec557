import fc from 'fast-check'
import { type Address, bitLength, parseAddress } from '../../../src/net/address.ts'
import { type Cidr, parseCidr } from '../../../src/net/cidr.ts'

/** The groups of an IPv6 address, with many zeros among them. */
export const ipv6Groups = fc.array(
  fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.integer({ min: 0, max: 0xffff }) }),
  { minLength: 8, maxLength: 8 },
)

/** Addresses in good and bad spellings: well-formed ones, such ones with a slip, and what looks a little like one. */
export const almostAddress = fc.oneof(
  fc.ipV4(),
  fc.ipV4Extended(),
  fc.ipV6(),
  fc.tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(45), fc.nat(2), fc.constantFrom('', ':', '::', '.', '0', 'f', '%1', '/8', ' '))
    .map(([text, at, cut, slip]) => text.slice(0, at) + slip + text.slice(at + cut)),
  fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEFx.:%[]'), maxLength: 40 }),
)

/** Any address, as its text. */
export const anyAddress = fc.oneof(fc.ipV4(), ipv6Groups.map((groups) => groups.map((group) => group.toString(16)).join(':')))

/** The bits of an address as one number: the plain way to compare, for checking the quick one. */
export function bitsOf (address: Address): bigint {
  return address.words.reduce((bits, word) => (bits << 32n) + BigInt(word), 0n)
}

/** The address with these bits. */
export function addressOf (family: 4 | 6, bits: bigint): Address {
  const partBits = family === 4 ? 8 : 16
  const parts: string[] = []
  for (let shift = bitLength(family) - partBits; shift >= 0; shift -= partBits) {
    parts.push(((bits >> BigInt(shift)) & (2n ** BigInt(partBits) - 1n)).toString(family === 4 ? 10 : 16))
  }
  return readAddress(parts.join(family === 4 ? '.' : ':'))
}

/** These bits as `Address.words`. */
export function wordsOf (family: 4 | 6, bits: bigint): readonly number[] {
  if (family === 4) return [Number(bits)]
  return [96n, 64n, 32n, 0n].map((shift) => Number((bits >> shift) & 0xffff_ffffn))
}

/** Whether the leading bits agree; the plain way. */
export function holds (block: Cidr, address: Address): boolean {
  const hostBits = BigInt(bitLength(block.first.family) - block.prefixLength)
  return block.first.family === address.family && bitsOf(block.first) >> hostBits === bitsOf(address) >> hostBits
}

export function readAddress (text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new TypeError(`not an address: ${text}`)
  return address
}

export function readCidr (text: string): Cidr {
  const block = parseCidr(text)
  if (block === undefined) throw new TypeError(`not a block: ${text}`)
  return block
}
