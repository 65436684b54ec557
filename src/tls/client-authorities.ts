import { X509Certificate } from 'node:crypto'
import { createSecureContext, rootCertificates } from 'node:tls'
import { type NamedFile, readNamedFile } from './named-file.ts'
import { countPemBlocks, decodePemBlock, listPemBlocks } from './pem.ts'
import { type TlsRemark, describeValidity, formatDay } from './remark.ts'
import { type RevocationList, parseRevocationList } from './revocation-list.ts'
import { formatSubject } from './subject.ts'

/** The files that say which client certificates count, by their absolute paths; absent when not named rightly. */
export interface ClientAuthorityNames {
  readonly clientCaFile?: string | undefined
  readonly clientCrlFile?: string | undefined
}

/** By whom a client's certificate must be issued, and which of these certificates are revoked. */
export interface ClientAuthorities {
  readonly caFile: string
  /** The authorities' certificates alone, PEM. */
  readonly caPem: string
  /** When the first of them expires, in milliseconds since the epoch. */
  readonly expiresAt: number
  /** Absent: nothing is revoked. */
  readonly revocation?: ClientRevocation
  /** When any of them, or any list, is over: who was let in before has to be judged anew. Likewise. */
  readonly ends: readonly number[]
}

/** The revocation lists of the authorities of clients, one or more of each. */
export interface ClientRevocation {
  readonly crlFile: string
  /** Each list by itself, PEM: of several in one text Node takes the first. */
  readonly crlPems: readonly string[]
  /** When the first authority has no list any more that counts, likewise; absent when no list says. */
  readonly expiresAt?: number
}

/** What became of the reading of the files. */
export interface ClientAuthoritiesReading {
  /** Absent unless clientCaFile is named, and all that is named is good. */
  readonly authorities?: ClientAuthorities
  /** The states of the files that could be read. */
  readonly read: ReadonlyArray<{ readonly file: string, readonly stamp: string }>
  readonly problems: readonly TlsRemark[]
  readonly warnings: readonly TlsRemark[]
}

const caPath = ['clientCaFile']
const crlPath = ['clientCrlFile']

/** A list of 100,000 certificates has 5 MiB. */
const maxCrlBytes = 8 * 1024 * 1024

/**
 * Reads the authorities of clients and their revocation lists, and sees that clients of each of them can pass. Never
 * rejects.
 */
export async function readClientAuthorities (
  { clientCaFile, clientCrlFile }: ClientAuthorityNames, now: number,
): Promise<ClientAuthoritiesReading> {
  const [ca, crl] = await Promise.all([
    readNamedFile(clientCaFile, parseAuthorities, { fromDer: 'x509' }),
    readNamedFile(clientCrlFile, parseLists, { fromDer: 'crl', maxBytes: maxCrlBytes }),
  ])
  const problems: TlsRemark[] = []
  if (typeof ca === 'string') problems.push({ path: caPath, message: ca })
  if (typeof crl === 'string') problems.push({ path: crlPath, message: crl })
  const read = [ca, crl].filter((part) => typeof part === 'object')
  if (typeof ca !== 'object' || typeof crl === 'string') return { read, problems, warnings: [] }
  if (crl !== undefined) problems.push(...listMisfits(ca.value, crl.value))
  if (problems.length > 0) return { read, problems, warnings: [] }
  const latest = crl === undefined ? [] : ca.value.map((authority) => findLatest(authority, crl.value))
  const expiries = ca.value.map(({ certificate }) => Date.parse(certificate.validTo))
  const authorities: ClientAuthorities = {
    caFile: ca.file,
    caPem: ca.value.map(({ pem }) => `${pem}\n`).join(''),
    expiresAt: Math.min(...expiries),
    ...crl === undefined ? {} : { revocation: describeRevocation(crl, latest) },
    ends: [...expiries, ...(crl?.value ?? []).flatMap(({ nextUpdate }) => nextUpdate ?? [])],
  }
  problems.push(...listTlsProblems(authorities))
  if (problems.length > 0) return { read, problems, warnings: [] }
  const warnings = [...listAuthorityWarnings(ca.value, now), ...listRevocationWarnings(latest, now)]
  return { authorities, read, problems, warnings }
}

interface Authority {
  readonly pem: string
  readonly certificate: X509Certificate
}

/** The list of an authority that counts the longest, which is the one that OpenSSL takes. */
function findLatest ({ certificate: { publicKey } }: Authority, lists: readonly List[]): List | undefined {
  const [latest] = lists.filter((list) => list.isSignedBy(publicKey)).sort((a, b) => endOf(b) - endOf(a))
  return latest
}

function endOf ({ nextUpdate = Infinity }: List): number {
  return nextUpdate
}

/** The authorities in the file, or what is wrong with it. */
function parseAuthorities (text: string): readonly Authority[] | string {
  const begun = countPemBlocks(text, 'CERTIFICATE')
  if (begun === 0) {
    return 'the file holds no certificate in PEM form; write a file that begins with -----BEGIN CERTIFICATE-----'
  }
  const authorities = listPemBlocks(text, 'CERTIFICATE').flatMap((pem) => parseCertificate(pem) ?? [])
  if (authorities.length < begun) return 'a certificate in the file is damaged; copy it again'
  for (const { certificate } of authorities) {
    const name = formatSubject(certificate)
    if (!certificate.ca) {
      return `the file holds a certificate that is no authority's, ${name}; write the certificate of the authority that issued it`
    }
    // OpenSSL follows a chain up to a root, and Node cannot have it end before.
    if (!authorities.some((other) => certificate.checkIssued(other.certificate))) {
      return `the authority ${name} stands without the one that issued it; add that one too, and so on up to a root`
    }
  }
  return authorities
}

function parseCertificate (pem: string): Authority | undefined {
  try {
    return { pem, certificate: new X509Certificate(pem) }
  } catch {
    return undefined
  }
}

interface List extends RevocationList {
  readonly pem: string
}

function parseLists (text: string): readonly List[] | string {
  const begun = countPemBlocks(text, 'X509 CRL')
  if (begun === 0) {
    return 'the file holds no revocation list in PEM form; write a file that begins with -----BEGIN X509 CRL-----'
  }
  const lists = listPemBlocks(text, 'X509 CRL').flatMap((pem) => {
    const list = parseRevocationList(pem)
    return list === undefined ? [] : { ...list, pem }
  })
  return lists.length < begun ? 'a revocation list in the file is damaged; fetch it again' : lists
}

function describeRevocation (
  { file, value }: NamedFile<readonly List[]>, latest: ReadonlyArray<List | undefined>,
): ClientRevocation {
  const ends = latest.flatMap((list) => list?.nextUpdate ?? [])
  return {
    crlFile: file,
    crlPems: value.map(({ pem }) => pem),
    ...ends.length === 0 ? {} : { expiresAt: Math.min(...ends) },
  }
}

/** OpenSSL asks for a list of each authority of a chain, its root too, and refuses every client if one is missing. */
function listMisfits (authorities: readonly Authority[], lists: readonly List[]): TlsRemark[] {
  const messages: string[] = []
  if (lists.some((list) => !authorities.some(({ certificate }) => list.isSignedBy(certificate.publicKey)))) {
    messages.push('the file holds a revocation list that no authority in clientCaFile has signed; write the lists of these authorities')
  }
  for (const { certificate } of authorities) {
    if (lists.some((list) => list.isSignedBy(certificate.publicKey))) continue
    messages.push(`there is no revocation list of ${formatSubject(certificate)}, without which its clients are all refused; add one, also if it is empty`)
  }
  return messages.map((message) => ({ path: crlPath, message }))
}

/** What TLS itself says of the two together. */
function listTlsProblems ({ caPem, revocation }: ClientAuthorities): TlsRemark[] {
  try {
    createSecureContext({ ca: caPem, ...revocation === undefined ? {} : { crl: [...revocation.crlPems] } })
    return []
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no code'
    return [{ path: caPath, message: `TLS does not accept these authorities (${code}); see that their files are whole` }]
  }
}

function listAuthorityWarnings (authorities: readonly Authority[], now: number): TlsRemark[] {
  const messages = authorities.flatMap(({ certificate }) => {
    const validity = { from: Date.parse(certificate.validFrom), to: Date.parse(certificate.validTo) }
    return describeValidity(`the authority ${formatSubject(certificate)}`, validity, now) ?? []
  })
  const known = new Set(rootCertificates.map((pem) => decodePemBlock(pem).toString('base64')))
  const open = authorities.find(({ pem }) => known.has(decodePemBlock(pem).toString('base64')))
  if (open !== undefined) {
    messages.push(`${formatSubject(open.certificate)} is a public authority, from which anybody can have a certificate; write an authority of your own`)
  }
  return messages.map((message) => ({ path: caPath, message }))
}

/** `latest` has the list of each authority. */
function listRevocationWarnings (latest: ReadonlyArray<List | undefined>, now: number): TlsRemark[] {
  const messages = latest.flatMap((list) => {
    if (list === undefined) return []
    const { thisUpdate } = list
    if (now >= endOf(list)) {
      return `a revocation list was to be renewed by ${formatDay(endOf(list))}, and its clients are refused until it is; put a new one in its place`
    }
    return now < thisUpdate
      ? `a revocation list is not valid before ${new Date(thisUpdate).toISOString()}; see that the clock is right`
      : []
  })
  return messages.map((message) => ({ path: crlPath, message }))
}
