import { type Address, bitLength, parseAddress } from '../net/address.ts'
import { type Cidr, parseCidr } from '../net/cidr.ts'
import { findSpecialPurpose } from '../net/special-purpose.ts'
import type { Reading } from './fields.ts'
import { quote } from './problem.ts'

/** A block of addresses; for one with host bits, the mistake names the block that holds it. */
export function readCidr (text: string): Reading<Cidr> {
  const value = parseCidr(text)
  if (value !== undefined) return { ok: true, value }
  const enclosing = guessEnclosing(text)
  return enclosing === undefined
    ? mistaken(`${quote(text)} is not a block of addresses`, 'write it like 10.0.0.0/8, fd00::/8 or 10.1.2.3')
    : mistaken(`${quote(text)} is an address inside a block, not the block`, `write ${enclosing}, or the address alone`)
}

/** A block of load balancers: whoever is in it is believed when it says who its client is. */
export function readLoadBalancer (text: string): Reading<Cidr> {
  const reading = readCidr(text)
  if (!reading.ok || reading.value.prefixLength > 0) return reading
  return mistaken(`${reading.value.text} is everybody, who could then say that they are anybody`, 'write the addresses of your load balancers')
}

/** A block that a registry's private endpoint may lie in: wholly inside one of those that can hold any. */
export function readPrivateEndpoint (text: string): Reading<Cidr> {
  const reading = readCidr(text)
  if (!reading.ok) return reading
  const block = reading.value
  const purpose = findSpecialPurpose(block.first)
  const range = purpose?.mayHoldPrivateEndpoint === true ? purpose.block : undefined
  if (range !== undefined && range.prefixLength <= block.prefixLength) return reading
  const inside = 'write a block inside 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10 or fc00::/7'
  if (block.prefixLength === 0) return mistaken(`${block.text} is every address, and would void the check of addresses`, inside)
  if (range !== undefined) return mistaken(`${block.text} is wider than ${range.text}`, inside)
  return purpose === undefined
    ? mistaken(`${block.text} is public, and public addresses need no entry`, 'drop it')
    : mistaken(`${block.text} is in ${purpose.what}, where no private endpoint can be`, inside)
}

function mistaken (what: string, write: string): Reading<never> {
  return { ok: false, mistake: { what, write } }
}

/** For `10.1.2.3/8` the text `10.0.0.0/8`. */
function guessEnclosing (text: string): string | undefined {
  const [, addressText = '', lengthText] = /^([^/]+)\/([0-9]{1,3})$/.exec(text) ?? []
  const address = parseAddress(addressText)
  if (address === undefined || Number(lengthText) > bitLength(address.family)) return undefined
  const first = clearHostBits(address, Number(lengthText))
  return first === undefined ? undefined : `${first.text}/${Number(lengthText)}`
}

function clearHostBits (address: Address, prefixLength: number): Address | undefined {
  const partBits = address.family === 4 ? 8 : 16
  const parts = address.words.flatMap((word) => {
    if (partBits === 16) return [word >>> 16, word & 0xffff]
    return [word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff]
  })
  const kept = parts.map((part, index) => {
    const hostBits = partBits - Math.min(partBits, Math.max(0, prefixLength - partBits * index))
    return (part >>> hostBits) << hostBits
  })
  return parseAddress(address.family === 4 ? kept.join('.') : kept.map((part) => part.toString(16)).join(':'))
}
