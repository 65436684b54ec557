import { type Authority, type AuthorityProblem, parseAuthority } from './authority.ts'

/** The target of a request in plain HTTP, in canonical form: RFC 9112 §3.2.2's absolute form with the scheme `http`. */
export interface PlainTarget {
  readonly authority: Authority
  /** Path and query as written; `/` when there is none. */
  readonly path: string
}

export type ParsedPlainTarget =
  | { readonly ok: true } & PlainTarget
  /** `not_absolute`: another form or scheme, as a client sends it that takes the proxy for a server. */
  | { readonly ok: false, readonly problem: AuthorityProblem | 'not_absolute' }

const defaultPort = 80

/** Reads `http://HOST[:PORT][/PATH]`. User information, fragments and whatever is no printable ASCII make it malformed. */
export function parsePlainTarget (text: string): ParsedPlainTarget {
  const [isHttp, authorityText = '', path = ''] = /^http:\/\/([^/?#]*)(.*)$/is.exec(text) ?? []
  if (isHttp === undefined) return { ok: false, problem: 'not_absolute' }
  if (!/^(?:[/?][\x21\x22\x24-\x7e]*)?$/.test(path)) return { ok: false, problem: 'malformed' }
  const hasPort = /:[0-9]*$/.test(authorityText) && !/^\[[^\]]*$/.test(authorityText)
  const parsed = parseAuthority(hasPort ? authorityText : `${authorityText}:${defaultPort}`)
  if (!parsed.ok) return parsed
  return { ok: true, authority: parsed.authority, path: path.startsWith('/') ? path : `/${path}` }
}
