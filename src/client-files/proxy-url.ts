import type { Mistake } from '../acr/login-server.ts'
import { parseAddress } from '../net/address.ts'
import { parsePort } from '../net/authority.ts'
import { canonicalHostName } from '../net/host-name.ts'

/** Where a client finds the proxy, taken apart; `user` and `password` are decoded. */
export interface ProxyUrl {
  readonly scheme: 'http' | 'https'
  /** A name or an address, an IPv6 one without brackets. */
  readonly host: string
  readonly port: number
  readonly credentials?: Credentials
}

/** What `Proxy-Authorization: Basic` is made from (RFC 7617). */
export interface Credentials {
  readonly user: string
  /** Absent: the client sends an empty one. */
  readonly password?: string
}

export type ParsedProxyUrl =
  | { readonly ok: true, readonly proxy: ProxyUrl }
  | { readonly ok: false, readonly mistake: Mistake }

/**
 * Reads a proxy's URL as every client does: a scheme, perhaps user information, a host and a port (RFC 3986 §3.2).
 * What clients read in different ways is a mistake: no port, a path, and in user information whatever stands for itself
 * in some of them only (§3.2.1; a second colon, which .NET takes for the end of the password).
 */
export function parseProxyUrl (text: string): ParsedProxyUrl {
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(text) ?? []
  if (scheme === '') return mistaken('it has no scheme', `write it like ${example}`)
  const lower = scheme.toLowerCase()
  if (lower !== 'http' && lower !== 'https') {
    return mistaken(`${lower}:// is no scheme of the gateway`, `write http:// or https://, like ${example}`)
  }
  // Behind the last @, as a password may hold another one that should have been encoded.
  const at = rest.lastIndexOf('@')
  const place = parsePlace(rest.slice(at + 1))
  if (!place.ok) return place
  if (at === -1) return { ok: true, proxy: { scheme: lower, ...place.place } }
  const userInfo = parseUserInfo(rest.slice(0, at))
  if (userInfo.ok) return { ok: true, proxy: { scheme: lower, ...place.place, credentials: userInfo.credentials } }
  const right = respell(rest.slice(0, at))
  return mistaken(userInfo.what, right === undefined
    ? credentialsHint
    : `write ${lower}://${right}@${formatPlace(place.place)}, or ${credentialsHint}`)
}

const example = 'http://gateway.example:443'
const credentialsHint = 'give the name and password by --user and --password-file, which encode them'

function mistaken (what: string, write: string): { readonly ok: false, readonly mistake: Mistake } {
  return { ok: false, mistake: { what, write } }
}

/** The URL in its one spelling; whatever is not a letter, a digit or one of `-._~` in user information is encoded. */
export function formatProxyUrl ({ scheme, credentials, ...place }: ProxyUrl): string {
  if (credentials === undefined) return `${scheme}://${formatPlace(place)}`
  const { user, password } = credentials
  const userInfo = password === undefined ? encode(user) : `${encode(user)}:${encode(password)}`
  return `${scheme}://${userInfo}@${formatPlace(place)}`
}

/** What is wrong with a name and a password, if anything (RFC 7617 §2). */
export function findCredentialsProblem ({ user, password = '' }: Credentials): string | undefined {
  if (user === '') return 'the user\'s name is empty'
  if (user.includes(':')) return 'the user\'s name has a colon, which ends the name in Basic authentication'
  if (/[\p{Cc}\p{Cs}]/u.test(user + password)) return 'the name or the password has a control character'
  return undefined
}

type Place = Pick<ProxyUrl, 'host' | 'port'>

type ParsedPlace =
  | { readonly ok: true, readonly place: Place }
  | { readonly ok: false, readonly mistake: Mistake }

function parsePlace (text: string): ParsedPlace {
  const [, authority = '', path = ''] = /^([^/?#]*)(.*)$/s.exec(text) ?? []
  const [, bracketed, plain, portText] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/s.exec(authority) ?? []
  const host = bracketed === undefined ? readHost(plain ?? '') : readIpv6(bracketed)
  if (host === undefined) return mistaken('its host is neither a name nor an address', `write it like ${example}, an IPv6 address in brackets`)
  if (portText === undefined || portText === '') return mistaken('it has no port', `write the gateway's port behind the host, like ${formatPlace({ host, port: 443 })}`)
  const port = parsePort(portText)
  if (port === undefined) return mistaken('its port is not a number from 1 to 65535', `write the gateway's port behind the host, like ${formatPlace({ host, port: 443 })}`)
  if (path !== '') return mistaken('it goes on behind the port, and a proxy has no path', `end it with ${formatPlace({ host, port })}`)
  return { ok: true, place: { host, port } }
}

function readHost (text: string): string | undefined {
  return parseAddress(text)?.text ?? canonicalHostName(text)
}

function readIpv6 (text: string): string | undefined {
  const address = parseAddress(text)
  return address?.family === 6 ? address.text : undefined
}

type ParsedUserInfo =
  | { readonly ok: true, readonly credentials: Credentials }
  | { readonly ok: false, readonly what: string }

function parseUserInfo (text: string): ParsedUserInfo {
  const { user, password } = splitUserInfo(text)
  if (!isEncoded(user) || (password !== undefined && !isEncoded(password))) {
    return { ok: false, what: 'its user name or password has characters that must be percent-encoded (RFC 3986)' }
  }
  try {
    const credentials = {
      user: decodeURIComponent(user),
      ...password === undefined ? {} : { password: decodeURIComponent(password) },
    }
    const problem = findCredentialsProblem(credentials)
    return problem === undefined ? { ok: true, credentials } : { ok: false, what: problem }
  } catch (error) {
    if (!(error instanceof URIError)) throw error
    return { ok: false, what: 'its user name or password is not percent-encoded UTF-8' }
  }
}

function splitUserInfo (text: string): { readonly user: string, readonly password: string | undefined } {
  const colon = text.indexOf(':')
  return colon === -1
    ? { user: text, password: undefined }
    : { user: text.slice(0, colon), password: text.slice(colon + 1) }
}

/** RFC 3986 §3.2.1 without the colon: unreserved characters, sub-delims, and octets as `%40`. */
function isEncoded (text: string): boolean {
  return /^(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*$/.test(text)
}

/** User information as it was meant: encoded where it was not, and left alone where it was. */
function respell (text: string): string | undefined {
  if (/\p{Cs}/u.test(text)) return undefined
  const { user, password } = splitUserInfo(text)
  const right = [user, password].filter((part) => part !== undefined).map((part) => {
    return part.replace(/%[0-9A-Fa-f]{2}|[^]/gu, (found) => found.length === 3 ? found : encode(found))
  }).join(':')
  return parseUserInfo(right).ok ? right : undefined
}

/** Stricter than `encodeURIComponent`, so that no shell, unit file or other parser has anything left to interpret. */
function encode (text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

function formatPlace ({ host, port }: Place): string {
  return `${formatHost(host)}:${port}`
}

function formatHost (host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
