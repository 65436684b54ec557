import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type Socket, createServer } from 'node:net'
import t, { type Test } from 'tap'
import { listenOnLoopback } from '../../../src/lab/loopback.ts'
import { parseAddress } from '../../../src/net/address.ts'
import { noCertificateAsked } from '../../../src/proxy/client-certificate.ts'
import { createHeadParser } from '../../../src/proxy/head-parser.ts'
import { servePlain } from '../../../src/proxy/plain-http.ts'
import { createSetupRates } from '../../../src/proxy/setup-rates.ts'
import { createDirectReach } from '../../../src/proxy/direct-reach.ts'
import { createSlowTargets } from '../../../src/proxy/slow-targets.ts'
import type { TunnelServices } from '../../../src/proxy/tunnel.ts'
import { createTunnelTable } from '../../../src/proxy/tunnel-table.ts'
import { deny, refuse } from '../../../src/refusal/reasons.ts'
import { startStreamRelay } from '../../../src/relay/stream-relay.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { createTunnelLog } from '../../../src/telemetry/tunnel-log.ts'
import { parseAnswer } from '../../support/answer.ts'
import { metricsOptions } from '../../support/metrics-options.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { startUpstream } from '../../support/upstream.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { policyOver, readAddress } from '../policy/sources.ts'

interface Line {
  readonly event: string
  readonly target: string
  readonly reason?: string
  readonly end?: string
}

/**
 * A proxy whose revocation hosts are all at a port of loopback. The policy is the real one but for that: no
 * configuration lets these names lead to an address that is not public.
 */
async function startProxy (t: Test, port: number, more: Partial<TunnelServices> = {}) {
  const lines: Line[] = []
  const logger = createLogger('info', { write: (line) => { lines.push(JSON.parse(line) as Line) } })
  const metrics = createMetrics(metricsOptions)
  const policy = {
    ...policyOver([{ loginServer: 'contoso.azurecr.io' }], [], { bundles: ['revocation'] }),
    decideAddress: () => ({ allow: true, ground: { kind: 'public' } } as const),
  }
  const services: TunnelServices = {
    policy: () => policy,
    reach: createDirectReach({
      names: { lookup: async () => [{ address: readAddress('127.0.0.1'), port }] }, slowTargets: createSlowTargets(),
    }),
    setupRates: createSetupRates({ perSecond: 100 }),
    tunnels: createTunnelTable({ maxTunnels: 2, maxTunnelsPerClient: 2 }),
    startRelay: startStreamRelay,
    log: createTunnelLog({ logger, metrics }),
    serverName: { mode: 'off', timeoutMs: 5000 },
    connectTimeoutMs: 5000,
    idleTimeoutMs: 5000,
    ...more,
  }
  // The clients are on loopback, and the policy takes those from 10.0.0.0/8.
  const address = parseAddress('10.0.0.1')
  if (address === undefined) throw new TypeError('not an address')
  const served = new WeakSet()
  const heads = createHeadParser({
    connect: (stream) => stream.destroy(),
    plain (stream, request, response) {
      // As the listener does, which lets a connection go with its first request.
      if (served.has(stream)) return
      served.add(stream)
      const socket = stream as Socket
      const client = { address, port: 1, certificate: noCertificateAsked }
      void servePlain({ client, end: { stream, socket }, request, response }, services)
    },
    unusable: (stream) => stream.end('HTTP/1.1 400 bad_request: unusable\r\n\r\n'),
    broken: (stream) => stream.destroy(),
  })
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    heads.read(socket)
  })
  const listening = await listenOnLoopback(server)
  t.teardown(listening.close)
  return {
    lines,
    metrics,
    tunnels: services.tunnels,
    connect: () => connectRaw(t, { host: '127.0.0.1', port: listening.port }),
    async ask (bytes: string | Buffer) {
      const client = await connectRaw(t, { host: '127.0.0.1', port: listening.port })
      client.send(bytes)
      const ended = await client.ended
      return { ...parseAnswer(ended.bytes), how: ended.how }
    },
  }
}

/** A host of revocation lists on loopback. */
async function startHost (t: Test, answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const requests: IncomingMessage[] = []
  const server = createHttpServer((request, response) => {
    requests.push(request)
    answer(request, response)
  })
  const { port, close } = await listenOnLoopback(server)
  t.teardown(close)
  return { port, requests }
}

const get = (headers = '', target = 'http://crl3.digicert.com/a.crl'): string => {
  return `GET ${target} HTTP/1.1\r\nHost: crl3.digicert.com\r\n${headers}\r\n`
}

t.test('a revocation list is fetched, with the headers that it takes and no others', async (t) => {
  const host = await startHost(t, (_request, response) => {
    response.writeHead(200, {
      'content-type': 'application/pkix-crl',
      etag: '"1"',
      'set-cookie': 'a=b',
      'proxy-authenticate': 'Basic',
      'x-own': '1',
      'keep-alive': 'timeout=100',
      connection: 'keep-alive, x-own',
    })
    response.end('the list')
  })
  const proxy = await startProxy(t, host.port)
  const answer = await proxy.ask(get([
    'Accept: */*', 'User-Agent: CryptoAPI', 'If-None-Match: "0"', 'Cookie: secret', 'Authorization: Basic c2VjcmV0',
    'Proxy-Authorization: Basic c2VjcmV0', 'Proxy-Connection: keep-alive', 'TE: trailers', 'X-Own: 1', 'Connection: X-Hop, Accept',
    'X-Hop: 1', 'Forwarded: for=10.0.0.1', 'Upgrade: h2c', '',
  ].join('\r\n'), 'http://CRL3.DigiCert.com./a//b.crl?x=1'))
  t.equal(answer.status, 200)
  t.match(answer.body, 'the list')
  t.equal(answer.how, 'end')
  t.same(Object.keys(answer.headers).sort(), ['connection', 'content-type', 'date', 'etag', 'transfer-encoding', 'via'])
  t.equal(answer.headers['connection'], 'close')
  t.equal(host.requests[0]?.url, '/a//b.crl?x=1', 'to the letter')
  t.same(host.requests[0]?.headers, {
    host: 'crl3.digicert.com',
    accept: '*/*',
    'user-agent': 'CryptoAPI',
    'if-none-match': '"0"',
    via: '1.1 acr-egress',
    connection: 'close',
  })
  await waitUntil(() => proxy.lines.length > 0, 'the line of the log')
  t.match(proxy.lines, [{
    event: 'tunnel_ended',
    target: 'crl3.digicert.com:80',
    class: 'revocation',
    end: 'closed',
    bytesFromUpstream: 8,
    address: `127.0.0.1:${host.port}`,
  }])
  t.notMatch(JSON.stringify(proxy.lines), /b\.crl|x=1|secret/, 'no path, no query')
  t.equal(proxy.tunnels.size, 0)
  t.match(proxy.metrics.totals(), { tunnels: 1, tunnelsActive: 0, bytesFromUpstream: 8 })
})

t.test('Host is that of the address asked for, whatever the client wrote', async (t) => {
  const host = await startHost(t, (request, response) => response.end(request.headers.host))
  const proxy = await startProxy(t, host.port)
  for (const written of ['evil.example', 'contoso.azurecr.io', '127.0.0.1', 'crl3.digicert.com:8080', '']) {
    const { body } = await proxy.ask(`GET http://ocsp.digicert.com/ HTTP/1.1\r\nHost: ${written}\r\n\r\n`)
    t.match(body, 'ocsp.digicert.com', JSON.stringify(written))
  }
  t.same(new Set(host.requests.map(({ headers }) => headers.host)), new Set(['ocsp.digicert.com']))
})

t.test('OCSP is asked by POST, its bytes unchanged, and HEAD brings no content', async (t) => {
  const question = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
  const host = await startHost(t, (request, response) => {
    response.setHeader('content-type', 'application/ocsp-response')
    request.pipe(response)
  })
  const proxy = await startProxy(t, host.port)
  const head = 'POST http://ocsp.digicert.com/ HTTP/1.1\r\nHost: ocsp.digicert.com\r\nContent-Type: application/ocsp-request\r\n' +
    `Content-Length: ${question.length}\r\n`
  const client = await proxy.connect()
  client.send(`${head}Expect: 100-continue\r\n\r\n`)
  t.equal(await client.receiveHead(), 'HTTP/1.1 100 Continue\r\n\r\n')
  client.send(question)
  const { bytes } = await client.ended
  t.equal(parseAnswer(bytes).status, 200)
  t.ok(bytes.includes(question))
  const headers = await proxy.ask('HEAD http://crl3.digicert.com/a.crl HTTP/1.1\r\nHost: a\r\n\r\n')
  t.equal(headers.status, 200)
  t.equal(headers.body, '')
})

t.test('where a password is asked for it is asked for here too, and goes no further', async (t) => {
  const host = await startHost(t, (_request, response) => { response.end('the list') })
  const proxy = await startProxy(t, host.port, {
    decideUser: async (_client, authorization) => authorization === 'Basic YTpi'
      ? { allow: true, user: 'a' }
      : deny(refuse('proxy_auth_required', 'who is it', 'Say so.')),
  })
  const two = 'Proxy-Authorization: Basic YTpi\r\nProxy-Authorization: Basic YTpi\r\n'
  for (const headers of ['', 'Proxy-Authorization: Basic YTpj\r\n', 'Authorization: Basic YTpi\r\n', two]) {
    const { status, headers: answered, how } = await proxy.ask(get(headers))
    t.match({ status, answered, how }, { status: 407, answered: { connection: 'close', 'proxy-authenticate': /^Basic / }, how: 'end' })
  }
  t.equal(host.requests.length, 0)
  t.match(await proxy.ask(get('Proxy-Authorization: Basic YTpi\r\n')), { status: 200, body: /the list/ })
  t.equal(host.requests[0]?.headers['proxy-authorization'], undefined)
  await waitUntil(() => proxy.lines.length === 5, 'the lines of the log')
  t.match(proxy.lines.at(-1), { event: 'tunnel_ended', user: 'a' })
})

t.test('a redirect is passed on and not followed', async (t) => {
  const host = await startHost(t, (_request, response) => {
    response.writeHead(302, { location: 'http://169.254.169.254/metadata' }).end()
  })
  const proxy = await startProxy(t, host.port)
  const answer = await proxy.ask(get())
  t.match(answer, { status: 302, headers: { location: 'http://169.254.169.254/metadata' } })
  t.equal(host.requests.length, 1)
})

t.test('whatever could be read in two ways, or holds more than a question, is refused and reaches nobody', async (t) => {
  const host = await startHost(t, (_request, response) => response.end())
  const proxy = await startProxy(t, host.port)
  const post = (headers: string, body = ''): string => {
    return `POST http://ocsp.digicert.com/ HTTP/1.1\r\nHost: a\r\n${headers}\r\n${body}`
  }
  const ocsp = 'Content-Type: application/ocsp-request\r\n'
  const table: ReadonlyArray<readonly [what: string, bytes: string, reason: string]> = [
    ['length and chunks', post(`${ocsp}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n`, '0\r\n\r\n'), 'bad_request'],
    ['chunks', post(`${ocsp}Transfer-Encoding: chunked\r\n`, '1\r\na\r\n0\r\n\r\n'), 'bad_request'],
    ['chunks, spelt oddly', post(`${ocsp}Transfer-Encoding: \tchunked\r\n`, '0\r\n\r\n'), 'bad_request'],
    ['another coding', post(`${ocsp}Transfer-Encoding: gzip, chunked\r\n`, '0\r\n\r\n'), 'bad_request'],
    ['identity', post(`${ocsp}Transfer-Encoding: identity\r\nContent-Length: 1\r\n`, 'a'), 'bad_request'],
    ['two lengths', post(`${ocsp}Content-Length: 1\r\nContent-Length: 2\r\n`, 'ab'), 'bad_request'],
    ['a list of lengths', post(`${ocsp}Content-Length: 1, 1\r\n`, 'a'), 'bad_request'],
    ['a signed length', post(`${ocsp}Content-Length: +1\r\n`, 'a'), 'bad_request'],
    ['a hexadecimal length', post(`${ocsp}Content-Length: 0x1\r\n`, 'a'), 'bad_request'],
    ['a space before the colon', post(`${ocsp}Content-Length : 1\r\n`, 'a'), 'bad_request'],
    ['a folded header', post(`${ocsp}X: a\r\n b\r\n`), 'bad_request'],
    ['a bare line feed', get('X: a\nY: b\r\n'), 'bad_request'],
    ['a bare carriage return', get('X: a\rY: b\r\n'), 'bad_request'],
    ['a NUL', get('X: a\0b\r\n'), 'bad_request'],
    ['two Hosts', get('Host: b\r\n'), 'bad_request'],
    ['GET with content', get('Content-Length: 5\r\n'), 'bad_request'],
    ['POST of something else', post('Content-Type: text/plain\r\nContent-Length: 1\r\n', 'a'), 'bad_request'],
    ['POST without a type', post('Content-Length: 1\r\n', 'a'), 'bad_request'],
    ['more content than a question', post(`${ocsp}Content-Length: 65537\r\n`), 'content_too_large'],
    ['content without end', post(`${ocsp}Content-Length: 999999999999999\r\n`), 'content_too_large'],
    ['PUT', 'PUT http://crl3.digicert.com/ HTTP/1.1\r\nHost: a\r\n\r\n', 'method_not_allowed'],
    ['TRACE', 'TRACE http://crl3.digicert.com/ HTTP/1.1\r\nHost: a\r\n\r\n', 'method_not_allowed'],
    ['PROPFIND', 'PROPFIND http://crl3.digicert.com/ HTTP/1.1\r\nHost: a\r\n\r\n', 'method_not_allowed'],
    ['a path', get('', '/a.crl'), 'method_not_allowed'],
    ['another scheme', get('', 'ftp://crl3.digicert.com/'), 'method_not_allowed'],
    ['another port', get('', 'http://crl3.digicert.com:8080/'), 'port_not_allowed'],
    ['a registry', get('', 'http://contoso.azurecr.io/v2/'), 'method_not_allowed'],
    ['the metadata service', get('', 'http://169.254.169.254/metadata'), 'ip_literal_not_allowed'],
    ['user information', get('', 'http://crl3.digicert.com@evil.example/'), 'bad_request'],
  ]
  for (const [what, bytes, reason] of table) t.equal((await proxy.ask(bytes)).reason, reason, what)
  const huge = await proxy.ask(get(`X: ${'a'.repeat(20_000)}\r\n`))
  t.equal(huge.status, 400, 'a huge header')
  t.equal(host.requests.length, 0)
  t.equal(proxy.tunnels.size, 0)
})

t.test('a second request behind the first gets no answer, also when it is hidden in the content', async (t) => {
  const host = await startHost(t, (request, response) => {
    request.resume().once('end', () => response.end(request.url))
  })
  const proxy = await startProxy(t, host.port)
  const pipelined = await proxy.ask(get() + get('', 'http://crl4.digicert.com/second'))
  t.match(pipelined.body, '/a.crl')
  t.notMatch(pipelined.body, /second|HTTP\/1/)
  const hidden = get('', 'http://crl4.digicert.com/hidden')
  await proxy.ask('POST http://ocsp.digicert.com/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/ocsp-request\r\n' +
    `Content-Length: ${hidden.length}\r\n\r\n${hidden}`)
  t.same(host.requests.map(({ url }) => url), ['/a.crl', '/'])
})

t.test('what is wrong before the answer is told by its reason', async (t) => {
  const table: ReadonlyArray<readonly [what: string, bytes: string, reason: string]> = [
    ['nothing', '', 'answer_failed'],
    ['no HTTP', 'SSH-2.0-OpenSSH\r\n', 'answer_failed'],
    ['half a head', 'HTTP/1.1 200 OK\r\nX: ', 'answer_failed'],
    ['a head without bound', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(100_000)}`, 'answer_failed'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', 'answer_failed'],
    ['length and chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'answer_failed'],
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: evil\r\n\r\n', 'answer_failed'],
    ['a promise of too much', 'HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n', 'answer_too_large'],
  ]
  for (const [what, bytes, reason] of table) {
    const upstream = await startUpstream(t, (socket) => {
      socket.once('data', () => socket.end(bytes, 'latin1'))
    })
    const proxy = await startProxy(t, upstream.port)
    const answer = await proxy.ask(get())
    t.equal(answer.reason, reason, what)
    t.equal(proxy.tunnels.size, 0)
  }
})

t.test('an answer that is cut short ends by a reset, and no client takes it for the whole', async (t) => {
  const table = ['HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n']
  for (const bytes of table) {
    const upstream = await startUpstream(t, (socket) => {
      socket.once('data', () => socket.end(bytes, 'latin1'))
    })
    const proxy = await startProxy(t, upstream.port)
    const answer = await proxy.ask(get())
    t.equal(answer.how, 'reset')
    await waitUntil(() => proxy.lines.length > 0, 'the line of the log')
    t.match(proxy.lines, [{ event: 'tunnel_ended', end: 'upstream_reset' }])
    t.equal(proxy.tunnels.size, 0)
  }
})

t.test('a client that goes ends the asking, before the answer and in it', async (t) => {
  for (const beginning of ['', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart']) {
    const upstream = await startUpstream(t)
    const proxy = await startProxy(t, upstream.port)
    const client = await proxy.connect()
    client.send(get())
    const asked = await upstream.nextConnection()
    await once(asked, 'data')
    if (beginning !== '') {
      asked.write(beginning)
      await client.receive(10)
    }
    const left = once(asked, 'end')
    client.reset()
    await left
    await waitUntil(() => proxy.tunnels.size === 0, 'the place to be given back')
    t.match(proxy.lines, [{ end: beginning === '' ? 'client_gone' : 'client_reset' }])
  }
})

t.test('the gateway that stops resets what is being fetched', async (t) => {
  const upstream = await startUpstream(t)
  const proxy = await startProxy(t, upstream.port)
  const client = await proxy.connect()
  client.send(get())
  const asked = await upstream.nextConnection()
  asked.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart')
  await client.receive(10)
  const [place] = proxy.tunnels.list()
  t.ok((place?.relay?.idleMs() ?? -1) >= 0)
  proxy.tunnels.stopAll()
  t.equal((await client.ended).how, 'reset')
  await proxy.tunnels.whenEmpty()
  t.match(proxy.lines, [{ event: 'tunnel_ended', end: 'stopped' }])
})
