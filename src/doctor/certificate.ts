import type { X509Certificate } from 'node:crypto'
import type { Advice } from './step.ts'

/** What a server showed, and what the TLS library thinks of it. */
export interface PresentedCertificate {
  /** From the server's own upwards, as far as they are known; at least one. */
  readonly chain: readonly X509Certificate[]
  /** Why it is not trusted, as a code; '' when it is. */
  readonly problem: string
  /** Who was asked for. */
  readonly host: string
}

/** How a certificate is judged. */
export interface CertificateGrounds {
  /** Where the trusted authorities are from, for a person. */
  readonly trustSource: string
  /** This machine's clock, in milliseconds since the epoch. */
  readonly now: number
  /** The clock of the server, by its `Date`, where it was asked. */
  readonly serverNow?: number | undefined
}

export type CertificateJudgement =
  | { readonly kind: 'good', readonly found: string }
  | { readonly kind: 'strange', readonly advice: Advice }
  | { readonly kind: 'bad', readonly advice: Advice }

/** Who vouches for Azure's certificates (Azure Certificate Authority details, 2024-2026). */
const azureIssuers = /^(?:Microsoft|DigiCert)\b/

const maxNames = 3
const maxChainLength = 10

/** A certificate and those that vouch for it, as far as the server and the store have them. */
export function listChain (leaf: X509Certificate): readonly X509Certificate[] {
  const chain = [leaf]
  let next = leaf.issuerCertificate
  while (next !== undefined && chain.length < maxChainLength && next.fingerprint256 !== chain.at(-1)?.fingerprint256) {
    chain.push(next)
    next = next.issuerCertificate
  }
  return chain
}

/**
 * Whether the dates are the matter: those of the server's own certificate, or as the TLS library says, which may have
 * found another way up than by an outdated authority that the server sends along.
 */
export function hasDateProblem ({ chain, problem }: PresentedCertificate, now: number): boolean {
  return dateProblems.has(problem) || chain.slice(0, 1).some((leaf) => isOutdated(leaf, now))
}

function isOutdated ({ validFrom, validTo }: X509Certificate, now: number): boolean {
  return now < Date.parse(validFrom) || now > Date.parse(validTo)
}

const dateProblems: ReadonlySet<string> = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'])

/** Says whether this is the registry's own certificate, one that something on the way put in its place, or no good. */
export function judgeCertificate (presented: PresentedCertificate, grounds: CertificateGrounds): CertificateJudgement {
  const { chain, problem } = presented
  const leaf = chain[0]
  if (leaf === undefined) throw new TypeError('a chain begins with the certificate of the server')
  if (hasDateProblem(presented, grounds.now)) return { kind: 'bad', advice: judgeDates(presented, grounds) }
  if (problem === 'ERR_TLS_CERT_ALTNAME_INVALID') return { kind: 'bad', advice: describeOtherName(presented, leaf) }
  const issuer = describeIssuer(leaf)
  const isAzure = azureIssuers.test(readName(leaf.issuer, 'O'))
  if (problem !== '') return { kind: 'bad', advice: describeUntrusted(presented, grounds, issuer, isAzure) }
  if (!isAzure) return { kind: 'strange', advice: describeReplaced(presented, grounds, issuer) }
  return { kind: 'good', found: `issued by ${issuer}, valid until ${formatDay(leaf.validTo)}` }
}

function judgeDates ({ chain, host }: PresentedCertificate, { now, serverNow }: CertificateGrounds): Advice {
  const outdated = chain.find((one) => isOutdated(one, now))
  const clock = `this machine's clock says ${formatTime(now)}`
  if (serverNow !== undefined && outdated !== undefined && !isOutdated(outdated, serverNow)) {
    return {
      found: `${clock}, the server's ${formatTime(serverNow)}, at which its certificate is valid: this machine's clock is wrong`,
      toDo: 'Set the clock (timedatectl set-ntp true, or see why it is not set), and try again.',
    }
  }
  const what = outdated === undefined ? 'an authority of the certificate is outdated' : describeOutdated(outdated, now)
  const agreed = serverNow === undefined ? `; ${clock}` : `; ${clock}, and the server's ${formatTime(serverNow)}`
  const doubt = serverNow === undefined ? 'See first that this machine\'s clock is right (timedatectl). ' : ''
  return {
    found: `${what}${agreed}`,
    toDo: `${doubt}If the issuer is neither Microsoft nor DigiCert, tell whoever runs the device on the way that opens TLS; ` +
      `else see what answers in the place of ${host}.`,
  }
}

function describeOutdated (outdated: X509Certificate, now: number): string {
  const { validFrom, validTo } = outdated
  const what = now < Date.parse(validFrom) ? 'the certificate is not valid yet' : 'the certificate has expired'
  return `${what} (valid from ${formatDay(validFrom)} to ${formatDay(validTo)}), issued by ${describeIssuer(outdated)}`
}

function describeOtherName ({ host }: PresentedCertificate, leaf: X509Certificate): Advice {
  const names = (leaf.subjectAltName ?? '').split(', ').filter((name) => name !== '')
  const more = names.length > maxNames ? ` and ${names.length - maxNames} more` : ''
  const named = names.length === 0 ? 'for no name' : `for ${names.slice(0, maxNames).join(', ')}${more}`
  return {
    found: `the certificate is ${named}, and not for ${host}; issued by ${describeIssuer(leaf)}`,
    toDo: 'See what answers at this address: the private endpoint of another registry, a proxy, or a portal to log in at.',
  }
}

function describeUntrusted (
  { host, problem }: PresentedCertificate, { trustSource }: CertificateGrounds, issuer: string, isAzure: boolean,
): Advice {
  if (isAzure) {
    return {
      found: `the certificate says it is from ${issuer}, but the authority above it is not in ${trustSource} (${problem})`,
      toDo: 'Bring the system\'s authorities up to date (package ca-certificates); if that does not help, something on ' +
        'the way pretends to be Azure.',
    }
  }
  return {
    found: `TLS is replaced on the way: the certificate is from ${issuer}, which ${trustSource} does not trust (${problem})`,
    toDo: `Have ${host} exempted from TLS inspection; or add that authority to the system's (update-ca-certificates), after ` +
      'a try with --ca FILE.',
  }
}

function describeReplaced (
  { host }: PresentedCertificate, { trustSource }: CertificateGrounds, issuer: string,
): Advice {
  return {
    found: `TLS is replaced on the way: the certificate is from ${issuer}, neither Microsoft nor DigiCert, and trusted by ${trustSource}`,
    toDo: `Have ${host} exempted from TLS inspection; or see that every client trusts that authority too ` +
      `(docker: /etc/docker/certs.d/${host}/ca.crt).`,
  }
}

function describeIssuer ({ issuer }: X509Certificate): string {
  const [name, organization] = [readName(issuer, 'CN'), readName(issuer, 'O')]
  if (name === '') return organization === '' ? 'nobody named' : organization
  return organization === '' ? name : `${name} (${organization})`
}

// RFC 5280 bounds names at 64 characters; whoever writes longer ones is not to fill the screen.
const maxNameLength = 80

/** One attribute of a name, which Node writes as lines of `KEY=VALUE`. */
function readName (name: string, key: string): string {
  const line = name.split('\n').find((one) => one.startsWith(`${key}=`))
  return (line ?? '').slice(key.length + 1, key.length + 1 + maxNameLength)
}

function formatDay (text: string): string {
  return new Date(text).toISOString().slice(0, 10)
}

function formatTime (milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z')
}
