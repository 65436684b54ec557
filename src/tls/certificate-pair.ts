import { type KeyObject, X509Certificate, createPrivateKey } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { type NamedFile, readNamedFile } from './named-file.ts'
import { countPemBlocks } from './pem.ts'
import { type TlsRemark, describeValidity } from './remark.ts'
import { listDnsNames } from './server-names.ts'

/** The two files of a server's certificate, by their absolute paths; absent when one is not named as it should be. */
export interface CertificatePairNames {
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
}

/** A server's certificate and its key, as they were in their files. */
export interface CertificatePair {
  readonly certFile: string
  readonly keyFile: string
  /** The certificate, followed by its intermediates. */
  readonly certificatePem: string
  readonly keyPem: string
  /** The DNS names that it is for, in canonical form; the first label may be a star. */
  readonly names: readonly string[]
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** What became of the reading of a pair. */
export interface CertificatePairReading {
  /** Absent unless both files are named and good. */
  readonly pair?: CertificatePair
  /** The states of the files that could be read. */
  readonly read: ReadonlyArray<{ readonly file: string, readonly stamp: string }>
  readonly problems: readonly TlsRemark[]
  readonly warnings: readonly TlsRemark[]
}

/**
 * Reads a certificate and its key, and sees that a TLS server could start with them; of a single one, that it is good
 * by itself. `path` is that of the pair, below `listen.tls`. Never rejects.
 */
export async function readCertificatePair (
  { certFile, keyFile }: CertificatePairNames, path: TlsRemark['path'], now: number,
): Promise<CertificatePairReading> {
  const certPath = [...path, 'certFile']
  const keyPath = [...path, 'keyFile']
  const [certificate, key] = await Promise.all([
    readNamedFile(certFile, readCertificate, { fromDer: 'x509' }),
    readNamedFile(keyFile, readKey, { fromDer: 'pkey' }),
  ])
  const problems: TlsRemark[] = []
  if (typeof certificate === 'string') problems.push({ path: certPath, message: certificate })
  if (typeof key === 'string') problems.push({ path: keyPath, message: key })
  const read = [certificate, key].filter((part) => typeof part === 'object')
  if (typeof certificate !== 'object' || typeof key !== 'object') return { read, problems, warnings: [] }
  const misfit = findMisfit(certificate, key)
  if (misfit !== undefined) {
    return { read, problems: [{ path: [...path, misfit.key], message: misfit.message }], warnings: [] }
  }
  const validity = { from: Date.parse(certificate.value.validFrom), to: Date.parse(certificate.value.validTo) }
  const pair = {
    certFile: certificate.file,
    keyFile: key.file,
    certificatePem: certificate.text,
    keyPem: key.text,
    names: listDnsNames(certificate.value),
    expiresAt: validity.to,
  }
  // With an old certificate the gateway still serves, and its clients say themselves what they think of it.
  const warning = describeValidity('the certificate', validity, now)
  return { pair, read, problems, warnings: warning === undefined ? [] : [{ path: certPath, message: warning }] }
}

/** The first certificate, which is the server's own; or what is wrong. */
function readCertificate (pem: string): X509Certificate | string {
  if (countPemBlocks(pem, 'CERTIFICATE') === 0) {
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
  if ((mode & 0o007) !== 0) return `others may use the key file; write chmod 600 ${file}`
  if (!pem.includes('PRIVATE KEY-----')) {
    return 'the file holds no private key in PEM form; write a file that begins with -----BEGIN PRIVATE KEY-----'
  }
  // RFC 7468 §11 (PKCS #8), and RFC 1421 §4.6.1.1 as OpenSSL writes older keys.
  if (/^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem)) {
    return `the key needs a passphrase; write it without one: openssl pkey -in ${file} -out FILE`
  }
  try {
    return createPrivateKey(pem)
  } catch {
    return 'the key in the file is damaged; copy it again'
  }
}

function findMisfit (
  certificate: NamedFile<X509Certificate>, key: NamedFile<KeyObject>,
): { readonly key: keyof CertificatePairNames, readonly message: string } | undefined {
  if (!certificate.value.checkPrivateKey(key.value)) {
    return { key: 'keyFile', message: 'the key is not the certificate\'s; write the two files that were made together' }
  }
  try {
    createSecureContext({ cert: certificate.text, key: key.text })
    return undefined
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no code'
    return { key: 'certFile', message: `TLS does not accept the certificate (${code}); make a new one, with an RSA key of 2048 bits or an EC key` }
  }
}
