import { clouds } from '../acr/clouds.ts'
import type { Mistake } from '../acr/login-server.ts'
import { parseAddress } from '../net/address.ts'
import { parseCidr } from '../net/cidr.ts'
import { canonicalHostName } from '../net/host-name.ts'

/** Never a proxy's business; curl, unlike Go, has to be told. */
export const localNames: readonly string[] = ['localhost', '127.0.0.1', '::1']

export type ParsedNoProxy =
  | { readonly ok: true, readonly entries: readonly string[] }
  | { readonly ok: false, readonly mistake: Mistake }

/**
 * Reads a list for `NO_PROXY`, with commas between names, `.domains`, addresses and blocks of addresses, and puts it
 * behind what is local. `NO_PROXY` has no standard: what only some clients understand is a mistake.
 */
export function parseNoProxy (text: string): ParsedNoProxy {
  const entries: string[] = [...localNames]
  for (const part of text.split(',')) {
    const entry = readEntry(part.trim())
    if (typeof entry !== 'string') return { ok: false, mistake: entry }
    if (!entries.includes(entry)) entries.push(entry)
  }
  return { ok: true, entries }
}

function readEntry (text: string): string | Mistake {
  if (text === '') return { what: 'an entry is empty', write: 'write names with one comma between two: .corp.example,10.0.0.0/8' }
  if (text === '*') return { what: '* is every host, which would send all of them past the gateway', write: 'write the names that are to go direct' }
  const known = parseAddress(text)?.text ?? parseCidr(text)?.text
  if (known !== undefined) return known
  const [, dot = '', name = ''] = /^(\.?)(.*)$/s.exec(text) ?? []
  const host = canonicalHostName(name)
  if (host !== undefined) return dot + host
  const guess = canonicalHostName(text.replace(/^\*\.|^[a-z]+:\/\//gi, '').replace(/[:/].*$/s, ''))
  const write = guess === undefined ? 'a name, a .domain, an address or a block of addresses' : text.startsWith('*.') ? `.${guess}` : guess
  return { what: 'an entry is not one that every client understands', write: `write ${write}` }
}

/** Those of the entries that lead a client past the gateway on its way to a registry or its layers. */
export function listBypasses (entries: readonly string[]): string[] {
  const suffixes = clouds.flatMap(({ registrySuffix, blobSuffix }) => [registrySuffix, blobSuffix])
  return entries.filter((entry) => {
    const name = entry.replace(/^\./, '')
    return suffixes.some((suffix) => isWithin(name, suffix) || isWithin(suffix, name))
  })
}

function isWithin (name: string, domain: string): boolean {
  return name === domain || name.endsWith(`.${domain}`)
}
