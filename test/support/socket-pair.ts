import { once } from 'node:events'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { type TLSSocket, Server as TlsServer, connect as connectTls } from 'node:tls'
import type { Test } from 'tap'
import type { RelayEnd } from '../../src/relay/ends.ts'
import { issueAuthority, issueServerCertificate } from '../../src/tls/certificates.ts'
import { readBytes } from './stream-watch.ts'

/** The peer's end of a connection: what it reads and writes, and the TCP connection below. */
export interface FarEnd {
  readonly stream: Duplex
  readonly socket: Socket
}

/** One connection over loopback, seen from the gateway and from its peer. Both may be half-closed. */
export interface SocketPair {
  readonly near: RelayEnd
  readonly far: FarEnd
}

/** Connects a pair in clear text; the test's end destroys both. */
export async function openPlainPair (t: Test): Promise<SocketPair> {
  const { near, far } = await openTcp(t)
  return { near: { stream: near, socket: near }, far: { stream: far, socket: far } }
}

/** A maker of pairs that speak TLS, with one certificate for all; the near end is the server, as in the gateway. */
export async function createTlsPairs (): Promise<(t: Test) => Promise<SocketPair>> {
  const now = new Date()
  const authority = await issueAuthority({ commonName: 'pairs', validDays: 1, now })
  const { chainPem, keyPem } = await issueServerCertificate({ authority, hosts: ['near.example'], validDays: 1, now })
  return async (t) => {
    const { near, far } = await openTcp(t)
    const server = new TlsServer({ cert: chainPem, key: keyPem })
    server.emit('connection', near)
    const client = connectTls({ socket: far, ca: authority.certificatePem, servername: 'near.example' })
    client.on('error', () => {})
    const [[stream]] = await Promise.all([
      once(server, 'secureConnection') as Promise<[TLSSocket]>,
      once(client, 'secureConnect'),
    ])
    stream.on('error', () => {})
    // A word each way, as a CONNECT and its answer are: the handshake is over for both when they have come.
    client.write('.')
    await readBytes(stream, 1)
    stream.write('.')
    await readBytes(client, 1)
    return { near: { stream, socket: near }, far: { stream: client, socket: far } }
  }
}

async function openTcp (t: Test): Promise<{ near: Socket, far: Socket }> {
  const server = createServer({ allowHalfOpen: true, noDelay: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  const [[near]] = await Promise.all([once(server, 'connection') as Promise<[Socket]>, once(far, 'connect')])
  server.close()
  for (const socket of [near, far]) {
    socket.on('error', () => {})
    t.teardown(() => socket.destroy())
  }
  return { near, far }
}
