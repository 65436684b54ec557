import { readdirSync } from 'node:fs'
import t, { type Test } from 'tap'
import type { Reason } from '../../src/refusal/reasons.ts'
import { parseAnswer, writeConnect } from '../support/answer.ts'
import { type TestGateway, startGateway } from '../support/gateway.ts'
import { issueProxyCertificate, tlsKeys } from '../support/proxy-certificate.ts'
import { proxiedFrom, writeVersion2 } from '../support/proxy-headers.ts'
import { type RawClient, connectRaw } from '../support/raw-client.ts'
import { countResources } from '../support/resources.ts'
import { startEchoUpstream } from '../support/upstream.ts'
import { waitUntil } from '../support/wait-until.ts'

const target = 'contoso.azurecr.io:443'
const { ca, files } = await issueProxyCertificate()

/** Starts a gateway whose registry sends back what it is sent. */
async function startLimited (t: Test, tunnel: string, more = ''): Promise<TestGateway> {
  const { port } = await startEchoUpstream(t)
  return await startGateway(t, `
registries: [{ loginServer: contoso.azurecr.io, regions: [eastus], privateEndpoints: [127.0.0.0/8] }]
dns: { hosts: { contoso.azurecr.io: ['127.0.0.1:${port}'] } }
tunnel: { serverName: off${tunnel} }
${more}
`, files)
}

interface Asking {
  readonly localAddress?: string
  readonly isSecure?: boolean
  /** What a load balancer sends first. */
  readonly header?: Buffer
}

async function ask (
  t: Test, gateway: TestGateway, { localAddress = '127.0.0.1', isSecure = false, header }: Asking = {},
): Promise<RawClient> {
  const client = await connectRaw(t, { ...gateway.proxy, localAddress, ...isSecure ? { ca } : {} })
  client.send(Buffer.concat([header ?? Buffer.alloc(0), Buffer.from(writeConnect(target))]))
  return client
}

/** Opens a tunnel, carries something through it, and closes it. */
async function useTunnel (t: Test, gateway: TestGateway, asking: Asking): Promise<void> {
  const client = await ask(t, gateway, asking)
  const head = await client.receiveHead()
  if (!head.startsWith('HTTP/1.1 200 ')) throw new Error(head)
  client.send('ping')
  await client.receive(4)
  client.socket.end()
  await client.ended
}

async function seeRefusal (t: Test, gateway: TestGateway, reason: Reason, retryAfter: string): Promise<void> {
  const { bytes } = await (await ask(t, gateway)).ended
  const answer = parseAnswer(bytes)
  t.equal(answer.reason, reason)
  t.equal(answer.headers['retry-after'], retryAfter, `${reason} says when to try again`)
  t.equal(await gateway.readMetric('acr_egress_refusals_total', { reason }), 1)
}

t.test('a client that asks too often is told when to try again, and no other is refused', async (t) => {
  const gateway = await startLimited(t, ', maxSetupsPerSecondPerClient: 1')
  for (let asked = 0; asked < 10; asked++) await useTunnel(t, gateway, {})
  await seeRefusal(t, gateway, 'client_setup_rate', '1')
  await useTunnel(t, gateway, { localAddress: '127.0.0.2' })
  const refused = gateway.tunnelLines.filter(({ event }) => event === 'tunnel_refused')
  t.match(refused, [{ client: /^127\.0\.0\.1:/, reason: 'client_setup_rate' }])
})

t.test('who is refused for lack of room is told when to try again', async (t) => {
  const greedy = await startLimited(t, ', maxTunnelsPerClient: 1')
  await (await ask(t, greedy)).receiveHead()
  await seeRefusal(t, greedy, 'client_tunnel_limit', '10')
  const full = await startLimited(t, ', maxTunnels: 1')
  await (await ask(t, full)).receiveHead()
  await seeRefusal(t, full, 'tunnel_limit', '5')
})

const crowd = 1000
// The opening of a ClientHello: its record says that more is to come.
const halfHello = Buffer.from('16030102000100', 'hex')
const halfHead = Buffer.from('CONNECT contoso.azurecr.io:443 HTTP/1.1\r\nHost: contoso')

interface Crowd extends Required<Pick<Asking, 'localAddress' | 'header'>> {
  /** Somebody who is not of the crowd. */
  readonly other: Asking
}

const crowds: Readonly<Record<string, Crowd>> = {
  'one address': { localAddress: '127.0.0.1', header: Buffer.alloc(0), other: { localAddress: '127.0.0.2' } },
  'one client of a load balancer': {
    localAddress: '127.0.0.7',
    header: writeVersion2(proxiedFrom('10.0.0.1')),
    other: { localAddress: '127.0.0.7', header: writeVersion2(proxiedFrom('10.0.0.2')) },
  },
}

/** A thousand slow heads and a thousand half handshakes. */
async function crowdIn (t: Test, gateway: TestGateway, { localAddress, header }: Crowd): Promise<readonly RawClient[]> {
  const clients: RawClient[] = []
  for (let count = 0; count < crowd; count++) {
    for (const opening of [halfHead, halfHello]) {
      const client = await connectRaw(t, { ...gateway.proxy, localAddress })
      client.send(Buffer.concat([header, opening]))
      clients.push(client)
    }
  }
  return clients
}

function startCrowded (t: Test, headTimeout: string): Promise<TestGateway> {
  return startLimited(t, '', `listen: { headTimeout: ${headTimeout}, proxyProtocol: [127.0.0.7], ${tlsKeys} }`)
}

const active = 'acr_egress_client_connections_active'
const dropped = 'acr_egress_client_connections_dropped_total'

for (const [whose, one] of Object.entries(crowds)) {
  t.test(`a crowd of slow connections of ${whose} has its limit, and keeps nobody else out`, async (t) => {
    const gateway = await startCrowded(t, '5m')
    await crowdIn(t, gateway, one)
    // A thousand tunnels, and 256 connections beside them.
    await waitUntil(async () => await gateway.readMetric(dropped, { limit: 'client' }) === 744, 'the crowd to be in')
    t.equal(await gateway.readMetric(active), 1256)
    for (let count = 0; count < 20; count++) {
      await useTunnel(t, gateway, one.other)
      if (one.other.header === undefined) await useTunnel(t, gateway, { ...one.other, isSecure: true })
    }
    t.equal(await gateway.readMetric(dropped), 744)
  })

  t.test(`a crowd of slow connections of ${whose} is gone when its time is up, and nothing of it is left`, async (t) => {
    const gateway = await startCrowded(t, '1s')
    const resourcesBefore = countResources()
    const descriptorsBefore = readdirSync('/proc/self/fd').length
    const clients = await crowdIn(t, gateway, one)
    for (const { how } of await Promise.all(clients.map(({ ended }) => ended))) {
      if (how === 'silence') t.fail('the gateway held on to a connection')
    }
    await gateway.settle()
    await waitUntil(() => readdirSync('/proc/self/fd').length <= descriptorsBefore, 'every descriptor to be given back')
    await waitUntil(() => countResources() <= resourcesBefore, 'every socket and timer to be given back')
    await useTunnel(t, gateway, one)
  })
}
