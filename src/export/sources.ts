import type { TagScope } from '../acr/address-tags.ts'
import type { ServiceTags } from '../acr/service-tags.ts'
import type { Address } from '../net/address.ts'
import type { Cidr } from '../net/cidr.ts'
import type { Rule } from '../policy/rule.ts'

/** The ports that rules open. */
export type Port = Rule['port']

// HTTPS, and plain HTTP for certificate revocation lists.
const ports: readonly Port[] = [443, 80]

/** The protocol of each port, as it stands in the names of sets and rules. */
export const protocolOf: Readonly<Record<Port, 'https' | 'http'>> = { 443: 'https', 80: 'http' }

/** What another firewall's rules are made from: the gateway's own, and where they come from. */
export interface ExportSources {
  readonly version: string
  /** Where the configuration was read from. Printable, one line, as the two other texts. */
  readonly configuration: string
  /** The command line that makes the export anew. */
  readonly command: string
  readonly rules: readonly Rule[]
  /** Where clients come from. */
  readonly clients: readonly Cidr[]
  /** Whether clients have to be known users, too. */
  readonly hasPasswords: boolean
  readonly listen: { readonly address: string, readonly port: number }
  /** The configured name servers; none: those of the system, which are not known here. */
  readonly nameServers: ReadonlyArray<{ readonly address: Address, readonly port: number }>
  readonly tagScope: TagScope
  /** The file of service tags; absent where the format goes by names, or there is none. */
  readonly tags?: ExportTags
}

/** A file of service tags. */
export interface ExportTags {
  /** Its path, printable. */
  readonly file: string
  /** The day that it is of: `2025-10-28`. */
  readonly day: string
  readonly serviceTags: ServiceTags
}

/** The rules cannot be written in this format; the message says why, and what to do. */
export class ExportError extends Error {
  override readonly name = 'ExportError'
}

/** The rules of one port. */
export interface PortRules {
  readonly port: Port
  readonly rules: readonly Rule[]
}

/** The rules by their ports; a port without rules is left out. */
export function groupByPort (rules: readonly Rule[]): readonly PortRules[] {
  return ports
    .map((port) => ({ port, rules: rules.filter((rule) => rule.port === port) }))
    .filter((group) => group.rules.length > 0)
}
