import type { X509Certificate } from 'node:crypto'
import { type HostName, canonicalHostName, parentName } from '../net/host-name.ts'

/** Which of several certificates is for a name. */
export interface ServerNames {
  /** The position of the certificate that has the name itself, or else a wildcard for it. */
  find (name: HostName): number | undefined
}

/** An index of the names of certificates, in their order; of two with the same name the first counts. */
export function createServerNames (certificates: ReadonlyArray<{ readonly names: readonly string[] }>): ServerNames {
  const exact = new Map<string, number>()
  // By what follows the star.
  const wildcard = new Map<string, number>()
  for (const [position, { names }] of certificates.entries()) {
    for (const name of names) {
      const [index, key] = name.startsWith('*.') ? [wildcard, name.slice(2)] : [exact, name]
      if (!index.has(key)) index.set(key, position)
    }
  }
  return { find: (name) => exact.get(name) ?? wildcard.get(parentName(name) ?? '') }
}

/**
 * The DNS names that a certificate is for (RFC 9525 §6: its alternative names alone, never its subject), in their
 * canonical form. A star counts as the whole first label only.
 */
export function listDnsNames ({ subjectAltName }: X509Certificate): readonly string[] {
  // Node puts whatever could be misread in quotes, so that it is no host name.
  return (subjectAltName ?? '').split(', ').flatMap((text) => {
    if (!text.startsWith('DNS:')) return []
    const name = text.slice('DNS:'.length)
    const star = name.startsWith('*.') ? '*.' : ''
    const host = canonicalHostName(name.slice(star.length))
    return host === undefined ? [] : [star + host]
  })
}
