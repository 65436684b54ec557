import { once } from 'node:events'
import { connect } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { parseAnswer, writeConnect } from '../support/answer.ts'
import { startFullListener } from '../support/full-listener.ts'
import { startGateway } from '../support/gateway.ts'
import { createNoise } from '../support/noise.ts'
import { issueProxyCertificate, tlsKeys } from '../support/proxy-certificate.ts'
import { type RawClient, type RawClientOptions, connectRaw } from '../support/raw-client.ts'
import { countResources } from '../support/resources.ts'
import { startUpstream } from '../support/upstream.ts'
import { waitUntil } from '../support/wait-until.ts'

const headTimeoutMs = 500
const connectTimeoutMs = 600

const certificate = await issueProxyCertificate()
const upstream = await startUpstream(t)
const blackHole = (await startFullListener(t)).port
const targets = { good: 'contoso.azurecr.io:443', hanging: 'contoso.eastus.data.azurecr.io:443', bad: 'evil.example:443' }
const configuration = `
registries:
  - loginServer: contoso.azurecr.io
    regions: [eastus]
    privateEndpoints: [127.0.0.0/8]
dns:
  hosts:
    contoso.azurecr.io: ['127.0.0.1:${upstream.port}']
    contoso.eastus.data.azurecr.io: ['127.0.0.1:${blackHole}']
tunnel: { serverName: off, connectTimeout: ${connectTimeoutMs}ms }
`
const gateway = await startGateway(t, `${configuration}
listen: { ${tlsKeys} }
`, certificate.files)
// For those who are too late; a busy machine must not make anybody else so.
const hasty = await startGateway(t, `${configuration}
listen: { headTimeout: ${headTimeoutMs}ms, ${tlsKeys} }
`, certificate.files)
const resourcesBefore = countResources()

/** What a client leaves in the log: the event, and its reason or end. */
type Trace = readonly [event: string, ground: string]

const refused = (reason: string): Trace => ['tunnel_refused', reason]
const ended = (end: string): Trace => ['tunnel_ended', end]
const abandoned: Trace = ['tunnel_abandoned', 'client_gone']

/**
 * Lets a client be clumsy, then sees that it left these lines in the log and nothing else behind: no connection, no
 * tunnel, no timer, no refusal that was not counted, or counted twice.
 */
async function testLeavingNothing (
  t: Test, name: string, traces: readonly Trace[], act: (t: Test) => Promise<void>, { settle, ...seen } = gateway,
): Promise<void> {
  await t.test(name, async (t) => {
    const linesBefore = seen.tunnelLines.length
    const refusalsBefore = await seen.readMetric('acr_egress_refusals_total')
    await act(t)
    await settle()
    await waitUntil(() => countResources() <= resourcesBefore, 'every socket and timer to be freed')
    const left = seen.tunnelLines.slice(linesBefore)
    t.strictSame(left.map(({ event, reason, end }) => [event, reason ?? end]), traces)
    const refusals = traces.filter(([event]) => event === 'tunnel_refused').length
    t.equal(await seen.readMetric('acr_egress_refusals_total'), refusalsBefore + refusals)
  })
}

for (const scheme of ['http', 'https'] as const) {
  const tls = scheme === 'https' ? { ca: certificate.ca } : {}
  const proxy: RawClientOptions = { ...gateway.proxy, ...tls }

  t.test(`over ${scheme}, a client that`, async (t) => {
    await testLeavingNothing(t, 'sends half a head and waits is told that it took too long', [refused('head_timeout')], async (t) => {
      const startedAt = performance.now()
      const client = await connectRaw(t, { ...hasty.proxy, ...tls })
      client.send('CONNECT contoso.azur')
      const { bytes, how } = await client.ended
      t.match(parseAnswer(bytes), { status: 408, reason: 'head_timeout' })
      t.equal(how, 'end')
      t.ok(performance.now() - startedAt > headTimeoutMs - 1)
    }, hasty)

    await testLeavingNothing(t, 'sends the other half too late, and more, is not listened to', [refused('head_timeout')], async (t) => {
      const client = await connectRaw(t, { ...hasty.proxy, ...tls, allowHalfOpen: true })
      const head = writeConnect(targets.good)
      client.send(head.slice(0, 20))
      const { bytes } = await client.ended
      client.send(head.slice(20))
      client.send(Buffer.alloc(500_000))
      client.socket.end()
      await once(client.socket, 'close')
      t.match(parseAnswer(bytes), { reason: 'head_timeout' })
    }, hasty)

    await testLeavingNothing(t, 'sends a byte at a time is served', [ended('closed')], async (t) => {
      const client = await connectRaw(t, proxy)
      const accepted = upstream.nextConnection()
      for (const byte of writeConnect(targets.good)) {
        client.send(byte)
        await new Promise(setImmediate)
      }
      t.match(await client.receiveHead(), /^HTTP\/1\.1 200 /)
      client.socket.end()
      const socket = await accepted
      socket.end()
      await client.ended
    })

    for (const size of [100_000, 10_000_000]) {
      await testLeavingNothing(t, `sends ${size} bytes of head is told that it is too large`, [refused('head_too_large')], async (t) => {
        const client = await connectRaw(t, proxy)
        client.send(`CONNECT ${targets.good} HTTP/1.1\r\nX: ${'a'.repeat(size)}\r\n\r\n`)
        const { bytes, how } = await client.ended
        t.match(parseAnswer(bytes), { status: 431, reason: 'head_too_large' })
        t.equal(how, 'end')
      })
    }

    await testLeavingNothing(t, 'uploads through a proxy that is for CONNECT gets its answer', [refused('method_not_allowed')], async (t) => {
      const client = await connectRaw(t, { ...proxy, allowHalfOpen: true })
      const size = 2_000_000
      client.send(`POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`)
      client.socket.end(Buffer.alloc(size))
      const { bytes, how } = await client.ended
      t.match(parseAnswer(bytes), { status: 405, reason: 'method_not_allowed' })
      t.equal(how, 'end')
      await waitUntil(() => client.socket.writableFinished, 'the upload to be taken')
    })

    await testLeavingNothing(t, 'hides a second request behind the first is answered once', [refused('method_not_allowed')], async (t) => {
      const client = await connectRaw(t, { ...proxy, allowHalfOpen: true })
      client.send(`GET / HTTP/1.1\r\nHost: a\r\n\r\n${writeConnect(targets.good)}`)
      const { bytes } = await client.ended
      t.equal(bytes.toString().match(/^HTTP\//gm)?.length, 1)
      client.socket.end(Buffer.alloc(500_000))
      await once(client.socket, 'close')
    })

    await testLeavingNothing(t, 'asks and half-closes in one go still gets its refusal', [refused('host_not_allowed')], async (t) => {
      const client = await connectRaw(t, proxy)
      client.socket.end(writeConnect(targets.bad))
      const { bytes, how } = await client.ended
      const { status, headers, body } = parseAnswer(bytes)
      t.match({ status, how, length: body.length }, { status: 403, how: 'end', length: Number(headers['content-length']) })
    })

    await testLeavingNothing(t, 'sends much before it is refused reads the refusal', [refused('host_not_allowed')], async (t) => {
      const client = await connectRaw(t, { ...proxy, allowHalfOpen: true })
      client.send(writeConnect(targets.bad))
      client.socket.end(Buffer.alloc(2_000_000))
      const { bytes, how } = await client.ended
      t.match(parseAnswer(bytes), { status: 403, reason: 'host_not_allowed' })
      t.equal(how, 'end')
    })

    for (const size of [1, 64 * 1024, 1_000_000]) {
      await testLeavingNothing(t, `sends ${size} bytes right behind its head has them arrive first`, [ended('closed')], async (t) => {
        const noise = createNoise(size + 5)
        const client = await connectRaw(t, proxy)
        const accepted = upstream.nextConnection()
        client.send(Buffer.concat([Buffer.from(writeConnect(targets.good)), noise.subarray(0, size)]))
        await client.receiveHead()
        client.socket.end(noise.subarray(size))
        const socket = await accepted
        const chunks: Buffer[] = []
        for await (const chunk of socket) chunks.push(chunk as Buffer)
        t.ok(Buffer.concat(chunks).equals(noise))
        await client.ended
      })
    }
  })

  /** Every way to go: with a FIN, and with an RST. */
  const departures: ReadonlyArray<readonly [how: string, leave: (client: RawClient) => void]> = [
    ['closes', (client) => { client.socket.end() }],
    ['resets', (client) => { client.reset() }],
  ]

  for (const [how, leave] of departures) {
    t.test(`over ${scheme}, a client that ${how}`, async (t) => {
      await testLeavingNothing(t, 'without a word', [], async (t) => {
        const client = await connectRaw(t, proxy)
        leave(client)
        await client.ended
      })

      await testLeavingNothing(t, 'within its head', how === 'closes' ? [refused('bad_request')] : [], async (t) => {
        const client = await connectRaw(t, proxy)
        client.send('CONNECT contoso.azur')
        // By the time of an answer the bytes have been read; libuv takes a reset right behind bytes for an end.
        await gateway.ask('/healthz')
        leave(client)
        await client.ended
      })

      const duringDial = how === 'closes' ? [refused('connect_timeout')] : [abandoned]
      await testLeavingNothing(t, 'while the gateway is connecting', duringDial, async (t) => {
        const client = await connectRaw(t, proxy)
        client.send(writeConnect(targets.hanging))
        await waitUntil(() => gateway.gateway.tunnelCount === 1, 'the tunnel to be under way')
        leave(client)
        await client.ended
      })

      await testLeavingNothing(t, 'after the 200', [ended(how === 'closes' ? 'closed' : 'client_reset')], async (t) => {
        const { client, socket } = await openTunnel(t, proxy)
        const over = new Promise((resolve) => { socket.once('close', resolve) })
        leave(client)
        socket.resume().once('end', () => socket.end())
        await over
        await client.ended
      })

      await testLeavingNothing(t, 'as the other side sends', [ended('client_reset')], async (t) => {
        const { client, socket } = await openTunnel(t, proxy)
        const over = new Promise((resolve) => { socket.once('close', resolve) })
        socket.write(Buffer.alloc(4_000_000))
        await client.receive(1)
        if (how === 'closes') client.socket.destroy()
        else leave(client)
        socket.resume()
        await over
      })
    })
  }
}

t.test('a client that sends nothing is closed without an answer when its time is up', async (t) => {
  await testLeavingNothing(t, 'before the first byte', [], async (t) => {
    const client = await connectRaw(t, hasty.proxy)
    t.strictSame(await client.ended, { bytes: Buffer.alloc(0), how: 'end' })
  }, hasty)
  await testLeavingNothing(t, 'after a TLS handshake it is told', [refused('head_timeout')], async (t) => {
    const client = await connectRaw(t, { ...hasty.proxy, ca: certificate.ca })
    t.match(parseAnswer((await client.ended).bytes), { status: 408 })
  }, hasty)
  await testLeavingNothing(t, 'within a TLS handshake', [], async (t) => {
    const client = await connectRaw(t, hasty.proxy)
    const hello = await writeClientHello()
    client.send(hello.subarray(0, 100))
    t.equal((await client.ended).bytes.length, 0)
  }, hasty)
  await testLeavingNothing(t, 'after the first flight of a TLS handshake', [], async (t) => {
    const client = await connectRaw(t, hasty.proxy)
    client.send(await writeClientHello())
    const { bytes } = await client.ended
    t.equal(bytes[0], 0x16, 'it has seen the server\'s flight and no more')
  }, hasty)
})

t.test('a TLS handshake that goes wrong leaves nothing behind, and is counted', async (t) => {
  const hello = await writeClientHello()
  const flights: ReadonlyArray<readonly [when: string, bytes: Buffer]> = [
    ['after the first byte', hello.subarray(0, 1)],
    ['within the ClientHello', hello.subarray(0, 50)],
    ['after the ClientHello', hello],
    ['after the ClientHello and garbage', Buffer.concat([hello, Buffer.from('garbage')])],
    ['with garbage for a record', Buffer.from('\x16garbage and more garbage', 'latin1')],
    ['with an empty record', Buffer.from([0x16, 3, 1, 0, 0])],
    ['with a record that is too long', Buffer.concat([Buffer.from([0x16, 3, 1, 0xff, 0xff]), Buffer.alloc(70_000)])],
  ]
  for (const [when, bytes] of flights) {
    for (const how of ['closes', 'resets'] as const) {
      await testLeavingNothing(t, `a client that ${how} ${when}`, [], async (t) => {
        const failures = await gateway.readMetric('acr_egress_tls_handshake_failures_total')
        const client = await connectRaw(t, gateway.proxy)
        client.send(bytes)
        if (when === 'after the ClientHello') await client.receive(1)
        else await waitUntil(() => client.socket.writableLength === 0, 'the bytes to be on their way')
        if (how === 'closes') client.socket.end()
        else client.reset()
        await client.ended
        await gateway.settle()
        t.equal(await gateway.readMetric('acr_egress_tls_handshake_failures_total'), failures + 1)
      })
    }
  }
})

t.test('a client whose TLS is too old, or that does not trust the gateway, leaves nothing behind', async (t) => {
  const attempts = [{ ca: certificate.ca, maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' }, {}] as const
  for (const options of attempts) {
    await testLeavingNothing(t, JSON.stringify(Object.keys(options)), [], async (t) => {
      const socket = connectTls({ ...gateway.proxy, ...options })
      const [error] = await once(socket, 'error')
      t.ok(error.code)
      socket.destroy()
    })
  }
})

t.test('a client that speaks TLS to a gateway without a certificate is told in clear text', async (t) => {
  const plain = await startGateway(t, configuration)
  const client = await connectRaw(t, plain.proxy)
  client.send(await writeClientHello())
  const answer = parseAnswer((await client.ended).bytes)
  t.match(answer, { status: 400, reason: 'bad_request' })
  t.match(JSON.parse(answer.body).hint, /http:\/\//)
  await plain.settle()
  t.match(plain.tunnelLines, [{ event: 'tunnel_refused', reason: 'bad_request', target: '' }])
})

t.test('connections beyond the limit are closed, and those within it go on', async (t) => {
  const small = await startGateway(t, `${configuration.replace('tunnel: {', 'tunnel: { maxTunnels: 1,')}`)
  const crowd: RawClient[] = []
  // One tunnel, and 1024 beside it; a few at a time, so that none has to knock twice.
  while (crowd.length < 1025) {
    crowd.push(...await Promise.all(Array.from({ length: 41 }, () => connectRaw(t, small.proxy))))
  }
  await waitUntil(async () => await small.readMetric('acr_egress_client_connections_active') === 1025, 'all to be taken')
  const late = connect(small.proxy)
  t.teardown(() => { late.destroy() })
  late.resume()
  await once(late, 'end')
  const [first] = crowd
  first?.send(writeConnect(targets.bad))
  t.match(await first?.receiveHead(), /^HTTP\/1\.1 403 host_not_allowed/)
  for (const { socket } of crowd) socket.destroy()
  await small.settle()
})

async function openTunnel (t: Test, proxy: RawClientOptions) {
  const client = await connectRaw(t, proxy)
  const accepted = upstream.nextConnection()
  client.send(writeConnect(targets.good))
  t.match(await client.receiveHead(), /^HTTP\/1\.1 200 /)
  return { client, socket: await accepted }
}

/** The first bytes of a TLS client, taken from a real one. */
async function writeClientHello (): Promise<Buffer> {
  return await new Promise((resolve) => {
    const wire = new Duplex({
      read () {},
      write (chunk: Buffer, _encoding, done) {
        resolve(chunk)
        done()
      },
    })
    const stream = connectTls({ socket: wire })
    stream.on('error', () => {})
    wire.once('finish', () => stream.destroy())
    setImmediate(() => stream.destroy())
  })
}
