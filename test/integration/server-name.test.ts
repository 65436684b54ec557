import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { type ConnectionOptions, type TLSSocket, connect as connectTls, createServer as createTlsServer } from 'node:tls'
import t, { type Test } from 'tap'
import { listenOnLoopback } from '../../src/lab/loopback.ts'
import { issueAuthority, issueServerCertificate } from '../../src/tls/certificates.ts'
import { writeConnect } from '../support/answer.ts'
import { type TestGateway, startGateway } from '../support/gateway.ts'
import { createNoise } from '../support/noise.ts'
import { type RawClient, connectRaw } from '../support/raw-client.ts'
import { startUpstream } from '../support/upstream.ts'

const host = 'contoso.azurecr.io'
const target = `${host}:443`
const hosts = [host, 'other.example', 'front.example']
const authority = await issueAuthority({ commonName: 'origin', validDays: 1, now: new Date() })
const origin = await issueServerCertificate({ authority, hosts, validDays: 1, now: new Date() })
const accessDenied = Buffer.from([21, 3, 3, 0, 2, 2, 49])

interface Origin {
  readonly port: number
  /** The server names of the handshakes that it has seen. */
  readonly names: string[]
  readonly connections: number
}

/** A real TLS server that answers to whatever name, as the shared front of many sites does. */
async function startOrigin (t: Test): Promise<Origin> {
  const names: string[] = []
  let connections = 0
  const server = createTlsServer({ cert: origin.chainPem, key: origin.keyPem }, (socket) => {
    names.push(String(socket.servername))
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  server.on('connection', () => { connections++ })
  server.on('tlsClientError', () => {})
  const { port, close } = await listenOnLoopback(server)
  t.teardown(close)
  return { port, names, get connections () { return connections } }
}

async function startInFrontOf (t: Test, { port }: { readonly port: number }, tunnel: string, more = ''): Promise<TestGateway> {
  return await startGateway(t, `
registries: [{ loginServer: ${host}, privateEndpoints: [127.0.0.0/8] }]
dns: { hosts: { ${host}: ['127.0.0.1:${port}'] } }
tunnel: { ${tunnel} }
${more}
`)
}

async function openTunnel (t: Test, { proxy }: TestGateway): Promise<RawClient> {
  const client = await connectRaw(t, { ...proxy, allowHalfOpen: true })
  client.send(writeConnect(target))
  await client.receiveHead()
  return client
}

/** Speaks TLS through a tunnel; the code of the alert that it gets, or the name of the server it has reached. */
async function speakTls (t: Test, gateway: TestGateway, options: ConnectionOptions): Promise<string> {
  const { socket } = await openTunnel(t, gateway)
  const secure = connectTls({ socket, ca: authority.certificatePem, checkServerIdentity: () => undefined, ...options })
  t.teardown(() => { secure.destroy() })
  return await new Promise((resolve) => {
    secure.on('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)))
    secure.once('secureConnect', () => {
      secure.write('word')
      secure.once('data', (word: Buffer) => resolve(word.toString()))
    })
  })
}

/** The first flight of a TLS client. */
async function recordHello (options: ConnectionOptions): Promise<Buffer> {
  const wire = new Duplex({ read () {}, write (_chunk, _encoding, done) { done() } })
  const written = once(wire, 'written') as Promise<[Buffer]>
  wire._write = (chunk: Buffer, _encoding, done) => {
    wire.emit('written', chunk)
    done()
  }
  const client: TLSSocket = connectTls({ socket: wire, ...options })
  client.on('error', () => {})
  const [hello] = await written
  client.destroy()
  return hello
}

t.test('TLS for the host of the tunnel reaches it, whatever the letters of the name', async (t) => {
  const server = await startOrigin(t)
  const gateway = await startInFrontOf(t, server, 'serverName: enforce')
  for (const servername of [host, 'Contoso.AzureCR.io']) {
    t.equal(await speakTls(t, gateway, { servername }), 'word')
    t.equal(await speakTls(t, gateway, { servername, maxVersion: 'TLSv1.2' }), 'word')
  }
  t.equal(server.names.length, 4)
  t.equal(await gateway.readMetric('acr_egress_refusals_total'), 0)
})

t.test('domain fronting is refused by an alert, and the server hears nothing of it', async (t) => {
  const heard: Buffer[] = []
  const server = await startUpstream(t, (socket) => { socket.on('data', (chunk: Buffer) => { heard.push(chunk) }) })
  const gateway = await startInFrontOf(t, server, 'serverName: enforce')
  const unrecognized = 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME'
  const shapes: Array<[string, ConnectionOptions, string, string]> = [
    ['another name', { servername: 'other.example' }, unrecognized, 'is for other.example'],
    ['another name in TLS 1.2', { servername: 'other.example', maxVersion: 'TLSv1.2' }, unrecognized, 'is for other.example'],
    ['a name below', { servername: 'a.contoso.azurecr.io' }, unrecognized, 'is for a.contoso.azurecr.io'],
    ['the name above', { servername: 'azurecr.io' }, unrecognized, 'is for azurecr.io'],
    ['a name that begins alike', { servername: 'contoso.azurecr.io.evil.example' }, unrecognized, 'is for contoso.azurecr.io.evil.example'],
    ['no name', { servername: '' }, unrecognized, 'names no server'],
  ]
  for (const [index, [shape, options, code, detail]] of shapes.entries()) {
    t.equal(await speakTls(t, gateway, options), code, shape)
    t.match(await gateway.tunnelLine(index), {
      event: 'tunnel_refused',
      reason: 'server_name_mismatch',
      detail: `the TLS inside the tunnel to ${host} ${detail}`,
      target,
      registry: host,
      address: `127.0.0.1:${server.port}`,
    }, shape)
  }
  t.equal(await gateway.readMetric('acr_egress_refusals_total', { reason: 'server_name_mismatch' }), shapes.length)
  t.same(heard, [])
  await gateway.settle()
})

t.test('what is not TLS is refused, and the server hears nothing of it', async (t) => {
  const heard: Buffer[] = []
  const server = await startUpstream(t, (socket) => { socket.on('data', (chunk: Buffer) => { heard.push(chunk) }) })
  const gateway = await startInFrontOf(t, server, 'serverName: enforce, helloTimeout: 5m')
  const hello = await recordHello({ servername: host })
  const forms: Array<[string, string | Buffer]> = [
    ['ssh', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['HTTP', `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`],
    ['smtp', 'EHLO a.example\r\n'],
    ['a nested CONNECT', writeConnect('other.example:443')],
    ['random bytes', createNoise(1000, 7)],
    ['one wrong byte', '\x17'],
    ['a record of another kind', Buffer.concat([Buffer.from([0x17]), hello.subarray(1)])],
    ['a whole hello in a message of another kind', Buffer.concat([hello.subarray(0, 5), Buffer.from([2]), hello.subarray(6)])],
    ['SSL 2', Buffer.from('802e0100020015000000100100800200800300800400800500', 'hex')],
  ]
  for (const [index, [form, bytes]] of forms.entries()) {
    const client = await openTunnel(t, gateway)
    client.send(bytes)
    t.same(await client.ended, { bytes: accessDenied, how: 'end' }, form)
    client.socket.end()
    t.match(await gateway.tunnelLine(index), { event: 'tunnel_refused', reason: 'not_tls', end: undefined }, form)
  }
  t.same(heard, [])
  t.equal(await gateway.readMetric('acr_egress_refusals_total', { reason: 'not_tls' }), forms.length)
  await gateway.settle()
})

t.test('a server that speaks first is not heard, and the client is told when the time is up', async (t) => {
  const server = await startUpstream(t, (socket) => { socket.write('220 mail.example ESMTP\r\n') })
  const gateway = await startInFrontOf(t, server, 'helloTimeout: 100ms')
  const silent = await openTunnel(t, gateway)
  t.same(await silent.ended, { bytes: accessDenied, how: 'end' })
  silent.socket.end()
  t.match(await gateway.tunnelLine(0), {
    reason: 'hello_timeout', detail: 'the client sent nothing within 0.1 s of the opening of the tunnel',
  })
  const slow = await openTunnel(t, gateway)
  slow.send((await recordHello({ servername: host })).subarray(0, 100))
  t.same(await slow.ended, { bytes: accessDenied, how: 'end' })
  slow.socket.end()
  t.match(await gateway.tunnelLine(1), { reason: 'hello_timeout', detail: /^the client sent no whole ClientHello within/ })
  await gateway.settle()
})

for (const engine of ['stream', 'splice']) {
  const relay = `relay: { engine: ${engine} }`

  t.test(`${engine}: a hello in any cuts, and behind the head of the CONNECT, arrives as it was sent`, async (t) => {
    const upstream = await startUpstream(t)
    const gateway = await startInFrontOf(t, upstream, 'serverName: enforce', relay)
    const hello = await recordHello({ servername: host })
    const sent = Buffer.concat([hello, Buffer.from('and what follows it')])
    const single = [0, 1, 5, hello.length - 1, hello.length, sent.length].map((at) => [at])
    const cuts = [...single, [...hello.keys()].filter((at) => at % 50 === 0)]
    for (const cut of cuts) {
      const accepted = upstream.nextConnection()
      const client = await connectRaw(t, { ...gateway.proxy, allowHalfOpen: true })
      const edges = [...cut, sent.length]
      client.send(Buffer.concat([Buffer.from(writeConnect(target)), sent.subarray(0, edges[0])]))
      await client.receiveHead()
      for (const [index, edge] of edges.entries()) {
        client.send(sent.subarray(edge, edges[index + 1]))
        await new Promise((resolve) => setImmediate(resolve))
      }
      client.socket.end()
      const server = await accepted
      t.same(await readAll(server), sent, `cut at ${cut.slice(0, 3).join()}`)
      server.end('answer')
      t.same(await client.ended, { bytes: Buffer.from('answer'), how: 'end' })
    }
    const line = await gateway.tunnelLine(cuts.length - 1)
    t.match(line, { event: 'tunnel_ended', end: 'closed', bytesFromClient: sent.length, bytesFromUpstream: 6 })
  })

  t.test(`${engine}: a server that is gone before the hello ends the tunnel as it would later`, async (t) => {
    const upstream = await startUpstream(t)
    const gateway = await startInFrontOf(t, upstream, 'serverName: enforce', relay)
    const accepted = upstream.nextConnection()
    const client = await openTunnel(t, gateway)
    ;(await accepted).resetAndDestroy()
    client.send(await recordHello({ servername: host }))
    t.equal((await client.ended).how, 'reset')
    t.match(await gateway.tunnelLine(0), { event: 'tunnel_ended', end: 'upstream_reset' })
  })
}

t.test('a client that leaves without a word has left, and one that leaves within its hello is refused', async (t) => {
  const upstream = await startUpstream(t)
  const gateway = await startInFrontOf(t, upstream, 'serverName: enforce')
  const hello = await recordHello({ servername: host })
  const closed = await openTunnel(t, gateway)
  closed.socket.end()
  t.same(await closed.ended, { bytes: Buffer.alloc(0), how: 'end' })
  const reset = await openTunnel(t, gateway)
  reset.reset()
  t.match([await gateway.tunnelLine(0), await gateway.tunnelLine(1)], [{ end: 'client_gone' }, { end: 'client_gone' }])
  const cut = await openTunnel(t, gateway)
  cut.socket.end(hello.subarray(0, 50))
  t.same(await cut.ended, { bytes: accessDenied, how: 'end' })
  t.match(await gateway.tunnelLine(2), { reason: 'not_tls', detail: 'the client ended within its ClientHello' })
  await gateway.settle()
})

t.test('in report mode everything passes, the banners of servers too, and what would be refused is told of', async (t) => {
  const server = await startOrigin(t)
  const gateway = await startInFrontOf(t, server, 'serverName: report, helloTimeout: 50ms')
  t.equal(await speakTls(t, gateway, { servername: 'front.example' }), 'word')
  t.equal(await speakTls(t, gateway, { servername: host }), 'word')
  t.same(server.names, ['front.example', host])
  t.equal(await gateway.readMetric('acr_egress_would_refuse_total', { reason: 'server_name_mismatch' }), 1)
  t.equal(await gateway.readMetric('acr_egress_would_refuse_total'), 1)
  const mail = await startUpstream(t, (socket) => { socket.end('220 ') })
  const lax = await startInFrontOf(t, mail, 'serverName: report, helloTimeout: 50ms')
  const client = await openTunnel(t, lax)
  t.equal((await client.ended).bytes.toString(), '220 ')
  client.socket.end('QUIT')
  t.match(await lax.tunnelLine(0), { wouldRefuse: 'hello_timeout', bytesFromUpstream: 4 })
  t.equal(await lax.readMetric('acr_egress_would_refuse_total', { reason: 'hello_timeout' }), 1)
})

t.test('when it is off nothing is looked at', async (t) => {
  const mail = await startUpstream(t, (socket) => { socket.write('220 ') })
  const gateway = await startInFrontOf(t, mail, 'serverName: off')
  const client = await openTunnel(t, gateway)
  t.equal((await client.receive(4)).toString(), '220 ')
})

t.test('clients print why: openssl and curl', async (t) => {
  const server = await startOrigin(t)
  const gateway = await startInFrontOf(t, server, 'serverName: enforce')
  const proxy = `127.0.0.1:${gateway.proxy.port}`
  const print = async (command: string, args: readonly string[]): Promise<string> => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const [printed] = await Promise.all([text(child.stderr), text(child.stdout)])
    return printed
  }
  t.match(await print('openssl', ['s_client', '-proxy', proxy, '-connect', target, '-servername', 'other.example']), /unrecognized name/)
  t.match(await print('openssl', ['s_client', '-proxy', proxy, '-connect', target, '-noservername']), /unrecognized name/)
  t.match(await print('curl', ['-sS', '-x', `http://${proxy}`, '--connect-to', `other.example:443:${target}`, 'https://other.example/']), /unrecognized name/)
})

async function readAll (socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => { chunks.push(chunk) })
  await once(socket, 'end')
  return Buffer.concat(chunks)
}

t.test('a gateway that closes leaves nothing of a tunnel whose client is still to speak', async (t) => {
  const upstream = await startUpstream(t)
  const gateway = await startInFrontOf(t, upstream, 'helloTimeout: 5m')
  const accepted = upstream.nextConnection()
  const client = await openTunnel(t, gateway)
  const server = await accepted
  await gateway.gateway.close()
  t.equal((await client.ended).bytes.length, 0)
  t.equal((await readAll(server)).length, 0)
})
