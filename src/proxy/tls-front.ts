import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { HostName } from '../net/host-name.ts'
import type { ClientAuthorities } from '../tls/client-authorities.ts'
import { createServerNames } from '../tls/server-names.ts'
import type { TlsFiles } from '../tls/tls-files.ts'
import { type CertificateDecision, decideCertificate, denyWithoutTls, noCertificateAsked } from './client-certificate.ts'
import { type HandshakeFailure, classifyHandshakeError } from './handshake-failure.ts'
import { type TicketKeys, createTicketKeys, createTlsServer } from './tls-server.ts'

export interface TlsFrontOptions {
  /** What is served with at first. */
  readonly files: TlsFiles
  /** For one handshake, in milliseconds. */
  readonly handshakeTimeoutMs: number
  /** Milliseconds since the epoch, for the dates of client certificates. */
  readonly now: () => number
  /** A handshake is done: HTTP is read from `stream` now. Closing `stream` closes `socket`. */
  readonly onSecure: (stream: TLSSocket, socket: Socket, certificate: CertificateDecision) => void
  /** A handshake failed; the socket is destroyed. */
  readonly onFailed: (failure: HandshakeFailure) => void
}

// The first byte of a TLS record with a handshake in it (RFC 8446 §5.1); no HTTP method begins with it.
const handshakeRecord = 0x16

/** Whether the first bytes of a connection are TLS. */
export function beginsHandshake (bytes: Buffer): boolean {
  return bytes[0] === handshakeRecord
}

/** The gateway's side of TLS with clients, for `https://` proxy URLs. */
export interface TlsFront {
  /** Takes over a socket whose first bytes, put back, are those of a handshake. */
  shakeHands (socket: Socket): void
  /** Destroys a socket that has taken too long, a handshake on it too. */
  expire (socket: Socket): void
  /** From now on handshakes begin with these; connections that have begun theirs stay as they are. */
  serveWith (files: TlsFiles): void
  /** What is to be thought of a client that has not shaken hands. */
  decideWithoutTls (): CertificateDecision
  /** Whether a certificate of the gateway is for this name. */
  isOwnName (name: HostName): boolean
}

/** RFC 9325 §3.3 asks for new ones regularly: who has them can read TLS 1.2 of all that was resumed. */
const ticketKeysLastMs = 24 * 3_600_000

/** A handshake that has begun and is not done. */
interface Handshake {
  readonly socket: Socket
  /** Set before the socket is closed, when the reason is known by then. */
  failure?: HandshakeFailure
}

/** TLS over sockets it is handed. */
export function createTlsFront (options: TlsFrontOptions): TlsFront {
  const { handshakeTimeoutMs, now, onSecure, onFailed } = options
  /** Node does not tell which socket a new TLS stream is over; the two ends of the connection do. */
  const underway = new Map<string, Handshake>()
  let served = serve(options.files, createTicketKeys(now()))

  function serve (files: TlsFiles, tickets: TicketKeys) {
    const names = createServerNames(files.pairs)
    const server = createTlsServer(files, names, { tickets, handshakeTimeoutMs })
    server.on('secureConnection', (stream) => { finish(stream, files.clientAuthorities !== undefined) })
    server.on('tlsClientError', (error: NodeJS.ErrnoException, stream) => {
      const handshake = underway.get(connectionKey(stream))
      if (handshake !== undefined) handshake.failure ??= classifyHandshakeError(error.code ?? '')
      stream.destroy()
    })
    return { files, tickets, names, server }
  }

  function finish (stream: TLSSocket, isAsked: boolean): void {
    const key = connectionKey(stream)
    const handshake = underway.get(key)
    if (handshake === undefined) {
      // Closed by its owner at the very moment that it was ready.
      stream.destroy()
      return
    }
    underway.delete(key)
    stream.on('error', () => {})
    stream.allowHalfOpen = true
    onSecure(stream, handshake.socket, isAsked ? decideCertificate(stream, now()) : noCertificateAsked)
  }

  /** A session that began under other rules for clients must not be resumed under these. */
  function serveWith (files: TlsFiles): void {
    const { tickets, files: { clientAuthorities } } = served
    const mayKeep = isFresh() && isSameRule(files.clientAuthorities, clientAuthorities)
    served = serve(files, mayKeep ? tickets : createTicketKeys(now()))
  }

  /** Whether a session that began with these keys is as good as a new one. */
  function isFresh (): boolean {
    const { tickets: { madeAt }, files: { clientAuthorities } } = served
    const time = now()
    if (time - madeAt >= ticketKeysLastMs) return false
    return clientAuthorities?.ends.some((end) => madeAt < end && end <= time) !== true
  }

  return {
    serveWith,
    shakeHands (socket) {
      if (!isFresh()) serveWith(served.files)
      const key = connectionKey(socket)
      const handshake: Handshake = { socket }
      underway.set(key, handshake)
      socket.once('close', () => {
        // It is done; or its ends are another connection's by now.
        if (underway.get(key) !== handshake) return
        underway.delete(key)
        onFailed(handshake.failure ?? 'client_gone')
      })
      // The stream begins with what its socket has: who ends within the handshake will never finish it.
      socket.allowHalfOpen = false
      served.server.emit('connection', socket)
    },
    expire (socket) {
      const handshake = underway.get(connectionKey(socket))
      if (handshake !== undefined) handshake.failure = 'timeout'
      socket.destroy()
    },
    decideWithoutTls: () => served.files.clientAuthorities === undefined ? noCertificateAsked : denyWithoutTls(),
    isOwnName: (name) => served.names.find(name) !== undefined,
  }
}

function isSameRule (one: ClientAuthorities | undefined, other: ClientAuthorities | undefined): boolean {
  return one?.caPem === other?.caPem && String(one?.revocation?.crlPems) === String(other?.revocation?.crlPems)
}

function connectionKey ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}
