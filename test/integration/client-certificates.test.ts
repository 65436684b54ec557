import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import { parseAnswer, writeConnect } from '../support/answer.ts'
import { type TestGateway, startGateway } from '../support/gateway.ts'
import { type IssuedPair, createOpensslAuthority } from '../support/openssl-authority.ts'
import { connectRaw } from '../support/raw-client.ts'
import { startEchoUpstream } from '../support/upstream.ts'

const host = 'contoso.azurecr.io'
const authority = createOpensslAuthority(t)
const server = authority.issueServer(['gateway.example'])
const device = authority.issueClient({ subject: '/O=Contoso, Inc./CN=line1 \x1b[31m\u202e' })
const strange = createOpensslAuthority(t).issueClient({ subject: '/CN=secret' })
const subject = 'CN=line1 \\1B[31m\\E2\\80\\AE,O=Contoso\\, Inc.'

/** A gateway that asks for certificates, before an upstream that sends back what it is sent. */
async function start (t: Test, more = '', listen = ''): Promise<TestGateway> {
  const upstream = await startEchoUpstream(t)
  return await startGateway(t, `
registries: [{loginServer: ${host}, privateEndpoints: [127.0.0.0/8]}]
dns: { hosts: { ${host}: ['127.0.0.1:${upstream.port}'] } }
tunnel: { serverName: 'off' }
bundles: [revocation]
listen:
  headTimeout: 300ms
  tls: { certFile: server.crt, keyFile: server.key, clientCaFile: ca.crt }
  ${listen}
${more}`, { 'server.crt': server.cert, 'server.key': server.key, 'ca.crt': authority.cert })
}

/** Sends the bytes, and gives what comes back until the gateway ends; without a pair in clear text. */
async function ask ({ proxy }: TestGateway, bytes: string, pair?: Partial<IssuedPair>): Promise<string> {
  const socket = pair === undefined
    ? connectTcp({ ...proxy, allowHalfOpen: true })
    : connect({ ...proxy, ...pair, ca: authority.cert })
  socket.write(bytes, 'latin1')
  const answer = await text(socket)
  socket.destroy()
  return answer
}

t.test('a client with a certificate has its tunnel, and its subject is in the log', async (t) => {
  const gateway = await start(t)
  const client = await connectRaw(t, { ...gateway.proxy, ca: authority.cert, ...device })
  client.send(`${writeConnect(`${host}:443`)}hello`)
  t.match(await client.receiveHead(), /^HTTP\/1\.1 200 /)
  t.equal((await client.receive(5)).toString(), 'hello')
  client.socket.end()
  await client.ended
  t.match(await gateway.tunnelLine(0), { event: 'tunnel_ended', clientCertificate: subject, target: `${host}:443` })

  t.match(parseAnswer(await ask(gateway, writeConnect('evil.example:443'), device)), { status: 403, reason: 'host_not_allowed' })
  t.match(await gateway.tunnelLine(1), { event: 'tunnel_refused', reason: 'host_not_allowed', clientCertificate: subject })
  t.match(parseAnswer(await ask(gateway, 'GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n', device)), { reason: 'method_not_allowed' })
  t.match(await gateway.tunnelLine(2), { clientCertificate: subject })
})

t.test('a client without one that counts is refused before anything else is looked at, whatever it asks for', async (t) => {
  const gateway = await start(t, 'clients: { allow: [10.0.0.0/8] }')
  const questions = [
    writeConnect(`${host}:443`), writeConnect('evil.example:443'), writeConnect('127.0.0.1:443'), writeConnect('::'),
    'GET http://crl3.digicert.com/a.crl HTTP/1.1\r\nHost: crl3.digicert.com\r\n\r\n', 'POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n', 'hello\r\n\r\n', `CONNECT ${'x'.repeat(20_000)}`,
    // No whole head; answered when the time is up.
    'CONNECT ',
  ]
  const pairs: ReadonlyArray<readonly [Partial<IssuedPair> | undefined, string, RegExp]> = [
    [{}, 'the client showed no certificate', /listen\.tls\.clientCaFile/],
    [strange, 'the client\'s certificate is from no authority that counts here', /listen\.tls\.clientCaFile/],
    [undefined, 'the client showed no certificate, as it does not speak TLS to the gateway', /https:\/\//],
  ]
  for (const [pair, detail, hint] of pairs) {
    for (const question of questions) {
      const { status, reason, statusLine, headers, body } = parseAnswer(await ask(gateway, question, pair))
      t.match({ status, reason }, { status: 403, reason: 'client_certificate_refused' }, question.slice(0, 40))
      t.equal(statusLine, `HTTP/1.1 403 client_certificate_refused: ${detail}`)
      t.match(headers['proxy-status'], /^acr-egress;error=http_request_denied;/)
      t.match(JSON.parse(body), { reason: 'client_certificate_refused', hint })
    }
  }
  await gateway.settle()
  const count = questions.length * pairs.length
  t.equal(await gateway.readMetric('acr_egress_refusals_total', { reason: 'client_certificate_refused' }), count)
  t.equal(await gateway.readMetric('acr_egress_refusals_total'), count, 'nothing else was looked at')
  t.equal(await gateway.readMetric('acr_egress_connect_attempts_total'), 0)
  t.equal(gateway.tunnelLines.length, count)
  for (const line of gateway.tunnelLines) {
    t.match(line, { event: 'tunnel_refused', reason: 'client_certificate_refused' })
    t.equal(line['clientCertificate'], undefined, 'who is not known is not called by a name')
    t.notMatch(JSON.stringify(line), 'secret')
  }
})

t.test('TLS without a CONNECT shows the gateway no certificate', async (t) => {
  const gateway = await start(t, 'policy: { mode: report }', 'transparent: true')
  const socket = connect({ ...gateway.proxy, ...device, servername: host })
  const [error] = await once(socket, 'error') as [NodeJS.ErrnoException]
  t.match(error.code, /ALERT_ACCESS_DENIED$/)
  t.match(await gateway.tunnelLine(0), { event: 'tunnel_refused', reason: 'client_certificate_refused', target: `${host}:443` })
})

t.test('behind a load balancer a client is known by its certificate, and by the address that is told of it', async (t) => {
  const gateway = await start(t, '', 'proxyProtocol: [127.0.0.7]')
  const header = (source: string) => `PROXY TCP4 ${source} 127.0.0.1 40001 443\r\n`
  const tcp = (await connectRaw(t, { ...gateway.proxy, localAddress: '127.0.0.7' })).socket
  await new Promise((resolve) => { tcp.write(header('10.1.2.3'), resolve) })
  const socket = connect({ socket: tcp, ...device, ca: authority.cert, host: '127.0.0.1' })
  socket.write(writeConnect('evil.example:443'))
  t.match(parseAnswer(await text(socket)), { reason: 'host_not_allowed' })
  t.match(await gateway.tunnelLine(0), { client: '10.1.2.3:40001', clientCertificate: subject })

  const bare = await connectRaw(t, { ...gateway.proxy, localAddress: '127.0.0.7' })
  bare.send(`${header('10.1.2.3')}${writeConnect(`${host}:443`)}`)
  t.match(await bare.receiveHead(), /^HTTP\/1\.1 403 client_certificate_refused: /)
  t.match(await gateway.tunnelLine(1), { client: '10.1.2.3:40001', reason: 'client_certificate_refused' })
})

t.test('what is wrong with a load balancer is told as that', async (t) => {
  const gateway = await start(t, '', 'proxyProtocol: [127.0.0.7]')
  const silent = await connectRaw(t, { ...gateway.proxy, localAddress: '127.0.0.7' })
  silent.send(writeConnect(`${host}:443`))
  t.match(await silent.receiveHead(), /^HTTP\/1\.1 400 bad_request: no PROXY protocol header from/)
  const unnamed = await connectRaw(t, gateway.proxy)
  unnamed.send('PROXY TCP4 10.1.2.3 127.0.0.1 40001 443\r\n')
  t.match(await unnamed.receiveHead(), /^HTTP\/1\.1 400 bad_request: a PROXY protocol header from 127\.0\.0\.1/)
})

t.test('with a certificate, the rules for clients and targets hold as ever', async (t) => {
  const gateway = await start(t, 'clients: { allow: [10.0.0.0/8] }')
  t.match(parseAnswer(await ask(gateway, writeConnect(`${host}:443`), device)), { reason: 'client_not_allowed' })
})

t.test('a client that is asked for nothing is asked for nothing', async (t) => {
  const gateway = await startGateway(t, `
registries: [{loginServer: ${host}}]
listen: { tls: { certFile: server.crt, keyFile: server.key } }
`, { 'server.crt': server.cert, 'server.key': server.key })
  const socket = connect({ ...gateway.proxy, ...strange, ca: authority.cert })
  await once(socket, 'secureConnect')
  socket.write(writeConnect('evil.example:443'))
  t.match(parseAnswer(await text(socket)), { reason: 'host_not_allowed' })
  t.equal((await gateway.tunnelLine(0))['clientCertificate'], undefined)
})
