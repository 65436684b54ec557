import { once } from 'node:events'
import { connect } from 'node:net'
import { createServer } from 'node:tls'
import t, { type Test } from 'tap'
import { listenOnLoopback } from '../../../src/lab/loopback.ts'
import { openConnection } from '../../../src/outbound/connection.ts'
import { openSecureSocket } from '../../../src/outbound/secure-socket.ts'
import { issueAuthority, issueServerCertificate } from '../../../src/tls/certificates.ts'
import { startUpstream } from '../../support/upstream.ts'

const servername = 'server.example'
const now = new Date()
const authority = await issueAuthority({ commonName: 'test', validDays: 1, now })
const stranger = await issueAuthority({ commonName: 'stranger', validDays: 1, now })
const { chainPem, keyPem } = await issueServerCertificate({ authority, hosts: [servername], validDays: 1, now })
const trust = { ca: authority.certificatePem }

async function failureOf (promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(() => undefined, (error: unknown) => error)
}

async function startServer (t: Test): Promise<number> {
  const server = createServer({ cert: chainPem, key: keyPem }, (socket) => socket.on('error', () => {}))
  const { port, close } = await listenOnLoopback(server.on('tlsClientError', () => {}))
  t.teardown(close)
  return port
}

t.test('a trusted server is spoken to with HTTP/1.1 to follow', async (t) => {
  const socket = connect(await startServer(t), '127.0.0.1')
  const secure = await openSecureSocket({ socket, servername, trust })
  t.equal(secure.authorized, true)
  secure.destroy()
  await once(socket, 'close')
  t.pass('the connection ends with it')
})

t.test('an address is verified, and never sent as a server name', async (t) => {
  const certificate = await issueServerCertificate({ authority, hosts: ['127.0.0.1', servername], validDays: 1, now })
  const server = createServer({ cert: certificate.chainPem, key: certificate.keyPem })
  const { port, close } = await listenOnLoopback(server)
  t.teardown(close)
  for (const [name, sent] of [['127.0.0.1', false], [servername, servername]] as const) {
    const accepted = once(server, 'secureConnection')
    const secure = await openSecureSocket({ socket: connect(port, '127.0.0.1'), servername: name, trust })
    t.equal((await accepted)[0].servername, sent)
    secure.destroy()
  }
  await t.rejects(openSecureSocket({ socket: connect(port, '127.0.0.1'), servername: '127.0.0.2', trust }), {
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  })
})

t.test('a stranger is refused, with nothing left open; or is taken when asked to, with what is wrong', async (t) => {
  const port = await startServer(t)
  const refused = connect(port, '127.0.0.1')
  const other = { ca: stranger.certificatePem }
  await t.rejects(openSecureSocket({ socket: refused, servername, trust: other }), { code: 'SELF_SIGNED_CERT_IN_CHAIN' })
  t.ok(refused.destroyed)
  const socket = connect(port, '127.0.0.1')
  const secure = await openSecureSocket({ socket, servername, trust: other, takesUntrusted: true })
  t.match(secure, { authorized: false, authorizationError: 'SELF_SIGNED_CERT_IN_CHAIN' })
  secure.destroy()
})

t.test('a handshake that does not come ends with the signal\'s reason, or after the idle time', async (t) => {
  const { port } = await startUpstream(t)
  const aborted = connect(port, '127.0.0.1')
  const controller = new AbortController()
  const reason = new Error('enough')
  setImmediate(() => controller.abort(reason))
  t.equal(await failureOf(openSecureSocket({ socket: aborted, servername, trust, signal: controller.signal })), reason)
  t.ok(aborted.destroyed)
  const idle = connect(port, '127.0.0.1')
  await t.rejects(openSecureSocket({ socket: idle, servername, trust, idleTimeoutMs: 20 }), { code: 'ETIMEDOUT' })
  t.ok(idle.destroyed)
})

t.test('a connection comes, fails with its code, or ends with the signal\'s reason', async (t) => {
  const { port } = await startUpstream(t)
  const { signal } = new AbortController();
  (await openConnection({ host: '127.0.0.1', port, signal })).destroy()
  const closed = await listenOnLoopback(createServer())
  await closed.close()
  await t.rejects(openConnection({ host: '127.0.0.1', port: closed.port, signal }), { code: 'ECONNREFUSED' })
  const reason = new Error('enough')
  t.equal(await failureOf(openConnection({ host: '127.0.0.1', port, signal: AbortSignal.abort(reason) })), reason)
})
