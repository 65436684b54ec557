import { once } from 'node:events'
import { type Socket, createServer } from 'node:net'
import t, { type Test } from 'tap'
import { listenOnLoopback } from '../../src/lab/loopback.ts'
import { type NameAnswer, type NameServer, startNameServer } from '../../src/lab/name-server.ts'
import { type Reason, reasons } from '../../src/refusal/reasons.ts'
import { parseAnswer, writeConnect } from '../support/answer.ts'
import { startFullListener } from '../support/full-listener.ts'
import { type TestGateway, startGateway } from '../support/gateway.ts'
import { createNoise } from '../support/noise.ts'
import { type RawClient, connectRaw } from '../support/raw-client.ts'
import { countResources } from '../support/resources.ts'
import { type Upstream, startEchoUpstream, startUpstream } from '../support/upstream.ts'
import { waitUntil } from '../support/wait-until.ts'

const target = 'contoso.azurecr.io:443'
const login = { registry: 'contoso.azurecr.io', class: 'login' }

/** A gateway whose registry is at these addresses, or must be asked for; what goes through its tunnels is no TLS. */
function configure ({ addresses, more = '', privateEndpoints = '127.0.0.0/8' }: {
  addresses?: readonly string[], more?: string, privateEndpoints?: string,
}): string {
  const tunnel = /^tunnel:/m.test(more) ? '' : 'tunnel: { serverName: off }'
  const dns = addresses === undefined ? '' : `dns: { hosts: { contoso.azurecr.io: ${JSON.stringify(addresses)} } }`
  return `
registries: [{ loginServer: contoso.azurecr.io, regions: [eastus], privateEndpoints: [${privateEndpoints}] }]
${dns}
${tunnel}
${more}
`
}

async function startNames (t: Test, answer: NameAnswer): Promise<NameServer> {
  const nameServer = await startNameServer({ answers: () => answer })
  t.teardown(() => nameServer.close())
  return nameServer
}

/** The configuration of a gateway that asks this name server. */
function ask ({ port }: NameServer, more = ''): string {
  return `dns: { servers: ['127.0.0.1:${port}'], timeout: 100ms }\n${more}`
}

async function startInFrontOf (t: Test, { port }: { readonly port: number }, more = ''): Promise<TestGateway> {
  return await startGateway(t, configure({ addresses: [`127.0.0.1:${port}`], more }))
}

async function openTunnel (t: Test, gateway: TestGateway, allowHalfOpen = false): Promise<RawClient> {
  const client = await connectRaw(t, { ...gateway.proxy, allowHalfOpen })
  client.send(writeConnect(target))
  t.equal(await client.receiveHead(), 'HTTP/1.1 200 Connection established\r\n\r\n')
  return client
}

async function openPair (t: Test, gateway: TestGateway, upstream: Upstream, allowHalfOpen = true) {
  const accepted = upstream.nextConnection()
  const client = await openTunnel(t, gateway, allowHalfOpen)
  return { client, server: await accepted }
}

/** Asks for the registry, and sees one word in every place where a refusal is told. */
async function seeRefusal (t: Test, gateway: TestGateway, reason: Reason): Promise<void> {
  const { status, proxyStatusError } = reasons[reason]
  const countBefore = await gateway.readMetric('acr_egress_refusals_total', { reason })
  const linesBefore = gateway.tunnelLines.length
  const client = await connectRaw(t, gateway.proxy)
  client.send(writeConnect(target))
  const { bytes, how } = await client.ended
  const answer = parseAnswer(bytes)
  t.equal(how, 'end')
  t.match(answer.statusLine, new RegExp(`^HTTP/1\\.1 ${status} ${reason}: .`))
  t.match(answer.headers['proxy-status'], new RegExp(`^acr-egress;error=${proxyStatusError};details="${reason}: `))
  t.equal(answer.headers['content-type'], 'application/problem+json')
  t.equal(answer.headers.connection, 'close')
  t.equal(Number(answer.headers['content-length']), answer.body.length)
  const problem = JSON.parse(answer.body)
  t.match(problem, { reason, status, target, hint: /\w/, tunnelId: /\w/ })
  t.equal(await gateway.readMetric('acr_egress_refusals_total', { reason }), countBefore + 1)
  t.match(gateway.tunnelLines.slice(linesBefore), [{ event: 'tunnel_refused', reason, target, tunnelId: problem.tunnelId }])
  t.equal(gateway.tunnelLines.length, linesBefore + 1)
  const { body } = await gateway.ask('/api/status')
  t.match(JSON.parse(body).refusals.recent[0], { reason, target })
}

t.test('a refusal says one word in the status line, Proxy-Status, the problem, the metric, the log and the status', async (t) => {
  await t.test('client_not_allowed', async (t) => {
    const gateway = await startGateway(t, configure({ addresses: ['127.0.0.1:9'], more: 'clients: { allow: [10.0.0.0/8] }' }))
    await seeRefusal(t, gateway, 'client_not_allowed')
    t.equal(await gateway.readMetric('acr_egress_connect_attempts_total'), 0)
  })

  for (const address of ['169.254.169.254', '10.0.0.1', '::ffff:127.0.0.1', '::1', '168.63.129.16', '64:ff9b::7f00:1']) {
    await t.test(`address_prohibited, for ${address}`, async (t) => {
      const names = await startNames(t, { addresses: [address] })
      const gateway = await startGateway(t, configure({ more: ask(names) }))
      await seeRefusal(t, gateway, 'address_prohibited')
      t.equal(await gateway.readMetric('acr_egress_connect_attempts_total'), 0, 'it was not dialled')
    })
  }

  for (const rcode of ['NXDOMAIN', 'SERVFAIL', 'REFUSED'] as const) {
    await t.test(`dns_failed, for ${rcode}`, async (t) => {
      const names = await startNames(t, { rcode })
      await seeRefusal(t, await startGateway(t, configure({ more: ask(names) })), 'dns_failed')
    })
  }

  await t.test('dns_failed, for a name without addresses', async (t) => {
    const names = await startNames(t, { addresses: [] })
    await seeRefusal(t, await startGateway(t, configure({ more: ask(names) })), 'dns_failed')
  })

  await t.test('dns_timeout, for name servers that say nothing', async (t) => {
    const names = await startNames(t, { silent: true })
    await seeRefusal(t, await startGateway(t, configure({ more: ask(names) })), 'dns_timeout')
  })

  await t.test('dns_timeout, when the time for a tunnel is up before that of the name servers', async (t) => {
    const names = await startNames(t, { silent: true })
    const more = `dns: { servers: ['127.0.0.1:${names.port}'], timeout: 1m }\ntunnel: { serverName: off, connectTimeout: 100ms }`
    await seeRefusal(t, await startGateway(t, configure({ more })), 'dns_timeout')
  })

  await t.test('connect_refused', async (t) => {
    const gone = await listenOnLoopback(createServer())
    await gone.close()
    const gateway = await startInFrontOf(t, gone)
    await seeRefusal(t, gateway, 'connect_refused')
    t.equal(await gateway.readMetric('acr_egress_connect_attempts_total', { outcome: 'refused' }), 1)
  })

  await t.test('connect_timeout', async (t) => {
    const port = (await startFullListener(t)).port
    const gateway = await startInFrontOf(t, { port }, 'tunnel: { serverName: off, connectTimeout: 200ms }')
    await seeRefusal(t, gateway, 'connect_timeout')
    t.equal(await gateway.readMetric('acr_egress_connect_attempts_total', { outcome: 'timeout' }), 1)
  })

  await t.test('tunnel_limit, until a tunnel has ended', async (t) => {
    const gateway = await startInFrontOf(t, await startEchoUpstream(t), 'tunnel: { serverName: off, maxTunnels: 1 }')
    const first = await openTunnel(t, gateway)
    await seeRefusal(t, gateway, 'tunnel_limit')
    first.socket.end()
    await gateway.settle()
    await openTunnel(t, gateway)
  })

  await t.test('client_tunnel_limit, for one client and not for another', async (t) => {
    const gateway = await startInFrontOf(t, await startEchoUpstream(t), 'tunnel: { serverName: off, maxTunnelsPerClient: 1 }')
    await openTunnel(t, gateway)
    await seeRefusal(t, gateway, 'client_tunnel_limit')
    const other = await connectRaw(t, { ...gateway.proxy, localAddress: '127.0.0.2' })
    other.send(writeConnect(target))
    t.match(await other.receiveHead(), /^HTTP\/1\.1 200 /)
  })
})

t.test('of a mixed answer only the admitted addresses are dialled', async (t) => {
  await t.test('from the configuration', async (t) => {
    const upstream = await startEchoUpstream(t)
    const addresses = ['[::ffff:127.0.0.1]', '169.254.169.254', '127.0.0.1', '10.0.0.1'].map((address) => `${address}:${upstream.port}`)
    const gateway = await startGateway(t, configure({ addresses }))
    const client = await openTunnel(t, gateway)
    client.socket.end()
    t.match(await gateway.tunnelLine(0), { address: `127.0.0.1:${upstream.port}` })
    t.equal(await gateway.readMetric('acr_egress_connect_attempts_total'), 1)
  })

  await t.test('from a name server', async (t) => {
    // Nobody listens at port 443 of this address: that the attempt is made is all there is to see.
    const names = await startNames(t, { addresses: ['::1', '169.254.169.254', '127.9.9.9', '10.0.0.1'] })
    const gateway = await startGateway(t, configure({ more: ask(names), privateEndpoints: '127.9.9.9' }))
    await seeRefusal(t, gateway, 'connect_refused')
    t.equal(await gateway.readMetric('acr_egress_connect_attempts_total'), 1)
  })
})

t.test('an address that does not answer is passed over for one that does', async (t) => {
  const upstream = await startEchoUpstream(t)
  const gone = await listenOnLoopback(createServer())
  await gone.close()
  const addresses = [`127.0.0.1:${gone.port}`, `127.0.0.1:${(await startFullListener(t)).port}`, `127.0.0.1:${upstream.port}`]
  const gateway = await startGateway(t, configure({ addresses }))
  const client = await openTunnel(t, gateway)
  client.socket.end()
  t.match(await gateway.tunnelLine(0), { end: 'closed', address: `127.0.0.1:${upstream.port}` })
  for (const outcome of ['refused', 'abandoned', 'connected']) {
    t.equal(await gateway.readMetric('acr_egress_connect_attempts_total', { outcome }), 1, outcome)
  }
})

// Whatever moves the bytes, a tunnel behaves the same.
for (const engine of ['stream', 'splice'] as const) {
  const relay = `relay: { engine: ${engine} }`

  t.test(`${engine}: a half-close passes through, and the other direction goes on`, async (t) => {
    const upstream = await startUpstream(t)
    const gateway = await startInFrontOf(t, upstream, relay)

    await t.test('from the client', async (t) => {
      const { client, server } = await openPair(t, gateway, upstream)
      client.socket.end('question')
      t.equal((await readAll(server)).toString(), 'question')
      server.end('answer')
      t.strictSame(await client.ended, { bytes: Buffer.from('answer'), how: 'end' })
      t.match(await gateway.tunnelLine(0), { end: 'closed', bytesFromClient: 8, bytesFromUpstream: 6 })
    })

    await t.test('from the upstream', async (t) => {
      const { client, server } = await openPair(t, gateway, upstream)
      server.end('greeting')
      t.strictSame(await client.ended, { bytes: Buffer.from('greeting'), how: 'end' })
      client.socket.end('farewell')
      t.equal((await readAll(server)).toString(), 'farewell')
      t.match(await gateway.tunnelLine(1), { end: 'closed', bytesFromClient: 8, bytesFromUpstream: 8 })
    })
  })

  t.test(`${engine}: a reset passes through`, async (t) => {
    const upstream = await startUpstream(t)
    const gateway = await startInFrontOf(t, upstream, relay)

    await t.test('from the client', async (t) => {
      const { client, server } = await openPair(t, gateway, upstream)
      client.reset()
      t.equal(await codeOfEnd(server), 'ECONNRESET')
      t.match(await gateway.tunnelLine(0), { end: 'client_reset' })
      t.equal(await gateway.readMetric('acr_egress_tunnels_total', { ...login, outcome: 'client_reset' }), 1)
    })

    await t.test('from the upstream', async (t) => {
      const { client, server } = await openPair(t, gateway, upstream)
      const ending = codeOfEnd(client.socket)
      server.resetAndDestroy()
      t.equal(await ending, 'ECONNRESET')
      t.match(await gateway.tunnelLine(1), { end: 'upstream_reset' })
    })
  })

  t.test(`${engine}: a tunnel through which nothing moves is reset when its time is up`, async (t) => {
    const upstream = await startUpstream(t)
    const gateway = await startInFrontOf(t, upstream, `tunnel: { serverName: off, idleTimeout: 100ms }\n${relay}`)
    const { client, server } = await openPair(t, gateway, upstream)
    const endings = [codeOfEnd(client.socket), codeOfEnd(server)]
    t.strictSame(await Promise.all(endings), ['ECONNRESET', 'ECONNRESET'])
    t.match(await gateway.tunnelLine(0), { event: 'tunnel_ended', end: 'idle' })
  })

  t.test(`${engine}: the metrics and the list of tunnels move while a tunnel runs`, async (t) => {
    const upstream = await startEchoUpstream(t)
    const gateway = await startInFrontOf(t, upstream, relay)
    const countBytes = (direction: string) => gateway.readMetric('acr_egress_tunnel_bytes_total', { ...login, direction })
    const client = await openTunnel(t, gateway)
    t.equal(await gateway.readMetric('acr_egress_tunnels_active', login), 1)
    for (const total of [1000, 2000]) {
      client.send(createNoise(1000, total))
      await client.receive(total)
      t.strictSame([await countBytes('from_client'), await countBytes('from_upstream')], [total, total])
    }
    const { tunnels } = JSON.parse((await gateway.ask('/api/tunnels')).body)
    t.match(tunnels, [{ target, ...login, address: `127.0.0.1:${upstream.port}`, bytesFromClient: 2000, bytesFromUpstream: 2000 }])
    client.socket.end()
    await gateway.settle()
    t.equal(await gateway.readMetric('acr_egress_tunnels_active', login), 0)
    t.equal(await gateway.readMetric('acr_egress_tunnels_total', { ...login, outcome: 'closed' }), 1)
    t.strictSame([await countBytes('from_client'), await countBytes('from_upstream')], [2000, 2000], 'ended bytes stay counted')
  })

  t.test(`${engine}: draining lets open tunnels end, and no new ones begin`, async (t) => {
    const gateway = await startInFrontOf(t, await startEchoUpstream(t), relay)
    const [open, waiting] = await Promise.all([openTunnel(t, gateway), connectRaw(t, gateway.proxy)])
    await waitUntil(async () => gateway.gateway.tunnelCount === 1, 'the tunnel to be open')
    t.equal((await gateway.ask('/readyz')).status, 200)
    const drained = gateway.gateway.drain()
    const ready = await gateway.ask('/readyz')
    t.equal(ready.status, 503)
    t.match(JSON.parse(ready.body).checks, [{ ok: true }, { name: 'shutdown', ok: false }, { name: 'relay', ok: true }, { ok: true }])
    t.equal((await gateway.ask('/healthz')).status, 200)
    waiting.send(writeConnect(target))
    t.match(parseAnswer((await waiting.ended).bytes), { status: 503, reason: 'shutting_down' })
    await t.rejects(connectRaw(t, gateway.proxy), { code: 'ECONNREFUSED' })
    open.send('still here')
    t.equal((await open.receive(10)).toString(), 'still here')
    open.socket.end()
    await drained
    t.match(await gateway.tunnelLine(1), { event: 'tunnel_ended', end: 'closed' })
    t.equal(gateway.gateway.tunnelCount, 0)
  })

  t.test(`${engine}: a second signal resets the tunnels that are open, and those that are being opened`, async (t) => {
    const upstream = await startUpstream(t)
    const blackHole = (await startFullListener(t)).port
    const gateway = await startGateway(t, `
registries: [{ loginServer: contoso.azurecr.io, regions: [eastus], privateEndpoints: [127.0.0.0/8] }]
dns:
  hosts:
    contoso.azurecr.io: ['127.0.0.1:${upstream.port}']
    contoso.eastus.data.azurecr.io: ['127.0.0.1:${blackHole}']
tunnel: { serverName: off }
${relay}
`)
    const { client, server } = await openPair(t, gateway, upstream)
    const late = await connectRaw(t, gateway.proxy)
    late.send(writeConnect('contoso.eastus.data.azurecr.io:443'))
    await waitUntil(() => gateway.gateway.tunnelCount === 2, 'the other tunnel to be under way')
    const endings = Promise.all([codeOfEnd(client.socket), codeOfEnd(server)])
    const second = new AbortController()
    const drained = gateway.gateway.drain(second.signal)
    second.abort()
    await drained
    t.strictSame(await endings, ['ECONNRESET', 'ECONNRESET'], 'nobody can take what was cut for whole')
    t.equal((await late.ended).bytes.length, 0)
    const lines = [await gateway.tunnelLine(0), await gateway.tunnelLine(1)]
    t.strictSame(lines.map(({ end }) => end).sort(), ['client_gone', 'stopped'])
  })

  t.test(`${engine}: draining ends when its time is up`, async (t) => {
    const gateway = await startInFrontOf(t, await startEchoUpstream(t), `shutdown: { drainTimeout: 50ms }\n${relay}`)
    const client = await openTunnel(t, gateway)
    const ending = codeOfEnd(client.socket)
    await gateway.gateway.drain()
    t.equal(await ending, 'ECONNRESET')
    t.match(await gateway.tunnelLine(0), { end: 'stopped' })
  })

  t.test(`${engine}: a closed gateway leaves nothing open`, async (t) => {
    const upstream = await startUpstream(t)
    const names = await startNames(t, { silent: true })
    const before = countResources()
    const more = `dns: { servers: ['127.0.0.1:${names.port}'], hosts: { contoso.azurecr.io: ['127.0.0.1:${upstream.port}'] } }`
    const gateway = await startGateway(t, configure({ more }))
    const { server } = await openPair(t, gateway, upstream)
    for (const bytes of ['', 'CONNECT con', '\x16\x03', writeConnect('evil.example:443'), writeConnect('contoso.eastus.data.azurecr.io:443')]) {
      const client = await connectRaw(t, { ...gateway.proxy, allowHalfOpen: true })
      client.send(bytes)
      client.socket.once('end', () => client.socket.destroy())
    }
    await waitUntil(() => gateway.gateway.tunnelCount === 2, 'both tunnels to be under way')
    await gateway.gateway.close()
    await waitUntil(() => server.destroyed, 'the upstream to be told')
    await waitUntil(() => countResources() <= before, 'every socket and timer to be freed')
    await gateway.gateway.close()
    await t.rejects(connectRaw(t, gateway.proxy), { code: 'ECONNREFUSED' })
  })
}

async function readAll (socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'end')
  return Buffer.concat(chunks)
}

/** The code of the error that broke a connection off, or `end`. */
async function codeOfEnd (socket: Socket): Promise<string> {
  return await new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    socket.once('end', () => resolve('end'))
    socket.resume()
  })
}
