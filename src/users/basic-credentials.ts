/** A user and a password, as a client has sent them. */
export interface Credentials {
  readonly user: string
  readonly password: string
}

/** The credentials, or why they cannot be understood: half a sentence in ASCII, with nothing of the client's in it. */
export type ParsedCredentials =
  | { readonly ok: true, readonly credentials: Credentials }
  | { readonly ok: false, readonly problem: string }

/**
 * Reads the value of `Proxy-Authorization` in the Basic scheme (RFC 7617), as Node gives it: one character a byte. The
 * scheme may be in any case, the rest is taken in its one form: base64 with its padding (RFC 4648 section 4), of UTF-8
 * without control characters. The first colon ends the user; the password may hold more of them, or be empty.
 */
export function parseBasicCredentials (value: string): ParsedCredentials {
  const [, scheme = '', token = ''] = /^([^ ]*) *(.*?) *$/s.exec(value) ?? []
  if (scheme.toLowerCase() !== 'basic') return unclear('the gateway takes Basic credentials only')
  const bytes = decodeBase64(token)
  if (bytes === undefined) return unclear('the Basic credentials are not base64')
  const text = decodeUtf8(bytes)
  if (text === undefined) return unclear('the user name or password is not UTF-8')
  // eslint-disable-next-line no-control-regex -- RFC 7617 section 2 has it that none may be sent
  if (/[\x00-\x1f\x7f]/.test(text)) return unclear('the user name or password holds a control character')
  const colon = text.indexOf(':')
  if (colon === -1) return unclear('the Basic credentials have no colon')
  return { ok: true, credentials: { user: text.slice(0, colon), password: text.slice(colon + 1) } }
}

function unclear (problem: string): ParsedCredentials {
  return { ok: false, problem }
}

/** Node's decoder takes nearly anything; what it would have written itself is the one right form. */
function decodeBase64 (token: string): Buffer | undefined {
  const bytes = Buffer.from(token, 'base64')
  return token !== '' && bytes.toString('base64') === token ? bytes : undefined
}

/** With its byte order mark, if it has one: two different passwords are not to be one. */
function decodeUtf8 (bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}
