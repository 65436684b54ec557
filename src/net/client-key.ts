import type { Address } from './address.ts'

/**
 * Whom the limits on a client are counted for: an IPv4 address, or the /64 that an IPv6 address is in. A host takes as
 * many addresses within its /64 as it likes (RFC 4862 §5.5.3, RFC 8981), so a limit on one of them is none.
 */
export function clientKey ({ family, words, text }: Address): string {
  return family === 4 ? text : `${words[0]} ${words[1]}`
}
