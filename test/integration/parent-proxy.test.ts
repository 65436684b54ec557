import { once } from 'node:events'
import { type Socket, connect, createServer } from 'node:net'
import t, { type Test } from 'tap'
import { type Lab, labNames, startLab } from '../../src/lab/lab.ts'
import { listenOnLoopback } from '../../src/lab/loopback.ts'
import { startNameServer } from '../../src/lab/name-server.ts'
import { pullImage } from '../../src/lab/pull.ts'
import { parseAnswer, writeConnect } from '../support/answer.ts'
import { startFullListener } from '../support/full-listener.ts'
import { type TestGateway, startGateway } from '../support/gateway.ts'
import { labConfiguration } from '../support/lab-configuration.ts'
import { createNoise } from '../support/noise.ts'
import { issueProxyCertificate, tlsKeys } from '../support/proxy-certificate.ts'
import { type RawClient, connectRaw } from '../support/raw-client.ts'
import { countResources } from '../support/resources.ts'
import { type Upstream, startUpstream } from '../support/upstream.ts'
import { waitUntil } from '../support/wait-until.ts'

const target = 'contoso.azurecr.io:443'
const certificate = await issueProxyCertificate()

/** For tunnels through which no TLS goes. */
const noTls = 'tunnel: { serverName: off }'

/** A gateway in front of a registry on loopback, to be the parent of others: by http:// and by https://. */
async function startParent (t: Test, { port }: { readonly port: number }, more = ''): Promise<TestGateway> {
  return await startGateway(t, `
registries: [{ loginServer: contoso.azurecr.io, regions: [eastus], privateEndpoints: [127.0.0.0/8] }]
dns: { hosts: { contoso.azurecr.io: ['127.0.0.1:${port}'] } }
listen: { ${tlsKeys} }
${noTls}
${more}
`, certificate.files)
}

interface ChildOptions {
  readonly scheme?: 'http' | 'https'
  readonly resolve?: 'parent' | 'gateway'
  /** Where the registry is, for `resolve: gateway`. */
  readonly registry?: number
  readonly more?: string
}

/** A gateway that goes through a parent. */
async function startChild (
  t: Test, { port }: { readonly port: number }, { scheme = 'http', resolve = 'parent', registry = 1, more = '' }: ChildOptions = {},
): Promise<TestGateway> {
  return await startGateway(t, `
registries: [{ loginServer: contoso.azurecr.io, regions: [eastus], privateEndpoints: [127.0.0.0/8] }]
dns: { hosts: { contoso.azurecr.io: ['127.0.0.1:${registry}'] } }
upstreamProxy: { url: '${scheme}://127.0.0.1:${port}', caFile: ca.crt, resolve: ${resolve} }
${noTls}
${more}
`, { 'ca.crt': certificate.ca })
}

async function openPair (t: Test, gateway: TestGateway, upstream: Upstream) {
  const accepted = upstream.nextConnection()
  const client = await connectRaw(t, { ...gateway.proxy, allowHalfOpen: true })
  client.send(writeConnect(target))
  t.equal(await client.receiveHead(), 'HTTP/1.1 200 Connection established\r\n\r\n')
  return { client, server: await accepted }
}

/** What a client is told that asks for the registry. */
async function ask (t: Test, gateway: TestGateway, bytes = writeConnect(target)) {
  const client = await connectRaw(t, gateway.proxy)
  client.send(bytes)
  return parseAnswer((await client.ended).bytes)
}

// TLS stays with streams, so that there is nothing to see of the kernel over https://.
const ways = [['stream', 'http'], ['splice', 'http'], ['stream', 'https']] as const
for (const [engine, scheme] of ways) {
  const relay = `relay: { engine: ${engine} }`

  t.test(`${engine}, ${scheme}: half-closes and resets pass through a parent`, async (t) => {
    const upstream = await startUpstream(t)
    const parent = await startParent(t, upstream)
    const gateway = await startChild(t, parent.proxy, { scheme, more: relay })

    await t.test('a half-close of the client', async (t) => {
      const { client, server } = await openPair(t, gateway, upstream)
      const carriedByNode = await gateway.readMetric('acr_egress_client_connections_active')
      t.equal(carriedByNode, engine === 'splice' ? 0 : 1, 'the engine that was asked for carries it')
      client.socket.end('question')
      t.equal((await readAll(server)).toString(), 'question')
      server.end('answer')
      t.strictSame(await client.ended, { bytes: Buffer.from('answer'), how: 'end' })
      t.match(await gateway.tunnelLine(0), { end: 'closed', bytesFromClient: 8, bytesFromUpstream: 6 })
    })

    await t.test('a half-close of the registry', async (t) => {
      const { client, server } = await openPair(t, gateway, upstream)
      server.end('greeting')
      t.strictSame(await client.ended, { bytes: Buffer.from('greeting'), how: 'end' })
      client.socket.end('farewell')
      t.equal((await readAll(server)).toString(), 'farewell')
      t.match(await gateway.tunnelLine(1), { end: 'closed', bytesFromClient: 8, bytesFromUpstream: 8 })
    })

    await t.test('a reset of the client', async (t) => {
      const { client, server } = await openPair(t, gateway, upstream)
      const ending = codeOfEnd(server)
      client.reset()
      t.equal(await ending, 'ECONNRESET')
      t.match(await gateway.tunnelLine(2), { end: 'client_reset' })
    })

    await t.test('a reset of the registry', async (t) => {
      const { client, server } = await openPair(t, gateway, upstream)
      const ending = codeOfEnd(client.socket)
      server.resetAndDestroy()
      t.equal(await ending, 'ECONNRESET')
      t.match(await gateway.tunnelLine(3), { end: 'upstream_reset' })
    })
  })

  t.test(`${engine}, ${scheme}: megabytes arrive as they were sent, both ways at once`, async (t) => {
    const upstream = await startUpstream(t)
    const parent = await startParent(t, upstream)
    const gateway = await startChild(t, parent.proxy, { scheme, more: relay })
    const { client, server } = await openPair(t, gateway, upstream)
    const [up, down] = [createNoise(3_000_000, 1), createNoise(3_000_000, 2)]
    client.socket.end(up)
    server.end(down)
    t.ok((await readAll(server)).equals(up))
    const { bytes, how } = await client.ended
    t.ok(bytes.equals(down))
    t.equal(how, 'end')
  })
}

for (const engine of ['stream', 'splice'] as const) {
  t.test(`${engine}: what a parent sends in one packet with its 200 is not lost, nor what the client sent with its CONNECT`, async (t) => {
    const seen: Buffer[] = []
    const parent = await startUpstream(t, (socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\nearly ')
        socket.on('data', (chunk: Buffer) => {
          seen.push(chunk)
          socket.end('late')
        })
      })
    })
    const gateway = await startChild(t, parent, { more: `relay: { engine: ${engine} }` })
    const client = await connectRaw(t, gateway.proxy)
    client.send(`${writeConnect(target)}hello`)
    t.equal((await client.receiveHead()).split('\r\n')[0], 'HTTP/1.1 200 Connection established')
    t.equal((await client.ended).bytes.toString(), 'early late')
    t.equal(Buffer.concat(seen).toString(), 'hello')
    t.match(await gateway.tunnelLine(0), { end: 'closed', bytesFromClient: 5, bytesFromUpstream: 10 })
  })
}

t.test('with resolve: parent no name of a registry is asked for, and log, metric, status and explain say who resolves', async (t) => {
  const upstream = await startUpstream(t)
  const parent = await startParent(t, upstream)
  const questions: string[] = []
  const names = await startNameServer({
    answers ({ name }) {
      questions.push(name)
      return name === 'proxy.corp.example' ? { addresses: ['127.0.0.1'] } : { rcode: 'NXDOMAIN' }
    },
  })
  t.teardown(() => names.close())
  const gateway = await startGateway(t, `
registries: [{ loginServer: contoso.azurecr.io, regions: [eastus] }]
bundles: [mcr, revocation]
upstreamProxy: { url: 'http://proxy.corp.example:${parent.proxy.port}' }
dns: { servers: ['127.0.0.1:${names.port}'] }
${noTls}
`)
  const url = `http://proxy.corp.example:${parent.proxy.port}`
  const address = `127.0.0.1:${parent.proxy.port}`
  t.match(gateway.lines.find(({ event }) => event === 'gateway_started'), { parent: url, resolvedBy: 'parent' })
  const { client, server } = await openPair(t, gateway, upstream)
  const { tunnels } = JSON.parse((await gateway.ask('/api/tunnels')).body)
  t.match(tunnels, [{ target, address: '', parent: address }])
  server.end()
  client.socket.end()
  const line = await gateway.tunnelLine(0)
  t.match(line, { event: 'tunnel_ended', parent: address, resolvedBy: 'parent' })
  t.notOk('address' in line)
  t.equal(await gateway.readMetric('acr_egress_upstream_info', { via: 'parent', resolver: 'parent' }), 1)
  t.equal(await gateway.readMetric('acr_egress_connect_attempts_total', { outcome: 'connected' }), 1)
  t.match(JSON.parse((await gateway.ask('/api/status')).body).upstream, { via: 'parent', parent: url, resolver: 'parent' })
  t.match(JSON.parse((await gateway.ask('/api/explain?target=contoso.azurecr.io')).body), {
    allow: true, resolver: `the parent proxy ${url}`, addresses: undefined,
  })
  const { checks } = JSON.parse((await gateway.ask('/readyz')).body)
  t.match(checks.filter(({ name }: { name: string }) => /name|tags/.test(name)), [
    { name: 'name service', ok: true, detail: 'proxy.corp.example, the parent proxy, resolves.' },
    { name: 'service tags', ok: true, detail: 'The parent proxy resolves: no address is checked.' },
  ])
  t.same([...new Set(questions)], ['proxy.corp.example'])
})

t.test('with resolve: gateway the address that was judged is the one that the parent dials', async (t) => {
  const upstream = await startUpstream(t)
  const asked: string[] = []
  const parent = await startUpstream(t, (socket) => {
    socket.once('data', (head: Buffer) => {
      asked.push(head.toString().split(' ')[1] ?? '')
      socket.end('HTTP/1.1 200 OK\r\n\r\n')
    })
  })
  const gateway = await startGateway(t, `
registries: [{ loginServer: contoso.azurecr.io, regions: [eastus], privateEndpoints: [127.0.0.0/8] }]
dns: { hosts: { contoso.azurecr.io: ['10.9.9.9', '[::1]:7', '127.0.0.1:${upstream.port}', '169.254.169.254'] } }
upstreamProxy: { url: 'http://127.0.0.1:${parent.port}', resolve: gateway }
${noTls}
`)
  const client = await connectRaw(t, gateway.proxy)
  client.send(writeConnect(target))
  await client.receiveHead()
  client.socket.end()
  const address = `127.0.0.1:${upstream.port}`
  t.match(await gateway.tunnelLine(0), { address, parent: `127.0.0.1:${parent.port}`, resolvedBy: 'gateway' })
  t.same(asked, [address])
  t.equal(upstream.connections, 0, 'the gateway itself does not connect there')
  t.equal(await gateway.readMetric('acr_egress_upstream_info', { via: 'parent', resolver: 'gateway' }), 1)
  const { checks } = JSON.parse((await gateway.ask('/readyz')).body)
  t.match(checks.find(({ name }: { name: string }) => name === 'parent proxy'), {
    ok: true, detail: 'Nothing to resolve: the parent proxy is at 127.0.0.1.',
  })
})

t.test('a gateway behind a gateway passes on the reason of its parent, in every place where a refusal is told', async (t) => {
  const parent = await startParent(t, await startUpstream(t))
  const gateway = await startChild(t, parent.proxy, { more: 'extraHosts: [registry.example]' })
  const answer = await ask(t, gateway, writeConnect('registry.example:443'))
  const said = 'the parent proxy says 403 host_not_allowed: registry.example is not an endpoint of contoso.azurecr.io'
  t.equal(answer.statusLine, `HTTP/1.1 502 parent_refused: ${said}`)
  t.match(answer.headers['proxy-status'], `error=http_request_denied;details="parent_refused: ${said}"`)
  t.match(JSON.parse(answer.body), { reason: 'parent_refused', detail: said, hint: /docs\/refusals\.md says of host_not_allowed, for the parent/ })
  t.match(await gateway.tunnelLine(0), { event: 'tunnel_refused', reason: 'parent_refused', detail: said })
  t.match(await parent.tunnelLine(0), { event: 'tunnel_refused', reason: 'host_not_allowed', target: 'registry.example:443' })
  t.equal(await gateway.readMetric('acr_egress_refusals_total', { reason: 'parent_refused' }), 1)
})

t.test('a parent that leads back to the gateway opens one tunnel and no more', async (t) => {
  // A name, which no check of the configuration sees through, and a proxy in between that passes on what it is asked.
  const names = await startNameServer({ answers: () => ({ addresses: ['127.0.0.1'] }) })
  t.teardown(() => names.close())
  let port = 0
  const between = await startUpstream(t, (socket) => {
    socket.once('data', (head: Buffer) => {
      const back = connect(port, '127.0.0.1')
      back.on('error', () => {})
      back.write(head.toString().replace('Via: ', 'Via: 1.1 between, '))
      back.pipe(socket)
    })
  })
  const gateway = await startGateway(t, `
registries: [{ loginServer: contoso.azurecr.io, regions: [eastus] }]
bundles: [revocation]
dns: { servers: ['127.0.0.1:${names.port}'] }
upstreamProxy: { url: 'http://gateway.corp.example:${between.port}' }
`)
  port = gateway.proxy.port
  const said = 'the parent proxy says 508 loop_detected: the request has been through this gateway already'
  t.equal((await ask(t, gateway)).statusLine, `HTTP/1.1 502 parent_refused: ${said}`)
  t.match(gateway.tunnelLines.map(({ reason }) => reason), ['loop_detected', 'parent_refused'])
  const plain = await ask(t, gateway, 'GET http://crl3.digicert.com/a.crl HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  t.match(plain.statusLine, /^HTTP\/1\.1 508 loop_detected: /)
  t.equal(between.connections, 2)
})

t.test('a user and a password go to the parent and nowhere else', async (t) => {
  const heads: string[] = []
  const parent = await startUpstream(t, (socket) => {
    socket.once('data', (head: Buffer) => {
      heads.push(head.toString())
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="corp"\r\n\r\n')
    })
  })
  const gateway = await startGateway(t, `
registries: [{ loginServer: contoso.azurecr.io, regions: [eastus] }]
bundles: [revocation]
upstreamProxy: { url: 'http://gate@127.0.0.1:${parent.port}', passwordFile: word }
`, { word: 'xyzzy-1\n' })
  const basic = Buffer.from('gate:xyzzy-1').toString('base64')
  const own = `Proxy-Authorization: Basic ${Buffer.from('a:b').toString('base64')}\r\n`
  const answers = [
    await ask(t, gateway, writeConnect(target).replace('\r\n\r\n', `\r\n${own}\r\n`)),
    await ask(t, gateway, `GET http://crl3.digicert.com/a.crl HTTP/1.1\r\nHost: crl3.digicert.com\r\n${own}Connection: close\r\n\r\n`),
  ]
  for (const answer of answers) {
    t.match(answer, { status: 502, reason: 'parent_refused' }, 'a 407 would have the client send its own')
    t.match(JSON.parse(answer.body), { hint: /does not take this user and password/ })
    t.notOk(answer.headers['proxy-authenticate'])
  }
  t.equal(heads.length, 2)
  for (const head of heads) {
    t.match(head, `Proxy-Authorization: Basic ${basic}\r\n`)
    t.equal(head.match(/proxy-authorization/gi)?.length, 1, 'what the client sent stays here')
  }
  const shown = JSON.stringify([gateway.lines, answers, await gateway.ask('/api/status'), await gateway.ask('/metrics')])
  t.notMatch(shown, /xyzzy|gate:|gate@/)
  t.notMatch(shown, basic)
})

t.test('a parent that is dead, refuses, hangs or talks rubbish fails the tunnel; nothing goes past it', async (t) => {
  const direct = await startUpstream(t, (socket) => socket.end('direct'))
  const gone = await listenOnLoopback(createServer())
  await gone.close()
  const says = (bytes: string) => startUpstream(t, (socket) => { socket.once('data', () => socket.end(bytes, 'latin1')) })
  const parents: ReadonlyArray<readonly [what: string, port: number, reason: string]> = [
    ['dead', gone.port, 'parent_unreachable'],
    ['a black hole', (await startFullListener(t)).port, 'parent_timeout'],
    ['silent', (await startUpstream(t)).port, 'parent_timeout'],
    ['refusing', (await says('HTTP/1.1 403 Forbidden\r\n\r\n')).port, 'parent_refused'],
    ['without a way', (await says('HTTP/1.1 503 Service Unavailable\r\n\r\n')).port, 'parent_refused'],
    ['rubbish', (await says('\x00\x01\x02')).port, 'parent_failed'],
    ['hanging up', (await says('')).port, 'parent_failed'],
    ['half an answer', (await says('HTTP/1.1 200 O')).port, 'parent_failed'],
  ]
  for (const scheme of ['http', 'https'] as const) {
    for (const [what, port, reason] of parents) {
      for (const resolve of ['parent', 'gateway'] as const) {
        const gateway = await startGateway(t, `
registries: [{ loginServer: contoso.azurecr.io, regions: [eastus], privateEndpoints: [127.0.0.0/8] }]
bundles: [revocation]
dns:
  hosts:
    contoso.azurecr.io: ['127.0.0.1:${direct.port}']
    contoso.eastus.data.azurecr.io: ['127.0.0.1:${direct.port}']
    crl3.digicert.com: ['127.0.0.1:${direct.port}']
upstreamProxy: { url: '${scheme}://127.0.0.1:${port}', resolve: ${resolve} }
tunnel: { connectTimeout: ${reason === 'parent_timeout' ? '200ms' : '5s'} }
`)
        const { reason: told } = await ask(t, gateway)
        const label = `${what}, ${scheme}, resolve: ${resolve}`
        // No TLS comes from those who speak clear text.
        if (scheme === 'http' || reason !== 'parent_refused') t.equal(told, reason, label)
        else t.equal(told, 'parent_failed', label)
        // Nobody waits for the eight seconds and the thirty that these two would take.
        if (reason === 'parent_timeout') {
          await gateway.gateway.close()
          continue
        }
        const { checks: [check] } = JSON.parse((await gateway.ask('/api/migration')).body).registries[0]
        t.match(check, { ok: false }, label)
        const plain = await ask(t, gateway, 'GET http://crl3.digicert.com/a.crl HTTP/1.1\r\nHost: crl3.digicert.com\r\nConnection: close\r\n\r\n')
        t.ok(plain.status >= 400, `${label}: ${plain.statusLine}`)
        t.notMatch(plain.body, /direct/)
        await gateway.gateway.close()
      }
    }
  }
  t.equal(direct.connections, 0)
})

t.test('a client that goes while the parent is waited for ends the wait', async (t) => {
  const parent = await startUpstream(t)
  const gateway = await startChild(t, parent)
  const accepted = parent.nextConnection()
  const client = await connectRaw(t, gateway.proxy)
  client.send(writeConnect(target))
  const waiting = await accepted
  const ending = codeOfEnd(waiting)
  client.reset()
  t.match(await gateway.tunnelLine(0), { event: 'tunnel_abandoned', end: 'client_gone' })
  await ending
  t.equal(gateway.gateway.tunnelCount, 0)
})

t.test('tunnels through a parent, opened, refused and given up, leave nothing behind', async (t) => {
  const upstream = await startUpstream(t, (socket) => socket.pipe(socket))
  const parent = await startParent(t, upstream)
  const gateway = await startChild(t, parent.proxy, { more: 'extraHosts: [registry.example]' })
  const round = async (): Promise<void> => {
    const client = await connectRaw(t, gateway.proxy)
    client.send(writeConnect(target))
    await client.receiveHead()
    client.socket.end('x')
    await client.ended
    await ask(t, gateway, writeConnect('registry.example:443'))
    const gone = await connectRaw(t, gateway.proxy)
    gone.send(writeConnect(target))
    gone.reset()
    await gateway.settle()
    await parent.settle()
  }
  await round()
  const before = countResources()
  for (let index = 0; index < 20; index++) await round()
  await waitUntil(() => countResources() <= before, 'every socket and timer to be freed')
})

t.test('plain HTTP is asked of the parent in absolute form, and its answers are passed on in its words', async (t) => {
  const heads: string[] = []
  const answers = [
    'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Type: application/pkix-crl\r\nSet-Cookie: a=b\r\n\r\nlist',
    'HTTP/1.1 403 host_not_allowed: not here\r\nContent-Length: 2\r\n\r\nno',
    'HTTP/1.1 503 \xe9chou\xe9\r\nContent-Length: 0\r\n\r\n',
  ]
  const parent = await startUpstream(t, (socket) => {
    socket.once('data', (head: Buffer) => {
      heads.push(head.toString())
      socket.end(answers[heads.length - 1] ?? '', 'latin1')
    })
  })
  for (const resolve of ['parent', 'gateway'] as const) {
    heads.length = 0
    const gateway = await startGateway(t, `
registries: [{ loginServer: contoso.azurecr.io, regions: [eastus] }]
bundles: [revocation]
dns: { hosts: { contoso.azurecr.io: [10.1.2.3], crl3.digicert.com: [10.1.2.3] } }
upstreamProxy: { url: 'http://127.0.0.1:${parent.port}', resolve: ${resolve} }
`)
    const question = 'GET http://crl3.digicert.com/a.crl?x=/y//z HTTP/1.1\r\nHost: other.example\r\nCookie: c=d\r\nConnection: close\r\n\r\n'
    t.match(await ask(t, gateway, question), { status: 200, body: 'list', headers: { 'content-type': 'application/pkix-crl' } })
    t.match(await ask(t, gateway, question), { statusLine: 'HTTP/1.1 403 host_not_allowed: not here' })
    t.match(await ask(t, gateway, question), { statusLine: 'HTTP/1.1 503 \\xe9chou\\xe9' })
    t.match(heads[0], /^GET http:\/\/crl3\.digicert\.com\/a\.crl\?x=\/y\/\/z HTTP\/1\.1\r\n/)
    t.match(heads[0], /\r\nhost: crl3\.digicert\.com\r\n/i)
    t.notMatch(heads[0], /cookie|other\.example|proxy-authorization/i)
    t.match(await gateway.tunnelLine(0), { end: 'closed', class: 'revocation', parent: `127.0.0.1:${parent.port}`, resolvedBy: 'parent' })
    t.match(JSON.parse((await gateway.ask('/api/explain?target=http://crl3.digicert.com/a.crl')).body), { allow: true, resolver: /the parent proxy/ })
  }
})

/** A whole image, pulled through a gateway and its parent. */
async function pull (lab: Lab, { proxy }: TestGateway): Promise<void> {
  const { loginServer, repository, tag } = labNames
  await pullImage({ proxy, registry: loginServer, repository, tag, ca: lab.ca })
}

t.test('an image is pulled through a parent, by http and by https, whoever resolves; and its data endpoint is tried so', async (t) => {
  const lab = await startLab({ layers: [200_000, 50_000] })
  t.teardown(() => lab.close())
  const parent = await startGateway(t, `${labConfiguration(lab, { listen: undefined })}
listen: { ${tlsKeys} }
`, certificate.files)
  for (const scheme of ['http', 'https'] as const) {
    for (const resolve of ['parent', 'gateway'] as const) {
      // A parent that is this gateway refuses addresses, as it must.
      const isRefused = resolve === 'gateway'
      const gateway = await startGateway(t, labConfiguration(lab, {
        upstreamProxy: { url: `${scheme}://${parent.proxy.host}:${parent.proxy.port}`, caFile: 'ca.crt', resolve },
      }), { 'ca.crt': certificate.ca })
      if (isRefused) await t.rejects(pull(lab, gateway), { message: /502 parent_refused: .* 403 ip_literal_not_allowed/ })
      else await pull(lab, gateway)
      const { checks: [check] } = JSON.parse((await gateway.ask('/api/migration')).body).registries[0]
      t.match(check, isRefused
        ? { ok: false, addresses: [{ address: '127.0.0.1', allow: true }], problem: /ip_literal_not_allowed/ }
        : { ok: true, addresses: [], certificate: { names: [labNames.dataEndpoint] } })
    }
  }
})

async function readAll (socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'end')
  return Buffer.concat(chunks)
}

/** The code of the error that broke a connection off, or `end`. */
async function codeOfEnd (socket: RawClient['socket']): Promise<string> {
  return await new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    socket.once('end', () => resolve('end'))
    socket.resume()
  })
}
