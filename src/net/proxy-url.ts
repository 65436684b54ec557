import { parseAddress } from './address.ts'
import { parsePort } from './authority.ts'
import { canonicalHostName } from './host-name.ts'

/** Where an HTTP proxy is, as its URL says, taken apart; `user` and `password` are decoded. */
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
  /** Absent: an empty one is sent. */
  readonly password?: string
}

/** A proxy, or what is wrong with its URL and what to write. Neither text holds anything of user or password. */
export type ParsedProxyUrl = { readonly ok: true, readonly proxy: ProxyUrl } | Mistaken

interface Mistaken {
  readonly ok: false
  readonly mistake: { readonly what: string, readonly write: string }
}

/** What is told to a person, and how strict to be. */
export interface ProxyUrlForm {
  /** A proxy like the one that is meant. */
  readonly example: Place
  /** How a user and a password can be given that the URL does not hold as it should. */
  readonly credentialsAdvice: string
  /**
   * Takes what docker and curl take besides: no port, which is 80 or 443 then; a slash behind it; a second colon in
   * user information, as part of the password.
   */
  readonly takesShortForms?: boolean
}

type Place = Pick<ProxyUrl, 'host' | 'port'>

/**
 * Reads a proxy's URL as every client does: a scheme, perhaps user information, a host and a port (RFC 3986 §3.2).
 * What clients read in different ways is a mistake, unless short forms are taken: no port, a path, and in user
 * information whatever stands for itself in some of them only (§3.2.1; a second colon, which .NET takes for the end of
 * the password).
 */
export function parseProxyUrl (text: string, form: ProxyUrlForm): ParsedProxyUrl {
  const example = `http://${formatPlace(form.example)}`
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(text) ?? []
  if (scheme === '') return mistaken('it has no scheme', `write it like ${example}`)
  const lower = scheme.toLowerCase()
  if (lower !== 'http' && lower !== 'https') {
    return mistaken(`${lower}:// is no scheme of an HTTP proxy`, `write http:// or https://, like ${example}`)
  }
  // Behind the last @, as a password may hold another one that should have been encoded.
  const at = rest.lastIndexOf('@')
  const place = parsePlace(rest.slice(at + 1), lower, form)
  if (!place.ok) return place
  if (at === -1) return { ok: true, proxy: { scheme: lower, ...place.place } }
  const credentials = parseUserInfo(rest.slice(0, at), form)
  if (typeof credentials === 'string') return mistaken(credentials, form.credentialsAdvice)
  return { ok: true, proxy: { scheme: lower, ...place.place, credentials } }
}

function mistaken (what: string, write: string): Mistaken {
  return { ok: false, mistake: { what, write } }
}

/** The URL in its one spelling; whatever is not a letter, a digit or one of `-._~` in user information is encoded. */
export function formatProxyUrl ({ scheme, credentials, ...place }: ProxyUrl): string {
  if (credentials === undefined) return `${scheme}://${formatPlace(place)}`
  const { user, password } = credentials
  const userInfo = password === undefined ? encodeUserInfo(user) : `${encodeUserInfo(user)}:${encodeUserInfo(password)}`
  return `${scheme}://${userInfo}@${formatPlace(place)}`
}

/** The URL without user and password, for a person and for logs. */
export function describeProxyUrl ({ scheme, host, port }: ProxyUrl): string {
  return `${scheme}://${formatPlace({ host, port })}`
}

/** The value of `Proxy-Authorization` (RFC 7617 §2), in UTF-8. */
export function formatBasicAuthorization ({ user, password = '' }: Credentials): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}

/** What is wrong with a name and a password, if anything (RFC 7617 §2). */
export function findCredentialsProblem ({ user, password = '' }: Credentials): string | undefined {
  if (user === '') return 'the user\'s name is empty'
  if (user.includes(':')) return 'the user\'s name has a colon, which ends the name in Basic authentication'
  if (/[\p{Cc}\p{Cs}]/u.test(user + password)) return 'the name or the password has a control character'
  return undefined
}

/** Stricter than `encodeURIComponent`, so that no shell, unit file or other parser has anything left to interpret. */
export function encodeUserInfo (text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

type ParsedPlace = { readonly ok: true, readonly place: Place } | Mistaken

function parsePlace (
  text: string, scheme: ProxyUrl['scheme'], { example, takesShortForms = false }: ProxyUrlForm,
): ParsedPlace {
  const [, authority = '', path = ''] = /^([^/?#]*)(.*)$/s.exec(text) ?? []
  const [, bracketed, plain, portText] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/s.exec(authority) ?? []
  const host = bracketed === undefined ? readHost(plain ?? '') : readIpv6(bracketed)
  if (host === undefined) {
    return mistaken('its host is neither a name nor an address', `write it like http://${formatPlace(example)}, an IPv6 address in brackets`)
  }
  const advice = `write its port behind the host, like ${formatPlace({ host, port: example.port })}`
  const isShort = portText === undefined || portText === ''
  if (isShort && !takesShortForms) return mistaken('it has no port', advice)
  const port = isShort ? defaultPorts[scheme] : parsePort(portText)
  if (port === undefined) return mistaken('its port is not a number from 1 to 65535', advice)
  if (path !== '' && !(takesShortForms && path === '/')) {
    return mistaken('it goes on behind the port, and a proxy has no path', `end it with ${formatPlace({ host, port })}`)
  }
  return { ok: true, place: { host, port } }
}

const defaultPorts = { http: 80, https: 443 } as const

function readHost (text: string): string | undefined {
  return parseAddress(text)?.text ?? canonicalHostName(text)
}

function readIpv6 (text: string): string | undefined {
  const address = parseAddress(text)
  return address?.family === 6 ? address.text : undefined
}

/** User and password, or what is wrong with them. */
function parseUserInfo (text: string, { takesShortForms = false }: ProxyUrlForm): Credentials | string {
  const colon = text.indexOf(':')
  const user = colon === -1 ? text : text.slice(0, colon)
  const password = colon === -1 ? undefined : text.slice(colon + 1)
  const isWhole = isEncoded(user) && isEncoded(takesShortForms ? password?.replaceAll(':', '') : password)
  if (!isWhole) return 'its user name or password has characters that must be percent-encoded (RFC 3986)'
  try {
    const credentials = {
      user: decodeURIComponent(user),
      ...password === undefined ? {} : { password: decodeURIComponent(password) },
    }
    return findCredentialsProblem(credentials) ?? credentials
  } catch (error) {
    if (!(error instanceof URIError)) throw error
    return 'its user name or password is not percent-encoded UTF-8'
  }
}

/** RFC 3986 §3.2.1 without the colon: unreserved characters, sub-delims, and octets as `%40`. */
function isEncoded (text = ''): boolean {
  return /^(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*$/.test(text)
}

function formatPlace ({ host, port }: Place): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
