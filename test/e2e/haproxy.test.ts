import t, { type Test } from 'tap'
import { parseAnswer, writeConnect } from '../support/answer.ts'
import { describeMissing } from '../support/debian-parts.ts'
import { type TestGateway, startGateway } from '../support/gateway.ts'
import { type Haproxy, startHaproxy } from '../support/haproxy.ts'
import { issueProxyCertificate, tlsKeys } from '../support/proxy-certificate.ts'
import { type RawClient, connectRaw } from '../support/raw-client.ts'
import { startEchoUpstream } from '../support/upstream.ts'
import { waitUntil } from '../support/wait-until.ts'

const skip = describeMissing(['haproxy'])
const target = 'contoso.azurecr.io:443'
const balancer = '127.0.0.7'
const { ca, files } = await issueProxyCertificate()

/** Starts a gateway that lets in these clients, and not the load balancer. */
async function startBehind (t: Test, tunnel = ''): Promise<TestGateway> {
  const { port } = await startEchoUpstream(t)
  return await startGateway(t, `
registries: [{ loginServer: contoso.azurecr.io, regions: [eastus], privateEndpoints: [127.0.0.0/8] }]
dns: { hosts: { contoso.azurecr.io: ['127.0.0.1:${port}'] } }
listen: { proxyProtocol: [${balancer}], ${tlsKeys} }
clients: { allow: [127.0.0.42, 127.0.0.43] }
tunnel: { serverName: off${tunnel} }
`, files)
}

function startInFront (t: Test, { proxy }: TestGateway, keywords: string): Promise<Haproxy> {
  return startHaproxy(t, { server: proxy, keywords })
}

async function ask (t: Test, { host, port }: Haproxy, localAddress: string, isSecure = false): Promise<RawClient> {
  const client = await connectRaw(t, { host, port, localAddress, ...isSecure ? { ca } : {} })
  client.send(writeConnect(target))
  return client
}

for (const keyword of ['send-proxy', 'send-proxy-v2', 'send-proxy-v2 proxy-v2-options crc32c,unique-id']) {
  t.test(`HAProxy with ${keyword}: the client is HAProxy's, in clear text and in TLS`, { skip }, async (t) => {
    const gateway = await startBehind(t)
    const haproxy = await startInFront(t, gateway, `${keyword} source ${balancer}`)
    for (const isSecure of [false, true]) {
      const client = await ask(t, haproxy, '127.0.0.42', isSecure)
      const { localPort } = client.socket
      t.equal(await client.receiveHead(), 'HTTP/1.1 200 Connection established\r\n\r\n')
      client.send('ping')
      t.equal((await client.receive(4)).toString(), 'ping')
      client.socket.end()
      await client.ended
      const line = await gateway.tunnelLine(Number(isSecure))
      t.match(line, { event: 'tunnel_ended', client: `127.0.0.42:${localPort}`, bytesFromClient: 4 })
    }
    const stranger = await ask(t, haproxy, '127.0.0.44')
    const answer = parseAnswer((await stranger.ended).bytes)
    t.equal(answer.reason, 'client_not_allowed')
    t.match(answer.statusLine, /127\.0\.0\.44/)
  })
}

t.test('limits on a client are on those of HAProxy, each by itself', { skip }, async (t) => {
  const gateway = await startBehind(t, ', maxTunnelsPerClient: 1, maxSetupsPerSecondPerClient: 1')
  const haproxy = await startInFront(t, gateway, `send-proxy-v2 source ${balancer}`)
  for (const localAddress of ['127.0.0.42', '127.0.0.43']) {
    await (await ask(t, haproxy, localAddress)).receiveHead()
  }
  for (let asked = 1; asked < 10; asked++) {
    const refused = parseAnswer((await (await ask(t, haproxy, '127.0.0.42')).ended).bytes)
    t.equal(refused.reason, 'client_tunnel_limit')
  }
  t.equal(parseAnswer((await (await ask(t, haproxy, '127.0.0.42')).ended).bytes).reason, 'client_setup_rate')
  t.equal(parseAnswer((await (await ask(t, haproxy, '127.0.0.43')).ended).bytes).reason, 'client_tunnel_limit')
})

t.test('health checks of HAProxy find a gateway, and are no lines in its log', { skip }, async (t) => {
  for (const keyword of ['send-proxy', 'send-proxy-v2', '']) {
    const gateway = await startBehind(t)
    const haproxy = await startInFront(t, gateway, `${keyword} source ${balancer} check inter 50ms`)
    await waitUntil(async () => await haproxy.readCheck() === 'L4OK', 'a health check')
    await gateway.settle()
    t.strictSame(gateway.tunnelLines, [], keyword)
    t.equal(await gateway.readMetric('acr_egress_refusals_total'), 0)
  }
})

t.test('HAProxy that is named and sends no header is told so, and whoever asks through it', { skip }, async (t) => {
  const gateway = await startBehind(t)
  const haproxy = await startInFront(t, gateway, `source ${balancer}`)
  const { bytes } = await (await ask(t, haproxy, '127.0.0.42')).ended
  t.match(parseAnswer(bytes), {
    statusLine: `HTTP/1.1 400 bad_request: no PROXY protocol header from the load balancer ${balancer}, which listen.proxyProtocol names`,
    body: /send-proxy-v2/,
  })
  t.match(await gateway.tunnelLine(0), { event: 'tunnel_refused', reason: 'bad_request', client: /^127\.0\.0\.7:/ })
  t.equal(await gateway.readMetric('acr_egress_refusals_total', { reason: 'bad_request' }), 1)
})

t.test('HAProxy that sends a header and is not named speaks for nobody', { skip }, async (t) => {
  const gateway = await startBehind(t)
  for (const keyword of ['send-proxy', 'send-proxy-v2']) {
    const haproxy = await startInFront(t, gateway, `${keyword} source 127.0.0.8`)
    for (const isSecure of [false, true]) {
      const client = await connectRaw(t, { ...haproxy, localAddress: '127.0.0.42' })
      client.send(isSecure ? '\x16\x03\x01' : writeConnect(target))
      const { reason, statusLine } = parseAnswer((await client.ended).bytes)
      t.equal(reason, 'bad_request')
      t.match(statusLine, /127\.0\.0\.8, which listen\.proxyProtocol does not name/)
    }
  }
  t.ok(gateway.tunnelLines.every(({ client }) => String(client).startsWith('127.0.0.8:')))
})
