import { spawn } from 'node:child_process'
import { type Socket, connect, createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { type ConnectionOptions, connect as connectTls, createServer as createTlsServer } from 'node:tls'
import t, { type Test } from 'tap'
import { listenOnLoopback } from '../../src/lab/loopback.ts'
import { issueAuthority, issueServerCertificate } from '../../src/tls/certificates.ts'
import { writeConnect } from '../support/answer.ts'
import { type TestGateway, startGateway } from '../support/gateway.ts'
import { issueProxyCertificate, tlsKeys } from '../support/proxy-certificate.ts'
import { findFreePort } from '../support/free-port.ts'
import { connectRaw } from '../support/raw-client.ts'

const host = 'contoso.azurecr.io'
const authority = await issueAuthority({ commonName: 'origin', validDays: 1, now: new Date() })
const origin = await issueServerCertificate({ authority, hosts: [host], validDays: 1, now: new Date() })
const own = await issueProxyCertificate()
const accessDenied = Buffer.from([21, 3, 3, 0, 2, 2, 49])

/** A registry that says who it is, and what it is told. */
async function startOrigin (t: Test): Promise<{ readonly port: number }> {
  const server = createTlsServer({ cert: origin.chainPem, key: origin.keyPem }, (socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nregistry'))
  })
  const { port, close } = await listenOnLoopback(server)
  t.teardown(close)
  return { port }
}

async function startInFrontOf (
  t: Test, { port }: { readonly port: number }, { tls = true, more = '' } = {},
): Promise<TestGateway> {
  return await startGateway(t, `
registries: [{ loginServer: ${host}, regions: [eastus], privateEndpoints: [127.0.0.0/8] }]
listen: { transparent: true${tls ? `, ${tlsKeys}` : ''} }
dns: { hosts: { ${host}: ['127.0.0.1:${port}'] }, servers: ['127.0.0.1:1'] }
${more}
`, tls ? own.files : {})
}

/** Speaks TLS with the gateway's port as if it were a registry; all that came, or the code of what went wrong. */
async function ask (
  { proxy }: TestGateway, options: ConnectionOptions, question = 'GET / HTTP/1.1\r\n\r\n',
): Promise<string> {
  const ca = [authority.certificatePem, own.ca]
  const secure = connectTls({ ...proxy, ca, checkServerIdentity: () => undefined, ...options })
  return await new Promise((resolve) => {
    let answer = ''
    secure.on('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)))
    secure.once('secureConnect', () => secure.write(question))
    secure.on('data', (chunk: Buffer) => { answer += chunk.toString() })
    secure.on('end', () => resolve(answer))
  })
}

t.test('TLS for a host that is let through is tunnelled there, without a CONNECT', async (t) => {
  const gateway = await startInFrontOf(t, await startOrigin(t))
  for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) t.match(await ask(gateway, { servername: host, maxVersion }), /registry$/)
  t.match(await gateway.tunnelLine(0), { event: 'tunnel_ended', target: `${host}:443`, class: 'login', end: 'closed' })
  await gateway.settle()
})

t.test('TLS for the gateway itself, or without a name, is the proxy\'s', async (t) => {
  const gateway = await startInFrontOf(t, await startOrigin(t))
  for (const servername of [own.name, '']) {
    t.match(await ask(gateway, { servername }, writeConnect('evil.example:443')), /^HTTP\/1\.1 403 host_not_allowed: /)
  }
  const client = await connectRaw(t, gateway.proxy)
  client.send(writeConnect('evil.example:443'))
  t.match((await client.ended).bytes.toString(), /^HTTP\/1\.1 403 host_not_allowed: /, 'clear text likewise')
})

t.test('anything else gets an alert, and is told of like every refusal', async (t) => {
  const gateway = await startInFrontOf(t, await startOrigin(t))
  const table: ReadonlyArray<readonly [string, string, string]> = [
    ['evil.example', 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME', 'host_not_allowed'],
    ['contoso.westus.data.azurecr.io', 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME', 'region_not_configured'],
    ['contoso.eastus.data.azurecr.io', 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR', 'dns_failed'],
  ]
  for (const [index, [servername, code, reason]] of table.entries()) {
    t.equal(await ask(gateway, { servername }), code)
    t.match(await gateway.tunnelLine(index), { event: 'tunnel_refused', reason, target: `${servername}:443` })
  }
  const noise = await connectRaw(t, gateway.proxy)
  noise.send('\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00')
  t.same(await noise.ended, { bytes: accessDenied, how: 'end' })
  t.match(await gateway.tunnelLine(table.length), { reason: 'not_tls', target: '' })
  const elsewhere = await startInFrontOf(t, await startOrigin(t), { more: 'clients: { allow: [10.0.0.0/8] }' })
  t.equal(await ask(elsewhere, { servername: host }), 'ERR_SSL_TLSV1_ALERT_ACCESS_DENIED')
  t.match(await elsewhere.tunnelLine(0), { reason: 'client_not_allowed' })
  await gateway.settle()
})

t.test('without a certificate of its own the gateway tunnels, and has nothing else to say in TLS', async (t) => {
  const gateway = await startInFrontOf(t, await startOrigin(t), { tls: false })
  t.match(await ask(gateway, { servername: host }), /registry$/)
  t.equal(await ask(gateway, { servername: '' }), 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME')
  const lines = [await gateway.tunnelLine(0), await gateway.tunnelLine(1)]
  t.match(lines.find(({ reason }) => reason !== undefined), { reason: 'server_name_mismatch', detail: 'the TLS of the client names no server' })
})

t.test('a hello that is not whole in time is closed', async (t) => {
  const gateway = await startGateway(t, `
registries: [{ loginServer: ${host} }]
listen: { transparent: true, headTimeout: 50ms }
`)
  const client = await connectRaw(t, gateway.proxy)
  client.send('\x16\x03\x01\x02\x00\x01')
  t.equal((await client.ended).bytes.length, 0)
  await gateway.settle()
})

t.test('a tunnel that leads back to the gateway, through whatever stands between, is cut at once', async (t) => {
  const forwarder = createServer((from) => {
    const to = connect({ host: '127.0.0.1', port: gateway.proxy.port })
    for (const [one, other] of [[from, to], [to, from]] as Array<[Socket, Socket]>) {
      one.on('error', () => other.destroy())
      one.pipe(other)
    }
  })
  const { port, close } = await listenOnLoopback(forwarder)
  t.teardown(close)
  const gateway = await startInFrontOf(t, { port })
  t.equal(await ask(gateway, { servername: host }), 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR')
  t.match([await gateway.tunnelLine(0), await gateway.tunnelLine(1)].find(({ reason }) => reason !== undefined), {
    reason: 'loop_detected', target: `${host}:443`, detail: `the tunnel to ${host} has led back to this gateway`,
  })
  await gateway.settle()
  t.equal(gateway.tunnelLines.length, 2)
})

t.test('an address at which the gateway itself listens is refused before it is dialled', async (t) => {
  const port = await findFreePort()
  const gateway = await startGateway(t, `
registries: [{ loginServer: ${host}, privateEndpoints: [127.0.0.0/8] }]
listen: { transparent: true }
dns: { hosts: { ${host}: ['127.0.0.1:${port}'] } }
`, {}, {}, `127.0.0.1:${port}`)
  t.equal(await ask(gateway, { servername: host }), 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR')
  const detail = `${host} resolves to 127.0.0.1, where this gateway listens itself`
  t.match(await gateway.tunnelLine(0), { reason: 'loop_detected', detail })
  t.equal(await gateway.readMetric('acr_egress_connect_attempts_total'), 0)
})

t.test('curl pulls by a name that is pointed here, and needs no proxy setting', async (t) => {
  const gateway = await startInFrontOf(t, await startOrigin(t))
  const ca = t.testdir({ 'ca.crt': authority.certificatePem })
  const curl = spawn('curl', [
    '-sS', '--noproxy', '*', '--cacert', `${ca}/ca.crt`, '--connect-to', `::127.0.0.1:${gateway.proxy.port}`, `https://${host}/v2/`,
  ])
  t.same(await Promise.all([text(curl.stdout), text(curl.stderr)]), ['registry', ''])
})
