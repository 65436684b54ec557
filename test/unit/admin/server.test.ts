import { EventEmitter, once } from 'node:events'
import { Agent, request, type IncomingHttpHeaders, type RequestOptions } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { createAdminServer, type AdminOptions, type AdminServer } from '../../../src/admin/server.ts'
import type { AdminSources, StatusView, TunnelView } from '../../../src/admin/views.ts'

const status: StatusView = {
  version: '1.2.3',
  startedAt: '2026-01-02T03:04:05.000Z',
  uptimeSeconds: 60,
  state: 'serving',
  readiness: { ready: true, checks: [] },
  listeners: [{ address: '0.0.0.0:443', tls: false }],
  relayEngine: 'stream',
  allowed: [{ class: 'login', host: 'contoso.azurecr.io', registry: 'contoso.azurecr.io', region: '' }],
  tunnels: { active: 0, total: 0 },
  bytes: { fromClient: 0, fromUpstream: 0 },
  refusals: { total: 0, byReason: [], recent: [] },
  dns: { servers: ['127.0.0.1:53'], cacheEntries: 0 },
  upstream: { via: 'direct', parent: '', resolver: 'gateway' },
}

const sources: AdminSources = {
  metrics: async () => ({ contentType: 'text/plain; version=0.0.4; charset=utf-8', body: 'acr_egress_up 1\n' }),
  readiness: async () => ({ ready: true, checks: [{ name: 'listening', ok: true, detail: '0.0.0.0:443' }] }),
  status: () => status,
  tunnels: () => ['a', 'b', 'c'].map(describeTunnel),
  explain: async (target) => ({ target, decision: 'allow' }),
  sightings: () => ({ version: 1 }),
  migration: async () => ({ neededDays: 14 }),
  wouldRefuse: () => ({ mode: 'report' }),
}

const securityHeaders = {
  'content-security-policy': "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  'cross-origin-resource-policy': 'same-origin',
  server: 'acr-egress/1.2.3',
}

const endpoints = [
  '/', '/api/explain', '/api/migration', '/api/sightings', '/api/status', '/api/tunnels', '/api/would-refuse', '/healthz', '/icon.svg', '/metrics', '/page.css', '/page.js', '/readyz',
]

t.test('every endpoint answers GET, and HEAD with the same headers and no body', async (t) => {
  const { ask } = await startServer(t)
  const expected: readonly (readonly [path: string, contentType: RegExp, body: RegExp])[] = [
    ['/', /^text\/html; charset=utf-8$/, /<!doctype html>/],
    ['/page.css', /^text\/css; charset=utf-8$/, /prefers-color-scheme/],
    ['/page.js', /^text\/javascript; charset=utf-8$/, /\/api\/status/],
    ['/icon.svg', /^image\/svg\+xml$/, /<svg/],
    ['/metrics', /^text\/plain; version=0\.0\.4; charset=utf-8$/, /^acr_egress_up 1\n$/],
    ['/healthz', /^application\/json/, /^\{"status":"ok"\}$/],
    ['/readyz', /^application\/json/, /"ready":true/],
    ['/api/status', /^application\/json/, /"contoso\.azurecr\.io"/],
    ['/api/tunnels', /^application\/json/, /"total":3/],
    ['/api/explain?target=contoso.azurecr.io', /^application\/json/, /"target":"contoso\.azurecr\.io"/],
    ['/api/sightings', /^application\/json/, /^\{"version":1\}$/],
    ['/api/migration', /^application\/json/, /"neededDays":14/],
    ['/api/would-refuse', /^application\/json/, /"mode":"report"/],
  ]
  for (const [path, contentType, body] of expected) {
    const answer = await ask(path)
    t.equal(answer.status, 200, path)
    t.match(answer.headers['content-type'], contentType, `${path} has its media type`)
    t.match(answer.body, body, `${path} has its body`)
    const head = await ask(path, { method: 'HEAD' })
    t.equal(head.status, 200, `HEAD ${path}`)
    t.equal(head.body, '', `HEAD ${path} has no body`)
    t.equal(head.headers['content-length'], answer.headers['content-length'], `HEAD ${path} tells the length`)
  }
})

t.test('every answer, good or bad, has the security headers', async (t) => {
  const { ask, askRaw } = await startServer(t, { sources: { ...sources, metrics: async () => { throw new Error('x') } } })
  const answers = [
    ...await Promise.all(endpoints.map((path) => ask(path))),
    await ask('/nowhere'),
    await ask('/%zz'),
    await ask('/metrics', { method: 'POST' }),
    await ask('/', { headers: { host: 'evil.example' } }),
    await ask('/', { headers: { 'sec-fetch-site': 'cross-site' } }),
    await ask('/', { headers: { expect: 'miracles' } }),
    parseAnswer(await askRaw('GET / HTTP/1.1\r\n\r\n')),
    parseAnswer(await askRaw('\x16\x03\x01\r\n\r\n')),
    parseAnswer(await askRaw('CONNECT contoso.azurecr.io:443 HTTP/1.1\r\nHost: contoso.azurecr.io:443\r\n\r\n')),
  ]
  for (const { status, headers } of answers) t.match(headers, securityHeaders, `${status}`)
  t.same(
    [...new Set(answers.map(({ status }) => status))].sort(),
    [200, 400, 403, 404, 405, 421, 500],
    'the answers were of every kind',
  )
})

t.test('/readyz answers 503 and says which check fails', async (t) => {
  const readiness = { ready: false, checks: [{ name: 'name service', ok: false, detail: 'no answer' }] }
  const { ask } = await startServer(t, { sources: { ...sources, readiness: async () => readiness } })
  const answer = await ask('/readyz')
  t.equal(answer.status, 503)
  t.same(JSON.parse(answer.body), readiness)
})

t.test('/api/tunnels gives the newest when there is a limit, and refuses a limit that is not one number', async (t) => {
  const { ask } = await startServer(t)
  const listed = async (query: string) => {
    const { total, tunnels } = JSON.parse((await ask(`/api/tunnels${query}`)).body) as { total: number, tunnels: TunnelView[] }
    return [total, tunnels.map(({ id }) => id).join('')]
  }
  t.same(await listed(''), [3, 'abc'])
  t.same(await listed('?limit=2'), [3, 'bc'])
  t.same(await listed('?limit=99'), [3, 'abc'])
  t.same(await listed('?limit=0'), [3, ''])
  for (const query of ['?limit=', '?limit=-1', '?limit=x', '?limit=1&limit=2', '?limit=1e3', '?limit=10000000']) {
    t.equal((await ask(`/api/tunnels${query}`)).status, 400, query)
  }
})

t.test('/api/explain wants one target of a length that a host and port can have', async (t) => {
  const asked: string[] = []
  const { ask } = await startServer(t, {
    sources: { ...sources, explain: async (target) => { asked.push(target); return 'as a string' } },
  })
  for (const query of ['', '?target=', '?target=a&target=b', '?other=a', `?target=${'a'.repeat(261)}`]) {
    const answer = await ask(`/api/explain${query}`)
    t.equal(answer.status, 400, query)
    t.match(JSON.parse(answer.body), { status: 400, detail: /\?target=HOST/ })
  }
  t.same(asked, [], 'none of these is passed on')
  t.equal((await ask(`/api/explain?target=${'a'.repeat(260)}`)).status, 200)
  t.equal((await ask('/api/explain?target=a%3A443')).body, '"as a string"', 'any JSON value may be the answer')
  t.equal(asked[1], 'a:443')
})

t.test('a Host that is a name of others is misdirected', async (t) => {
  const { ask, port } = await startServer(t, { names: ['Gateway.Corp.example'] })
  const hosts = [
    'evil.example', `evil.example:${port}`, 'localhost.evil.example', '127.0.0.1.evil.example', 'corp.example',
    '[evil]', 'localhost:80:80', 'localhost:x', 'user@localhost', 'localhost/', '127.1', ' ',
  ]
  for (const host of hosts) {
    const answer = await ask('/healthz', { headers: { host } })
    t.equal(answer.status, 421, `"${host}"`)
    t.match(JSON.parse(answer.body), { status: 421, title: 'Misdirected Request', detail: /admin\.names/ })
  }
})

t.test('localhost, an IP address, and a configured name are its own, with any port or none', async (t) => {
  const { ask, port } = await startServer(t, { names: ['Gateway.Corp.example'] })
  const hosts = [
    'localhost', `localhost:${port}`, 'LOCALHOST', 'localhost.', 'localhost.:80', '127.0.0.1', '127.0.0.1:9180', '192.0.2.1:80',
    '[::1]', '[2001:DB8::1]:9180', 'gateway.corp.example', 'GATEWAY.corp.example.:9180',
  ]
  for (const host of hosts) t.equal((await ask('/healthz', { headers: { host } })).status, 200, host)
})

t.test('a request must have one Host, unless it is of HTTP/1.0', async (t) => {
  const { askRaw } = await startServer(t)
  t.match(await askRaw('GET /healthz HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 400 .*RFC 9112/s)
  t.match(await askRaw('GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n'), /^HTTP\/1\.1 400 /)
  t.match(await askRaw('GET /healthz HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 200 /)
  t.match(await askRaw('GET /healthz HTTP/1.0\r\nHost: evil.example\r\n\r\n'), /^HTTP\/1\.1 421 /)
})

t.test('what another site asks for is refused, but a link to the page may be followed', async (t) => {
  const { ask } = await startServer(t)
  const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
  for (const path of endpoints) {
    const answer = await ask(path, { headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' } })
    t.equal(answer.status, 403, path)
    t.equal((await ask(path, { headers: link })).status, path === '/' ? 200 : 403, `a link to ${path}`)
  }
  t.equal((await ask('/', { headers: { ...link, 'sec-fetch-dest': 'iframe' } })).status, 403, 'a frame')
  t.equal((await ask('/api/status', { headers: { 'sec-fetch-site': 'same-origin' } })).status, 200, 'the page itself')
})

t.test('an unknown path is 404, and the answer lists those there are', async (t) => {
  const { ask } = await startServer(t)
  for (const path of ['/nowhere', '/metrics/', '/api', '/page/page.js', '/../package.json', '/%2e%2e/server.ts']) {
    const answer = await ask(path)
    t.equal(answer.status, 404, path)
    t.equal(answer.headers['content-type'], 'application/problem+json; charset=utf-8', `${path} is a problem document`)
    t.match(JSON.parse(answer.body), { type: 'about:blank', title: 'Not Found', status: 404, endpoints })
  }
  t.equal((await ask('/nowhere', { method: 'POST' })).status, 404, 'whatever the method')
})

t.test('a method that is not a read is 405, whatever the body', async (t) => {
  const { ask } = await startServer(t)
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND']) {
    const answer = await ask('/api/status', { method, headers: { 'content-type': 'text/odd' } })
    t.equal(answer.status, 405, method)
    t.equal(answer.headers.allow, 'GET, HEAD')
    t.equal(answer.headers.connection, 'close')
    t.equal(answer.headers['content-type'], 'application/problem+json; charset=utf-8')
  }
})

t.test('someone who takes it for the proxy is told where the proxy is', async (t) => {
  const { askRaw } = await startServer(t)
  const answer = await askRaw('CONNECT contoso.azurecr.io:443 HTTP/1.1\r\nHost: contoso.azurecr.io:443\r\n\r\n')
  t.match(answer, /^HTTP\/1\.1 405 .*HTTPS_PROXY.*`listen`/s)
})

t.test('a request that cannot be parsed is answered as a problem, and the connection is closed', async (t) => {
  const { askRaw } = await startServer(t)
  t.match(await askRaw('\x16\x03\x01\x02\x00\x01\x00\r\n'), /^HTTP\/1\.1 400 .*Use http:\/\//s, 'TLS')
  t.match(await askRaw(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(9000)}\r\n\r\n`), /^HTTP\/1\.1 431 .*8192/s)
  t.match(await askRaw('GET /%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 400 .*percent/s)
})

t.test('a source that fails is answered with 500 without its text, which goes to the log', async (t) => {
  const lines: string[] = []
  const logger = pino({}, { write: (line: string) => { lines.push(line) } })
  const fail = () => { throw new Error('secret of the source') }
  const failing = {
    metrics: fail,
    readiness: fail,
    status: fail,
    tunnels: fail,
    explain: fail,
    sightings: fail,
    migration: fail,
    wouldRefuse: fail,
  }
  const { ask } = await startServer(t, { sources: failing, logger })
  lines.length = 0
  const paths = [
    '/metrics', '/readyz', '/api/status', '/api/tunnels', '/api/explain?target=a', '/api/sightings', '/api/migration', '/api/would-refuse',
  ]
  for (const path of paths) {
    const answer = await ask(path)
    t.equal(answer.status, 500, path)
    t.equal(answer.headers['content-type'], 'application/problem+json; charset=utf-8')
    t.notMatch(answer.body, /secret/)
  }
  await ask('/healthz')
  t.equal(lines.length, paths.length, 'requests are not logged, failures are')
  t.match(lines[0], /secret of the source/)
})

t.test('a source that is late is answered with 503 and one line of the log, and what it still brings is dropped', async (t) => {
  const lines: string[] = []
  const logger = pino({}, { write: (line: string) => { lines.push(line) } })
  const late: Array<() => void> = []
  const wait = async (): Promise<void> => { await new Promise<void>((resolve) => { late.push(resolve) }) }
  const slow: AdminSources = {
    ...sources,
    async metrics () {
      await wait()
      return await sources.metrics()
    },
    async readiness () {
      await wait()
      return await sources.readiness()
    },
    async explain () {
      await wait()
      throw new Error('secret of the source')
    },
  }
  const { ask } = await startServer(t, { sources: slow, logger, sourceTimeoutMs: 20 })
  for (const path of ['/metrics', '/readyz', '/api/explain?target=a']) {
    lines.length = 0
    const answer = await ask(path)
    t.equal(answer.status, 503, path)
    t.match(JSON.parse(answer.body), { status: 503, detail: /took too long .* see its log/ })
    for (const finish of late.splice(0)) finish()
    t.equal((await ask('/healthz')).status, 200)
    t.equal(lines.length, 1, 'one line')
    t.match(JSON.parse(String(lines[0])), { level: 40, path: path.replace(/\?.*/, ''), msg: 'an admin request took too long' })
    t.notMatch(lines[0], /"stack"|secret/)
  }
})

t.test('a port that is taken rejects with EADDRINUSE, and the server can still be closed', async (t) => {
  const { port } = await startServer(t)
  const second = createAdminServer({ address: '127.0.0.1', port, names: [], sources, version: '1' })
  await t.rejects(second.start(), { code: 'EADDRINUSE', port })
  await second.close()
})

t.test('close() ends open connections at once, also one whose answer a source keeps back, and may be called twice', async (t) => {
  const events = new EventEmitter()
  const metrics = () => {
    events.emit('asked')
    return new Promise<never>(() => {})
  }
  const { server, port, ask } = await startServer(t, { sources: { ...sources, metrics } })
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => { agent.destroy() })
  t.equal((await ask('/healthz', { agent })).headers.connection, 'keep-alive')
  const silent = connect(port, '127.0.0.1').resume()
  await once(silent, 'connect')
  const isAsked = once(events, 'asked')
  const kept = t.rejects(ask('/metrics'), { code: 'ECONNRESET' })
  await isAsked
  const isSilentClosed = once(silent, 'close')
  const startedAt = performance.now()
  await server.close()
  await Promise.all([isSilentClosed, kept])
  await server.close()
  t.ok(performance.now() - startedAt < 1000, 'sooner than any timeout')
  await t.rejects(ask('/healthz'), { code: 'ECONNREFUSED' })
})

t.test('no more than 256 connections are held', async (t) => {
  const { port, ask } = await startServer(t)
  const sockets = Array.from({ length: 256 }, () => connect(port, '127.0.0.1'))
  t.teardown(() => { for (const socket of sockets) socket.destroy() })
  await Promise.all(sockets.map((socket) => once(socket, 'connect')))
  await t.rejects(ask('/healthz'), { code: 'ECONNRESET' })
  const [first] = sockets
  first?.end('GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  t.match(first === undefined ? '' : await text(first), /^HTTP\/1\.1 200 /, 'those that are go on')
})

t.test('a server that never started closes', async () => {
  await createAdminServer({ address: '127.0.0.1', port: 0, names: [], sources, version: '1' }).close()
})

t.test('it listens on IPv6', async (t) => {
  const { port, address, ask } = await startServer(t, { address: '::1' })
  t.equal(address, '::1')
  t.equal((await ask('/healthz', { host: '::1', headers: { host: `[::1]:${port}` } })).status, 200)
})

t.test('the address as it is configured is its own', async (t) => {
  const { ask, address } = await startServer(t, { address: '127.1' })
  t.equal(address, '127.0.0.1')
  t.equal((await ask('/healthz', { headers: { host: '127.1:9180' } })).status, 200)
})

t.test('the page loads nothing but its own files, and stays small', async (t) => {
  const { ask } = await startServer(t)
  const files = await Promise.all(['/', '/page.css', '/page.js', '/icon.svg'].map(async (path) => (await ask(path)).body))
  const [html = '', css = '', script = ''] = files
  t.ok(files.join('').length < 40_000, 'under 40 kB')
  t.notMatch(html, /\son\w+=|style=|<script(?![^>]*src=)/, 'nothing inline, which its policy would stop')
  t.notMatch(html + css + script, /https?:\/\/|@import|url\(/, 'nothing from elsewhere')
  t.notMatch(script, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b/, 'data is never markup')
  for (const [, path] of html.matchAll(/(?:src|href)="(\/[^"]*)"/g)) {
    t.equal((await ask(path ?? '')).status, 200, `${path} exists`)
  }
  const ids = new Set([...html.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id))
  for (const [, id] of script.matchAll(/(?:byId|show)\('([^']+)'/g)) t.ok(ids.has(id), `#${id} is in the page`)
})

// ---- Support

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

interface Started {
  readonly server: AdminServer
  readonly address: string
  readonly port: number
  ask (path: string, options?: RequestOptions): Promise<Answer>
  /** Sends text as it is and resolves with all that comes back. */
  askRaw (request: string): Promise<string>
}

async function startServer (t: Test, options: Partial<AdminOptions> = {}): Promise<Started> {
  const server = createAdminServer({ address: '127.0.0.1', port: 0, names: [], sources, version: '1.2.3', ...options })
  t.teardown(() => server.close())
  const { address, port } = await server.start()
  return {
    server,
    address,
    port,
    ask: async (path, options = {}) => {
      const client = request({ host: '127.0.0.1', port, path, agent: false, ...options })
      client.end()
      const [response] = await once(client, 'response')
      return { status: response.statusCode, headers: response.headers, body: await text(response) }
    },
    askRaw: async (request) => {
      const socket = connect(port, '127.0.0.1')
      socket.end(request)
      return text(socket)
    },
  }
}

function parseAnswer (raw: string): Answer {
  const [head = '', body = ''] = raw.split('\r\n\r\n')
  const [statusLine = '', ...fields] = head.split('\r\n')
  const headers = Object.fromEntries(fields.map((field) => field.split(': ', 2).map((part, index) => (
    index === 0 ? part.toLowerCase() : part
  ))))
  return { status: Number(statusLine.split(' ')[1]), headers, body }
}

function describeTunnel (id: string): TunnelView {
  return {
    id,
    client: '192.0.2.1:50000',
    target: 'contoso.azurecr.io:443',
    class: 'login',
    registry: 'contoso.azurecr.io',
    region: '',
    address: '198.51.100.1',
    parent: '',
    startedAt: '2026-01-02T03:04:05.000Z',
    ageSeconds: 1,
    idleSeconds: 0,
    bytesFromClient: 1,
    bytesFromUpstream: 2,
  }
}
