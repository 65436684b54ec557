import { Duplex } from 'node:stream'
import { Server as TlsServer } from 'node:tls'
import type { Test } from 'tap'
import { issueAuthority, issueServerCertificate } from '../../src/tls/certificates.ts'

/** What OpenSSL makes of the first bytes of a connection: the name it goes by, or that it goes by none. */
export interface OpenSslReading {
  /** As it stands there, in its own letters. */
  readonly serverName: string | undefined
  /** It has taken the hello, and answered it. */
  readonly isAnswered: boolean
}

const alertRecord = 21

/** Node's TLS server, as a second reader of a ClientHello that has nothing in common with ours. */
export async function createOpenSslReader (t: Test): Promise<(bytes: Buffer) => Promise<OpenSslReading>> {
  const now = new Date()
  const authority = await issueAuthority({ commonName: 'reader', validDays: 1, now })
  const { chainPem, keyPem } = await issueServerCertificate({ authority, hosts: ['reader.example'], validDays: 1, now })
  let settle: (reading: OpenSslReading) => void = () => {}
  const server = new TlsServer({
    cert: chainPem,
    key: keyPem,
    // What a mutated hello offers is to matter as little as can be.
    minVersion: 'TLSv1',
    ciphers: 'ALL:@SECLEVEL=0',
    SNICallback: (serverName, callback) => {
      settle({ serverName, isAnswered: false })
      // The name is all that is asked for; to sign for each would take most of the time.
      callback(new Error('enough'))
    },
  })
  server.on('tlsClientError', () => settle({ serverName: undefined, isAnswered: false }))
  t.teardown(() => server.close())

  return async (bytes) => {
    const stream = new Duplex({
      read () {},
      write (chunk: Buffer, _encoding, callback) {
        settle({ serverName: undefined, isAnswered: chunk[0] !== alertRecord })
        callback()
      },
    })
    stream.on('error', () => {})
    const reading = new Promise<OpenSslReading>((resolve) => { settle = resolve })
    server.emit('connection', stream)
    stream.push(bytes)
    // Whoever still waits for bytes by then has all of these, and hears that there are no more.
    for (let turns = 0; turns < 4; turns++) await new Promise((resolve) => { setImmediate(resolve) })
    stream.destroy()
    return await reading
  }
}
