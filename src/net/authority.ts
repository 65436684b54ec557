import { parseAddress } from './address.ts'
import { type HostName, canonicalHostName } from './host-name.ts'

/** The target of a CONNECT in canonical form: RFC 9112 §3.2.3's `uri-host ":" port`, with a name as host. */
export interface Authority {
  readonly host: HostName
  readonly port: number
}

/** Why a target is not an authority the gateway can judge by name. */
export type AuthorityProblem = 'malformed' | 'ip_literal'

export type ParsedAuthority =
  | { readonly ok: true, readonly authority: Authority }
  | { readonly ok: false, readonly problem: AuthorityProblem }

// A name and an eight-character port need 260; anything longer is refused before it is looked at.
const maxLength = 512

/**
 * Reads `HOST:PORT`. The port is required, decimal and without leading zeros. Every other component that a URL may
 * have (scheme, user information, path, percent-encoding, brackets) makes it malformed.
 *
 * An address in a spelling that some resolver or C library would accept (`127.1`, `0x7f000001`, `[::1]`) is told
 * apart as `ip_literal`, so that the person reads what is wrong; nothing is let through on that ground.
 */
export function parseAuthority (text: string): ParsedAuthority {
  if (text.length > maxLength) return malformed
  const [, hostText = '', portText = ''] = /^(.*):([^:]*)$/s.exec(text) ?? []
  // The last colon of a bare IPv6 address is its own.
  const isBareAddress = (portText === '' || hostText.includes(':')) && isAddressLike(text)
  if (isBareAddress || isAddressLike(hostText)) return ipLiteral
  const host = canonicalHostName(hostText)
  const port = parsePort(portText)
  return host === undefined || port === undefined ? malformed : { ok: true, authority: { host, port } }
}

const malformed: ParsedAuthority = { ok: false, problem: 'malformed' }
const ipLiteral: ParsedAuthority = { ok: false, problem: 'ip_literal' }

/** A port from 1 to 65535 in decimal digits without leading zeros. */
export function parsePort (text: string): number | undefined {
  if (!/^[1-9][0-9]{0,4}$/.test(text)) return undefined
  const port = Number(text)
  return port <= 65535 ? port : undefined
}

/**
 * Whether a host reads as an IP address to anything: RFC 3986's bracketed literals (also with a zone), bare IPv6, and
 * every IPv4 form of inet_aton(3): one to four parts, each decimal, octal or hexadecimal, a dot behind it allowed.
 */
function isAddressLike (host: string): boolean {
  const bare = /^\[(.*)\]$/s.exec(host)?.[1] ?? host
  const unzoned = bare.split('%')[0] ?? ''
  if (unzoned.includes(':')) return parseAddress(unzoned) !== undefined
  return /^(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}\.?$/i.test(unzoned)
}
