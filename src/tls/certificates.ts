import { createPrivateKey, generateKeyPair, randomBytes, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { promisify } from 'node:util'
import forge from 'node-forge'

const generateKeys = promisify(generateKeyPair)

/** What every device of the last fifteen years can verify, and cheap to sign with on a small gateway. */
const keyBits = 2048

/** A device whose clock is a little behind must not refuse a certificate that was issued just now. */
const clockToleranceMs = 5 * 60_000

const dayMs = 24 * 3_600_000

/** RFC 5280 appendix A.1, `ub-common-name`: longer ones make strict verifiers fail. */
const maxCommonNameLength = 64

/** A certificate authority: what signs, and what devices are told to trust. PEM; the key is not encrypted. */
export interface Authority {
  readonly certificatePem: string
  readonly keyPem: string
}

/** A leaf's certificate and its key. PEM; the key is not encrypted. */
export interface IssuedCertificate {
  /** The leaf alone. */
  readonly certificatePem: string
  /** The leaf, then its authority: what a TLS server or client is given as `cert`. */
  readonly chainPem: string
  readonly keyPem: string
}

/** An authority that cannot sign: its files are broken, are not a pair, or are of a kind that is not supported. */
export class AuthorityError extends Error {
  override readonly name = 'AuthorityError'
}

/** A name that a certificate can carry, in its one canonical spelling. */
export interface CertificateHost {
  readonly kind: 'dns' | 'ip'
  readonly name: string
}

export interface AuthorityOptions {
  /** At most 64 characters. */
  readonly commonName: string
  /** Whose authority it says it is; nobody's when absent. */
  readonly organization?: string
  readonly validDays: number
  readonly now: Date
}

interface LeafOptions {
  readonly authority: Authority
  readonly validDays: number
  readonly now: Date
}

export interface ServerCertificateOptions extends LeafOptions {
  /** DNS names, `*.` allowed as the first label, and IP addresses without brackets; at least one. */
  readonly hosts: readonly string[]
}

export interface ClientCertificateOptions extends LeafOptions {
  /** What the client is called in a log; at most 64 characters. */
  readonly commonName: string
}

/**
 * Issues a self-signed RSA 2048 authority that may sign leaves only (path length 0).
 *
 * @throws RangeError for a common name or a lifetime that no certificate can have.
 */
export async function issueAuthority (options: AuthorityOptions): Promise<Authority> {
  const { commonName, organization, validDays, now } = options
  requireCommonName(commonName)
  const keys = await generateRsaKeys()
  const certificate = beginCertificate(keys.publicKeyPem, now, endOfValidity(now, validDays))
  const name = toDistinguishedName(commonName, organization)
  certificate.setSubject(name)
  certificate.setIssuer(name)
  certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: true, pathLenConstraint: 0 },
    { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true },
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier: certificate.generateSubjectKeyIdentifier().getBytes() },
  ])
  return { certificatePem: signToPem(certificate, keys.privateKeyPem), keyPem: keys.privateKeyPem }
}

/**
 * Issues a TLS server's certificate with a new RSA 2048 key. It never outlives its authority: the earlier end counts.
 *
 * @throws RangeError for no host, a host that no certificate can carry, or an impossible lifetime;
 *   AuthorityError for an authority that is not RSA in PEM, or whose certificate and key are not a pair.
 */
export async function issueServerCertificate (options: ServerCertificateOptions): Promise<IssuedCertificate> {
  const hosts = options.hosts.map(requireHost)
  if (hosts.length === 0) throw new RangeError('a server certificate needs at least one host')
  const commonName = hosts.find(({ name }) => name.length <= maxCommonNameLength)?.name ?? 'acr-egress'
  return await issueLeaf(options, commonName, [
    { name: 'keyUsage', critical: true, digitalSignature: true, keyEncipherment: true },
    { name: 'extKeyUsage', serverAuth: true },
    { name: 'subjectAltName', altNames: hosts.map(toAltName) },
  ])
}

/**
 * Issues a TLS client's certificate, which is good for nothing else, with a new RSA 2048 key. It never outlives its
 * authority: the earlier end counts.
 *
 * @throws RangeError for a common name or a lifetime that no certificate can have; AuthorityError as above.
 */
export async function issueClientCertificate (options: ClientCertificateOptions): Promise<IssuedCertificate> {
  requireCommonName(options.commonName)
  return await issueLeaf(options, options.commonName, [
    { name: 'keyUsage', critical: true, digitalSignature: true },
    { name: 'extKeyUsage', clientAuth: true },
  ])
}

async function issueLeaf (
  { authority, validDays, now }: LeafOptions, commonName: string, extensions: readonly object[],
): Promise<IssuedCertificate> {
  const issuer = readIssuer(authority)
  const asked = endOfValidity(now, validDays)
  const issuerEnd = issuer.validity.notAfter
  const keys = await generateRsaKeys()
  const certificate = beginCertificate(keys.publicKeyPem, now, asked < issuerEnd ? asked : issuerEnd)
  certificate.setSubject(toDistinguishedName(commonName))
  certificate.setIssuer(issuer.subject.attributes.map(decodeAttribute))
  certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: false },
    ...extensions,
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier: readKeyIdentifier(issuer) },
  ])
  const certificatePem = signToPem(certificate, authority.keyPem)
  const chainPem = `${certificatePem}${authority.certificatePem.trim()}\n`
  return { certificatePem, chainPem, keyPem: keys.privateKeyPem }
}

/**
 * Reads a DNS name (letters, digits, hyphens; `*` as the whole first of at least three labels; one trailing dot
 * dropped) or an IP address without brackets or zone. `undefined` for anything else.
 */
export function parseCertificateHost (text: string): CertificateHost | undefined {
  if (isIP(text) === 4) return { kind: 'ip', name: text }
  if (isIP(text) === 6) return text.includes('%') ? undefined : { kind: 'ip', name: canonicaliseIPv6(text) }
  const name = text.toLowerCase().replace(/\.$/, '')
  const labels = name.split('.')
  // TLS clients match a wildcard only under two labels: `*.example` would never be accepted by any of them.
  if (labels[0] === '*' && labels.length >= 3) labels.shift()
  const isLabel = (label: string): boolean => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label)
  // A last label of digits is a misspelt IPv4 address (RFC 3696 section 2).
  if (name.length > 253 || !labels.every(isLabel) || /^[0-9]+$/.test(labels.at(-1) ?? '')) return undefined
  return { kind: 'dns', name }
}

function requireCommonName (text: string): void {
  if (text !== '' && text.length <= maxCommonNameLength) return
  throw new RangeError(`a common name has 1 to ${maxCommonNameLength} characters, not ${text.length}; write another`)
}

function requireHost (text: string): CertificateHost {
  const host = parseCertificateHost(text)
  if (host !== undefined) return host
  throw new RangeError(`${JSON.stringify(text)} is no DNS name or IP address; write gateway.example or 192.0.2.1`)
}

/** OpenSSL reads the pair before forge does: its parser is the hardened one. */
function readIssuer ({ certificatePem, keyPem }: Authority): forge.pki.Certificate {
  let isPair: boolean
  try {
    isPair = new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem))
  } catch (cause) {
    throw new AuthorityError('not a certificate and an unencrypted private key, both PEM', { cause })
  }
  if (!isPair) throw new AuthorityError('the private key is not the key of the certificate')
  if (createPrivateKey(keyPem).asymmetricKeyType !== 'rsa') throw new AuthorityError('only an RSA key can be used')
  return forge.pki.certificateFromPem(certificatePem)
}

/** forge reads no dotted quad inside an IPv6 address; the URL standard's spelling has none. */
function canonicaliseIPv6 (address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1)
}

/** RFC 5280 section 4.2.1.6: 2 is dNSName, 7 is iPAddress. */
function toAltName ({ kind, name }: CertificateHost): object {
  return kind === 'ip' ? { type: 7, ip: name } : { type: 2, value: name }
}

/** Keys by OpenSSL, on a thread of its own: forge alone would hold up the process for seconds. */
async function generateRsaKeys (): Promise<{ publicKeyPem: string, privateKeyPem: string }> {
  const { publicKey, privateKey } = await generateKeys('rsa', {
    modulusLength: keyBits,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  return { publicKeyPem: publicKey, privateKeyPem: privateKey }
}

/** UTF-8, because the default of forge (PrintableString) has no `*`. Its type for the tag is a mistake of @types. */
function toDistinguishedName (commonName: string, organization?: string): forge.pki.CertificateField[] {
  const valueTagClass = forge.asn1.Type.UTF8 as number as forge.asn1.Class
  return [
    ...organization === undefined ? [] : [{ name: 'organizationName', value: organization, valueTagClass }],
    { name: 'commonName', value: commonName, valueTagClass },
  ]
}

/** forge encodes UTF-8 when it writes a name, but leaves it encoded when it reads one. */
function decodeAttribute (attribute: forge.pki.CertificateField): forge.pki.CertificateField {
  const isUtf8 = Number(attribute.valueTagClass) === Number(forge.asn1.Type.UTF8)
  if (!isUtf8 || typeof attribute.value !== 'string') return attribute
  return { ...attribute, value: forge.util.decodeUtf8(attribute.value) }
}

function beginCertificate (publicKeyPem: string, now: Date, notAfter: Date): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKeyPem)
  certificate.serialNumber = createSerialNumber()
  certificate.validity.notBefore = new Date(now.getTime() - clockToleranceMs)
  certificate.validity.notAfter = notAfter
  return certificate
}

/** 16 random bytes. The first is 0x40 to 0x7f: neither a sign bit nor a leading zero, which DER forbids. */
function createSerialNumber (): string {
  const bytes = randomBytes(16)
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0)
  return bytes.toString('hex')
}

function endOfValidity (now: Date, validDays: number): Date {
  if (!Number.isInteger(validDays) || validDays < 1) {
    throw new RangeError(`a certificate is valid for 1 or more whole days, not ${validDays}`)
  }
  return new Date(now.getTime() + validDays * dayMs)
}

/** An authority made elsewhere may compute its identifier differently: what its certificate says counts. */
function readKeyIdentifier (issuer: forge.pki.Certificate): string {
  const extension = issuer.getExtension('subjectKeyIdentifier') as { subjectKeyIdentifier?: string } | null | undefined
  const stated = extension?.subjectKeyIdentifier
  return stated === undefined ? issuer.generateSubjectKeyIdentifier().getBytes() : forge.util.hexToBytes(stated)
}

function signToPem (certificate: forge.pki.Certificate, keyPem: string): string {
  certificate.sign(forge.pki.privateKeyFromPem(keyPem), forge.md.sha256.create())
  return forge.pki.certificateToPem(certificate).replaceAll('\r\n', '\n')
}
