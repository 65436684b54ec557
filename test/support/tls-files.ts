import { X509Certificate } from 'node:crypto'
import type { ClientAuthorities } from '../../src/tls/client-authorities.ts'
import { listPemBlocks } from '../../src/tls/pem.ts'
import { parseRevocationList } from '../../src/tls/revocation-list.ts'
import { listDnsNames } from '../../src/tls/server-names.ts'
import type { TlsFiles } from '../../src/tls/tls-files.ts'
import type { IssuedPair } from './openssl-authority.ts'

export interface TlsFilesOptions {
  /** The first is the default; at least one. */
  readonly pairs: readonly IssuedPair[]
  /** Certificates of the authorities of clients, PEM. */
  readonly ca?: string
  /** Their revocation lists, PEM. */
  readonly crl?: string
}

/** What a listener serves TLS with, as if it had been read from files. */
export function createTlsFiles ({ pairs, ca, crl }: TlsFilesOptions): TlsFiles {
  return {
    pairs: pairs.map(({ cert, key }, index) => ({
      certFile: `${index}.crt`,
      keyFile: `${index}.key`,
      certificatePem: cert,
      keyPem: key,
      names: listDnsNames(new X509Certificate(cert)),
      expiresAt: Date.parse(new X509Certificate(cert).validTo),
    })),
    ...ca === undefined ? {} : { clientAuthorities: createAuthorities(ca, crl) },
    watched: [],
  }
}

function createAuthorities (ca: string, crl: string | undefined): ClientAuthorities {
  const crlPems = listPemBlocks(crl ?? '', 'X509 CRL')
  const ends = crlPems.flatMap((pem) => parseRevocationList(pem)?.nextUpdate ?? [])
  return {
    caFile: 'ca.crt',
    caPem: ca,
    expiresAt: Infinity,
    ...crl === undefined ? {} : { revocation: { crlFile: 'ca.crl', crlPems } },
    ends,
  }
}
