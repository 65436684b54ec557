import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { type Denied, type Refusal, deny, refuse } from '../refusal/reasons.ts'
import { formatSubject } from '../tls/subject.ts'

/** Whether a client has shown what it must, and who it is by that. */
export type CertificateDecision =
  | {
    readonly allow: true
    /** The subject of its certificate, one line of printable ASCII; absent where none is asked for. */
    readonly subject?: string
  }
  | Denied

/** For clients that are asked for nothing. */
export const noCertificateAsked: CertificateDecision = { allow: true }

/**
 * Judges a client by its handshake with a server that asks for a certificate and refuses none; `now` is in milliseconds
 * since the epoch. The codes are OpenSSL's (X509_STORE_CTX_get_error(3)).
 */
export function decideCertificate (stream: TLSSocket, now: number): CertificateDecision {
  const certificate = stream.getPeerX509Certificate()
  // Before all else: Node takes a TLS 1.3 session that is resumed without a certificate for an authorized one.
  if (certificate === undefined) return deny(refuseMissing())
  if (!stream.authorized) return deny(describeError(readError(stream), certificate, now))
  // A resumed session is as good as it was at its full handshake; the certificate is as good as it is now.
  if (Date.parse(certificate.validTo) <= now) return deny(describeError('CERT_HAS_EXPIRED', certificate, now))
  if (Date.parse(certificate.validFrom) > now) return deny(describeError('CERT_NOT_YET_VALID', certificate, now))
  return { allow: true, subject: formatSubject(certificate) }
}

/** For clients that do not speak TLS to the gateway itself, where it asks for certificates. */
export function denyWithoutTls (): Denied {
  return deny(refuseCertificate('the client showed no certificate, as it does not speak TLS to the gateway',
    'Write https:// in its proxy URL, and give it a certificate.'))
}

/** Its type says an Error; it is the code alone. */
function readError ({ authorizationError }: TLSSocket): string {
  return String(authorizationError)
}

function refuseCertificate (detail: string, hint: string): Refusal {
  return refuse('client_certificate_refused', detail, hint)
}

function refuseMissing (): Refusal {
  return refuseCertificate('the client showed no certificate',
    'Give it one from an authority in listen.tls.clientCaFile; many clients show none that is from another.')
}

function refuseUnknown (): Refusal {
  return refuseCertificate('the client\'s certificate is from no authority that counts here',
    'Give it one from an authority in listen.tls.clientCaFile, with the intermediates between the two in its file.')
}

const renew = 'Give the client a new certificate.'
const clock = 'See that the clocks of the gateway and of whoever issued the certificate are right.'

function describeError (code: string, certificate: X509Certificate, now: number): Refusal {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return Date.parse(certificate.validTo) <= now
        ? refuseCertificate(`the client's certificate expired on ${formatTime(certificate.validTo)}`, renew)
        : refuseCertificate('an authority of the client\'s certificate has expired',
          'Renew the authority, in listen.tls.clientCaFile and in what the client sends.')
    case 'CERT_NOT_YET_VALID':
      return refuseCertificate(`the client's certificate is not valid before ${formatTime(certificate.validFrom)}`, clock)
    case 'CERT_REVOKED':
      return refuseCertificate('the client\'s certificate is revoked', renew)
    case 'INVALID_PURPOSE':
      return refuseCertificate('the client\'s certificate is not for clients: its extended key usage has no clientAuth',
        'Issue one for clients; that of a server does not do.')
    case 'UNABLE_TO_GET_CRL':
      // What is said last of one that is signed by itself, when there are lists.
      if (certificate.checkIssued(certificate)) return refuseUnknown()
      return refuseCertificate('there is no revocation list of an authority of the client\'s certificate',
        'If that authority should count, add it to listen.tls.clientCaFile, and its list to listen.tls.clientCrlFile.')
    case 'CRL_HAS_EXPIRED':
    case 'CRL_NOT_YET_VALID':
      return refuseCertificate('the revocation list of the client\'s authority is out of date',
        'Put a new list in place of listen.tls.clientCrlFile; the gateway takes it while it runs.')
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'CERT_SIGNATURE_FAILURE':
      return refuseUnknown()
    default:
      return refuseCertificate(`the client's certificate is not accepted (${code})`,
        'Look the code up in the manual of openssl verify, and give the client a certificate that passes it.')
  }
}

function formatTime (text: string): string {
  return new Date(text).toISOString().slice(0, 19).replace('T', ' ') + ' UTC'
}
