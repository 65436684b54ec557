import type { Address } from './address.ts'
import { type Cidr, cidrContains } from './cidr.ts'

/** An immutable set of address blocks that says which of them holds an address. */
export interface CidrSet {
  readonly blocks: readonly Cidr[]
  /** The narrowest block that holds the address. */
  find (address: Address): Cidr | undefined
}

/** The set of no blocks: it holds no address. */
export const emptyCidrSet: CidrSet = createCidrSet([])

/** Builds the set once; looking up walks the blocks, narrowest first. Meant for tens of blocks. */
export function createCidrSet (blocks: Iterable<Cidr>): CidrSet {
  const narrowestFirst = [...blocks].sort((a, b) => b.prefixLength - a.prefixLength)
  return {
    blocks: narrowestFirst,
    find: (address) => narrowestFirst.find((block) => cidrContains(block, address)),
  }
}
