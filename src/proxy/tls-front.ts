import { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { type TLSSocket, Server as TlsServer } from 'node:tls'
import type { HostName } from '../net/host-name.ts'

export interface TlsFrontOptions {
  readonly certificatePem: string
  readonly keyPem: string
  /** For one handshake, in milliseconds. */
  readonly handshakeTimeoutMs: number
  /** A handshake is done: HTTP is read from `stream` now. Closing `stream` closes `socket`. */
  readonly onSecure: (stream: TLSSocket, socket: Socket) => void
  /** A handshake failed; the socket is destroyed. */
  readonly onFailed: () => void
}

// The first byte of a TLS record with a handshake in it (RFC 8446 §5.1); no HTTP method begins with it.
const handshake = 0x16

/** Whether the first bytes of a connection are TLS. */
export function beginsHandshake (bytes: Buffer): boolean {
  return bytes[0] === handshake
}

/** The gateway's side of TLS with clients, for `https://` proxy URLs. */
export interface TlsFront {
  /** Takes over a socket whose first bytes, put back, are those of a handshake. */
  shakeHands (socket: Socket): void
  /** Whether the certificate is for this name. */
  isOwnName (name: HostName): boolean
}

/** TLS 1.2 and 1.3 over sockets it is handed; a server of Node's that never listens. */
export function createTlsFront (options: TlsFrontOptions): TlsFront {
  const { certificatePem, keyPem, handshakeTimeoutMs, onSecure, onFailed } = options
  /** Node does not tell which socket a new TLS stream is over; the two ends of the connection do. */
  const underway = new Map<string, Socket>()
  const server = new TlsServer({
    cert: certificatePem,
    key: keyPem,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: handshakeTimeoutMs,
  })

  server.on('secureConnection', (stream) => {
    const key = connectionKey(stream)
    const socket = underway.get(key)
    underway.delete(key)
    if (socket === undefined) {
      // Closed by its owner at the very moment that it was ready.
      stream.destroy()
      return
    }
    stream.on('error', () => {})
    stream.allowHalfOpen = true
    onSecure(stream, socket)
  })
  server.on('tlsClientError', (_error, stream) => {
    stream.destroy()
    onFailed()
  })

  const certificate = new X509Certificate(certificatePem)
  return {
    isOwnName: (name) => certificate.checkHost(name, { subject: 'never' }) !== undefined,
    shakeHands (socket) {
      const key = connectionKey(socket)
      underway.set(key, socket)
      socket.once('close', () => underway.delete(key))
      // The stream begins with what its socket has: who ends within the handshake will never finish it.
      socket.allowHalfOpen = false
      server.emit('connection', socket)
    },
  }
}

function connectionKey ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}
