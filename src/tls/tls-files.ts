import { type CertificatePair, type CertificatePairNames, readCertificatePair } from './certificate-pair.ts'
import { type ClientAuthorities, type ClientAuthorityNames, readClientAuthorities } from './client-authorities.ts'
import type { TlsRemark } from './remark.ts'

/** The files of the TLS listener. */
export interface TlsFileNames extends ClientAuthorityNames {
  /** The first is for clients that name no server, or one that no certificate is for. */
  readonly pairs: readonly CertificatePairNames[]
}

/** What the listener serves TLS with, as it was in its files. Plain values. */
export interface TlsFiles {
  /** In the order of their names; at least one. */
  readonly pairs: readonly CertificatePair[]
  /** Absent: clients are asked for no certificate. */
  readonly clientAuthorities?: ClientAuthorities
  /** The state of each file when it was read, for `watchFiles`. */
  readonly watched: ReadonlyArray<{ readonly file: string, readonly stamp: string }>
}

/** What became of the reading of the files. */
export interface TlsFilesReading {
  /** Absent unless all files are good, and go together. */
  readonly files?: TlsFiles
  readonly problems: readonly TlsRemark[]
  /** Of dates mostly: with an old certificate the gateway still serves. */
  readonly warnings: readonly TlsRemark[]
}

/** Reads all files, and sees that a TLS listener could start with them; says all that is wrong. Never rejects. */
export async function readTlsFiles (
  { pairs: pairNames, ...clientNames }: TlsFileNames, now: number,
): Promise<TlsFilesReading> {
  const [clients, ...readings] = await Promise.all([
    readClientAuthorities(clientNames, now),
    ...pairNames.map(async (names, index) => await readCertificatePair(names, pathOf(index), now)),
  ])
  const pairs = readings.map(({ pair }) => pair)
  const all = [...readings, clients]
  const problems = [...all.flatMap((one) => one.problems), ...listNameProblems(pairs)]
  const warnings = all.flatMap((one) => one.warnings)
  const good = pairs.filter((pair) => pair !== undefined)
  if (problems.length > 0 || good.length === 0 || good.length < pairs.length) return { problems, warnings: [] }
  const files = {
    pairs: good,
    ...clients.authorities === undefined ? {} : { clientAuthorities: clients.authorities },
    watched: all.flatMap(({ read }) => read.map(({ file, stamp }) => ({ file, stamp }))),
  }
  return { files, problems, warnings }
}

/** Where the settings have a pair. */
function pathOf (index: number): TlsRemark['path'] {
  return index === 0 ? [] : ['furtherCertificates', index - 1]
}

/** Two certificates for one name, of which a client would never see the second; and one that is for none. */
function listNameProblems (pairs: ReadonlyArray<CertificatePair | undefined>): TlsRemark[] {
  const owners = new Map<string, string>()
  return pairs.flatMap((pair, index) => {
    if (pair === undefined) return []
    const path = [...pathOf(index), 'certFile']
    if (index > 0 && pair.names.length === 0) {
      return [{ path, message: 'the certificate has no DNS name, so that no client would be shown it; write one with a name, or drop it' }]
    }
    const taken = pair.names.find((name) => owners.has(name))
    for (const name of pair.names) if (!owners.has(name)) owners.set(name, pair.certFile)
    if (taken === undefined) return []
    return [{ path, message: `the certificate is for ${taken}, as that of ${owners.get(taken)} is; write each name's certificate once` }]
  })
}
