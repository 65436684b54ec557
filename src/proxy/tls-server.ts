import { constants, randomBytes } from 'node:crypto'
import { type SecureContext, type SecureContextOptions, Server, createSecureContext } from 'node:tls'
import { canonicalHostName } from '../net/host-name.ts'
import type { CertificatePair } from '../tls/certificate-pair.ts'
import type { ServerNames } from '../tls/server-names.ts'
import type { TlsFiles } from '../tls/tls-files.ts'

/** What the tickets of sessions are sealed with. Who has them all can resume any session. */
export interface TicketKeys {
  readonly bytes: Buffer
  /** Milliseconds since the epoch. */
  readonly madeAt: number
}

/** Keys that nobody has had before. */
export function createTicketKeys (now: number): TicketKeys {
  // As many as Node asks for.
  return { bytes: randomBytes(48), madeAt: now }
}

export interface TlsServerOptions {
  readonly tickets: TicketKeys
  /** For one handshake, in milliseconds. */
  readonly handshakeTimeoutMs: number
}

/**
 * A server of Node's that never listens: TLS 1.2 and 1.3, with the certificate that is for the name that a client asks
 * for (`names` are those of the files), or else the first. It asks for a client certificate where there are authorities
 * for one, and refuses none: the client would see no more than a reset.
 */
export function createTlsServer (
  files: TlsFiles, names: ServerNames, { tickets, handshakeTimeoutMs }: TlsServerOptions,
): Server {
  const { pairs: [first, ...further] } = files
  if (first === undefined) throw new TypeError('TLS files without a certificate')
  // The first is the server's own.
  const contexts: ReadonlyArray<SecureContext | undefined> = [
    undefined, ...further.map((pair) => createSecureContext(describeContext(pair, files, tickets))),
  ]
  return new Server({
    ...describeContext(first, files, tickets),
    ALPNProtocols: ['http/1.1'],
    SNICallback (asked, done) {
      const name = canonicalHostName(asked)
      done(null, contexts[(name === undefined ? undefined : names.find(name)) ?? 0])
    },
    requestCert: files.clientAuthorities !== undefined,
    rejectUnauthorized: false,
    handshakeTimeout: handshakeTimeoutMs,
  })
}

/** The same for all certificates but for these: a session may be resumed under another name than it began. */
function describeContext (
  pair: CertificatePair, { clientAuthorities }: TlsFiles, tickets: TicketKeys,
): SecureContextOptions & { readonly ticketKeys: Buffer } {
  return {
    cert: pair.certificatePem,
    key: pair.keyPem,
    minVersion: 'TLSv1.2',
    honorCipherOrder: true,
    // No client needs it, and each costs the gateway a handshake.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    ticketKeys: tickets.bytes,
    sessionIdContext: 'acr-egress',
    // Without this, the public authorities that Node brings would count.
    ...clientAuthorities === undefined ? {} : { ca: clientAuthorities.caPem },
    ...clientAuthorities?.revocation === undefined ? {} : { crl: [...clientAuthorities.revocation.crlPems] },
  }
}
