import type { Address } from './address.ts'
import { type Cidr, parseCidr } from './cidr.ts'
import { createCidrSet } from './cidr-set.ts'

/** What a block of addresses that are not ordinary public ones is for. */
export interface SpecialPurpose {
  readonly block: Cidr
  /** For a person, with its source: `private use (RFC 1918)`. */
  readonly what: string
  /**
   * Whether a private endpoint can have its address there: in the private and shared ranges that a virtual network may
   * have, and for a lab in loopback. The other blocks stay refused even to an owner who asks for them, above all
   * link-local space with the cloud metadata service, and the Azure platform address.
   */
  readonly mayHoldPrivateEndpoint: boolean
}

/**
 * Blocks in which no public registry can be, with the reason a person is told, and a mark on those in which a private
 * endpoint can be.
 *
 * From the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890) and, for multicast and what is not
 * allocated, the IANA address space registries; read 2026-11. The AS112 and AMT blocks, which those registries mark
 * "globally reachable", are left out. One block is not IANA's: 168.63.129.16 is the platform address of every Azure
 * virtual network (name service, agent, health probes), a public number that never leaves the host.
 */
const specialPurposeBlocks: ReadonlyArray<readonly [block: string, what: string, holds?: 'private endpoints']> = [
  ['0.0.0.0/8', 'this network (RFC 791)'],
  ['10.0.0.0/8', 'private use (RFC 1918)', 'private endpoints'],
  ['100.64.0.0/10', 'shared address space (RFC 6598)', 'private endpoints'],
  ['127.0.0.0/8', 'loopback (RFC 1122)', 'private endpoints'],
  ['168.63.129.16/32', 'the Azure platform address'],
  ['169.254.0.0/16', 'link-local, with the cloud metadata service (RFC 3927)'],
  ['172.16.0.0/12', 'private use (RFC 1918)', 'private endpoints'],
  ['192.0.0.0/24', 'IETF protocol assignments (RFC 6890)'],
  ['192.0.2.0/24', 'documentation (RFC 5737)'],
  ['192.88.99.0/24', '6to4 relay anycast (RFC 7526)'],
  ['192.168.0.0/16', 'private use (RFC 1918)', 'private endpoints'],
  ['198.18.0.0/15', 'benchmarking (RFC 2544)'],
  ['198.51.100.0/24', 'documentation (RFC 5737)'],
  ['203.0.113.0/24', 'documentation (RFC 5737)'],
  ['224.0.0.0/4', 'multicast (RFC 5771)'],
  ['240.0.0.0/4', 'reserved, with limited broadcast (RFC 1112, RFC 919)'],
  // Only 2000::/3 is handed out for global unicast (RFC 4291 §2.4): the two halves around it hold all the rest, and
  // the narrower blocks below name what a person is likely to meet in them.
  ['::/3', 'not global unicast (RFC 4291)'],
  ['4000::/2', 'not global unicast (RFC 4291)'],
  ['8000::/1', 'not global unicast (RFC 4291)'],
  ['::/128', 'unspecified (RFC 4291)'],
  ['::1/128', 'loopback (RFC 4291)', 'private endpoints'],
  ['::/96', 'IPv4-compatible (RFC 4291)'],
  ['::ffff:0:0/96', 'IPv4-mapped (RFC 4291)'],
  ['64:ff9b::/96', 'IPv4-IPv6 translation (RFC 6052)'],
  ['64:ff9b:1::/48', 'local IPv4-IPv6 translation (RFC 8215)'],
  ['100::/64', 'discard-only (RFC 6666)'],
  ['100:0:0:1::/64', 'dummy prefix (RFC 9780)'],
  ['2001::/23', 'IETF protocol assignments, with Teredo (RFC 2928, RFC 4380)'],
  ['2001:db8::/32', 'documentation (RFC 3849)'],
  ['2002::/16', '6to4 (RFC 3056)'],
  ['3fff::/20', 'documentation (RFC 9637)'],
  ['5f00::/16', 'segment routing SIDs (RFC 9602)'],
  ['fc00::/7', 'unique local (RFC 4193)', 'private endpoints'],
  ['fe80::/10', 'link-local (RFC 4291)'],
  ['fec0::/10', 'site-local (RFC 3879)'],
  ['ff00::/8', 'multicast (RFC 4291)'],
]

const purposes = new Map<Cidr, SpecialPurpose>(specialPurposeBlocks.map(([text, what, holds]) => {
  const block = parseCidr(text)
  if (block === undefined) throw new TypeError(`not a block: ${text}`)
  return [block, { block, what, mayHoldPrivateEndpoint: holds === 'private endpoints' }]
}))
const specialPurposeSet = createCidrSet(purposes.keys())

/** The purpose of the narrowest special-purpose block that holds the address; none for an ordinary public address. */
export function findSpecialPurpose (address: Address): SpecialPurpose | undefined {
  const block = specialPurposeSet.find(address)
  return block === undefined ? undefined : purposes.get(block)
}

/** Every block of the list, IPv4 first, a wider one before those inside it. */
export function listSpecialPurposeBlocks (): readonly Cidr[] {
  return specialPurposeSet.blocks
}
