/** A proxy as its URL says. */
export interface ProxyUrl {
  readonly scheme: 'http' | 'https'
  /** A name, or an address without brackets. */
  readonly host: string
  readonly port: number
  /** The value of `Proxy-Authorization`, when the URL has a user. */
  readonly authorization?: string
  /** The URL without user and password, for a person. */
  readonly text: string
}

/** A proxy, or what is wrong with its URL; what to write. The URL is never quoted: it may hold a password. */
export type ParsedProxyUrl =
  | { readonly ok: true, readonly proxy: ProxyUrl }
  | { readonly ok: false, readonly problem: string }

const form = 'write it like http://gw.corp.example:443, or http://USER:PASSWORD@gw.corp.example:443'

/**
 * Reads `http(s)://[USER[:PASSWORD]@]HOST[:PORT]`, the form that HTTPS_PROXY has; without a port it is 80 or 443, as for
 * docker. User and password are percent-encoded there (RFC 3986 section 3.2.1), and sent as Basic (RFC 7617).
 */
export function parseProxyUrl (text: string): ParsedProxyUrl {
  if (!/^https?:\/\//i.test(text)) return { ok: false, problem: `does not begin with http:// or https://; ${form}` }
  // The standard's parser takes the last @ for the end of the user, and encodes what should have been.
  const userInfo = /^[a-z]+:\/\/(.*)@/is.exec(text)?.[1] ?? ''
  if (!/^(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9a-f]{2})*$/i.test(userInfo)) {
    return { ok: false, problem: 'has a user or password with characters that must be percent-encoded; write %40 for @, %2F for /, %25 for %' }
  }
  if (!URL.canParse(text)) return { ok: false, problem: `is no URL with a host and a port; ${form}` }
  const url = new URL(text)
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    return { ok: false, problem: `has something behind the port; ${form}` }
  }
  const [user, password] = [decode(url.username), decode(url.password)]
  if (user === undefined || password === undefined) {
    return { ok: false, problem: 'has a user or password that is not percent-encoded UTF-8; write %25 for %' }
  }
  const scheme = url.protocol === 'https:' ? 'https' : 'http'
  const port = url.port === '' ? (scheme === 'https' ? 443 : 80) : Number(url.port)
  const basic = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  return {
    ok: true,
    proxy: {
      scheme,
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port,
      text: `${scheme}://${url.hostname}:${port}`,
      ...user === '' && password === '' ? {} : { authorization: basic },
    },
  }
}

function decode (text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
