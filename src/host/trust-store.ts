import { X509Certificate } from 'node:crypto'
import { rootCertificates } from 'node:tls'
import { readTextFile } from './text-file.ts'

/** Whom this machine trusts. */
export interface TrustStore {
  /** PEM, as `createSecureContext` takes it. */
  readonly certificates: readonly string[]
  /** Where they are from, for a person: a path, or `Node.js`. */
  readonly source: string
}

export interface TrustStoreOptions {
  /** The value of SSL_CERT_FILE; it is then the only file of the system that is looked at. */
  readonly certFile?: string | undefined
  /** In place of those of Linux distributions. */
  readonly systemFiles?: readonly string[]
}

/** A file of certificates, or what is wrong with it; what to do. */
export type CertificateFile =
  | { readonly ok: true, readonly certificates: readonly string[] }
  | { readonly ok: false, readonly message: string }

/**
 * Where Debian and its kin, Red Hat and its kin, and Alpine keep the bundle: the first of them that is there counts,
 * as for Go programs such as docker and containerd (Go's crypto/x509, root_linux.go).
 */
const usualFiles = [
  '/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem', '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem', '/etc/ssl/cert.pem',
]

/** A bundle of all public authorities has some 250 KiB; with those of a company it is still far from this. */
const maxBundleBytes = 8 * 1024 * 1024

/**
 * Reads the authorities that the programs of this machine trust; without any file of the system those that Node.js
 * brings. Never rejects: that the file of SSL_CERT_FILE cannot be used is told.
 */
export async function readTrustStore (
  { certFile, systemFiles = usualFiles }: TrustStoreOptions = {},
): Promise<{ readonly ok: true, readonly store: TrustStore } | { readonly ok: false, readonly message: string }> {
  if (certFile !== undefined && certFile !== '') {
    const read = await readCertificateFile(certFile)
    return read.ok ? { ok: true, store: { certificates: read.certificates, source: certFile } } : read
  }
  for (const source of systemFiles) {
    const read = await readCertificateFile(source)
    if (read.ok) return { ok: true, store: { certificates: read.certificates, source } }
  }
  return { ok: true, store: { certificates: rootCertificates, source: 'Node.js' } }
}

const pemBlock = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g

/** Reads a file of one or more certificates, PEM; the first has to be readable. Never rejects. */
export async function readCertificateFile (file: string): Promise<CertificateFile> {
  const content = await readTextFile(file, maxBundleBytes)
  if (!content.ok) return { ok: false, message: content.message }
  const certificates = content.text.match(pemBlock) ?? []
  try {
    if (certificates[0] !== undefined) {
      void new X509Certificate(certificates[0])
      return { ok: true, certificates }
    }
  } catch {
    // Said below.
  }
  return { ok: false, message: 'holds no certificate; name a file in PEM form, that begins with -----BEGIN CERTIFICATE-----' }
}
