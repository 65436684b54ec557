import { type KeyObject, X509Certificate, createPrivateKey } from 'node:crypto'
import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { TlsFiles } from './configuration.ts'
import { type Finding, escapeControls } from './problem.ts'
import { readTextFile } from '../host/text-file.ts'

export interface TlsFilesOptions {
  /** Absent, like `keyFile`, when it is not named, or not as it should be. */
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
  /** Where relative paths begin. */
  readonly folder: string
  /** Milliseconds of the wall clock, for the certificate's dates. */
  readonly now: () => number
}

export interface LoadedTlsFiles {
  /** Absent unless both are named and good. */
  readonly files?: TlsFiles
  readonly problems: readonly Finding[]
  readonly warnings: readonly Finding[]
}

const certPath = ['listen', 'tls', 'certFile'] as const
const keyPath = ['listen', 'tls', 'keyFile'] as const

/** Chains of real certificate authorities have a few kilobytes. */
const maxBytes = 256 * 1024

/**
 * Reads the certificate and the key, and sees that a TLS listener could start with them; of a single one, that it is
 * good by itself. Never rejects.
 */
export async function loadTlsFiles ({ folder, now, ...named }: TlsFilesOptions): Promise<LoadedTlsFiles> {
  const [certificate, key] = await Promise.all([
    loadPart(folder, named.certFile, readCertificate),
    loadPart(folder, named.keyFile, readKey),
  ])
  const problems: Finding[] = []
  if (typeof certificate === 'string') problems.push({ path: certPath, message: certificate })
  if (typeof key === 'string') problems.push({ path: keyPath, message: key })
  if (typeof certificate !== 'object' || typeof key !== 'object') return { problems, warnings: [] }
  const files = { certFile: certificate.file, keyFile: key.file, certificatePem: certificate.pem, keyPem: key.pem }
  const misfit = findMisfit(certificate.value, key.value, files)
  if (misfit !== undefined) return { problems: [misfit], warnings: [] }
  return { files, problems: [], warnings: listDateWarnings(certificate.value, now()) }
}

/** One of the two files, good by itself. */
interface Part<T> {
  readonly file: string
  readonly pem: string
  readonly value: T
}

/** The file, or what is wrong with it; `undefined` when none is named. */
async function loadPart<T extends object> (
  folder: string, named: string | undefined, read: (pem: string, mode: number, file: string) => T | string,
): Promise<Part<T> | string | undefined> {
  if (named === undefined) return undefined
  const file = resolve(folder, named)
  const content = await readTextFile(file, maxBytes)
  if (!content.ok) return `${escapeControls(file)} ${content.message}`
  const value = read(content.text, content.mode, file)
  return typeof value === 'string' ? value : { file, pem: content.text, value }
}

/** The first certificate, which is the listener's own; or what is wrong. */
function readCertificate (pem: string): X509Certificate | string {
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) {
    return pem.includes('PRIVATE KEY-----')
      ? 'the file holds a key and no certificate; write the certificate\'s file here, and the key\'s under keyFile'
      : 'the file holds no certificate in PEM form; write a file that begins with -----BEGIN CERTIFICATE-----'
  }
  try {
    return new X509Certificate(pem)
  } catch {
    return 'the certificate in the file is damaged; copy it again'
  }
}

function readKey (pem: string, mode: number, file: string): KeyObject | string {
  if ((mode & 0o007) !== 0) return `others may use the key file; write chmod 600 ${escapeControls(file)}`
  if (!pem.includes('PRIVATE KEY-----')) {
    return 'the file holds no private key in PEM form; write a file that begins with -----BEGIN PRIVATE KEY-----'
  }
  // RFC 7468 §11 (PKCS #8), and RFC 1421 §4.6.1.1 as OpenSSL writes older keys.
  if (/^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem)) {
    return `the key needs a passphrase; write it without one: openssl pkey -in ${escapeControls(file)} -out FILE`
  }
  try {
    return createPrivateKey(pem)
  } catch {
    return 'the key in the file is damaged; copy it again'
  }
}

function findMisfit (certificate: X509Certificate, key: KeyObject, files: TlsFiles): Finding | undefined {
  if (!certificate.checkPrivateKey(key)) {
    return { path: keyPath, message: 'the key is not the certificate\'s; write the two files that were made together' }
  }
  try {
    createSecureContext({ cert: files.certificatePem, key: files.keyPem })
    return undefined
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no code'
    return { path: certPath, message: `TLS does not accept the certificate (${code}); make a new one, with an RSA key of 2048 bits or an EC key` }
  }
}

const dayMs = 86_400_000
const soonDays = 30

/** Warnings: with an old certificate the gateway still serves, and its clients say themselves what they think of it. */
function listDateWarnings (certificate: X509Certificate, now: number): Finding[] {
  const validFrom = Date.parse(certificate.validFrom)
  const validTo = Date.parse(certificate.validTo)
  const day = new Date(validTo).toISOString().slice(0, 10)
  if (now >= validTo) return [{ path: certPath, message: `the certificate expired on ${day}; put a new one in its place` }]
  if (now < validFrom) {
    return [{ path: certPath, message: `the certificate is not valid before ${new Date(validFrom).toISOString()}; see that the clock is right` }]
  }
  const days = Math.floor((validTo - now) / dayMs)
  if (days >= soonDays) return []
  return [{ path: certPath, message: `the certificate expires on ${day}, in ${days} days; put a new one in its place` }]
}
