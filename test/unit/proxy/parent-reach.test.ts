import { once } from 'node:events'
import { type Socket, createServer } from 'node:net'
import { text as readAll } from 'node:stream/consumers'
import { createSecureContext, createServer as createTlsServer } from 'node:tls'
import t, { type Test } from 'tap'
import { type Destination, LookupError, type Names } from '../../../src/dns/names.ts'
import { listenOnLoopback } from '../../../src/lab/loopback.ts'
import { knownHostName } from '../../../src/net/host-name.ts'
import type { ProxyUrl } from '../../../src/net/proxy-url.ts'
import { describeFailure } from '../../../src/proxy/failure.ts'
import { type ParentReachOptions, createParentReach } from '../../../src/proxy/parent-reach.ts'
import { ParentError } from '../../../src/proxy/parent.ts'
import type { PermittedName, Reach } from '../../../src/proxy/reach.ts'
import { createSlowTargets } from '../../../src/proxy/slow-targets.ts'
import type { Refusal } from '../../../src/refusal/reasons.ts'
import { startFullListener } from '../../support/full-listener.ts'
import { issueProxyCertificate } from '../../support/proxy-certificate.ts'
import { startUpstream } from '../../support/upstream.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { findRule, policyOver, readAddress } from '../policy/sources.ts'

const policy = policyOver([{ loginServer: 'contoso.azurecr.io', privateEndpoints: ['10.1.2.0/24'] }])
const host = knownHostName('contoso.azurecr.io')
const name: PermittedName = { policy, rule: findRule(policy, host), authority: { host, port: 443 } }
const never = new AbortController().signal
const certificate = await issueProxyCertificate()
const stranger = await issueProxyCertificate()
const secureContext = createSecureContext({ ca: certificate.ca })

/** A parent that says the same to each, or what `speak` makes of the target; and what it was asked. */
async function startParent (t: Test, speak: string | ((target: string, socket: Socket) => void)) {
  const heads: string[] = []
  let open = 0
  const parent = await startUpstream(t, (socket) => {
    open++
    socket.once('close', () => { open-- })
    socket.once('end', () => socket.end())
    socket.once('data', (bytes: Buffer) => {
      const head = bytes.toString('latin1')
      heads.push(head)
      if (typeof speak === 'string') socket.end(speak, 'latin1')
      else speak(head.split(' ')[1] ?? '', socket)
    })
  })
  return {
    port: parent.port,
    heads,
    get targets () { return heads.map((head) => head.split(' ')[1]) },
    get open () { return open },
  }
}

function urlTo (port: number, more: Partial<ProxyUrl> = {}): ProxyUrl {
  return { scheme: 'http', host: '127.0.0.1', port, ...more }
}

const noNames: Names['lookup'] = async (asked) => { throw new TypeError(`${asked} was looked up`) }

function createReach (
  url: ProxyUrl, lookup: Names['lookup'] = noNames, more: Partial<ParentReachOptions> = {},
): Reach {
  const parent = { url, pseudonym: 'acr-egress-1', ...url.scheme === 'http' ? {} : { secureContext } }
  return createParentReach({ parent, names: { lookup }, slowTargets: createSlowTargets(), resolver: 'parent', ...more })
}

function listed (...texts: readonly string[]): Names['lookup'] {
  return async () => texts.map((text): Destination => ({ address: readAddress(text) }))
}

/** What a client would be told; the error is one of the parent, or as the rest of the gateway has them. */
async function refusalOf (opening: Promise<unknown>): Promise<Refusal> {
  const error = await opening.then(() => undefined, (caught: unknown) => caught)
  return describeFailure(error, `${host}:443`).refusal
}

t.test('the parent is asked for the name, and nobody else is asked anything', async (t) => {
  const parent = await startParent(t, 'HTTP/1.1 200 OK\r\n\r\nearly bytes')
  const attempts: string[] = []
  const reach = createReach(urlTo(parent.port), noNames, { onAttempt: (outcome) => { attempts.push(outcome) } })
  const { end, upstream, proxy } = await reach.open(name, never)
  t.same(upstream, { parent: `127.0.0.1:${parent.port}`, resolvedBy: 'parent' })
  t.equal(proxy, undefined)
  t.equal(end.stream, end.socket, 'a plain socket, which the kernel can carry')
  t.equal(parent.heads.join(), `CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}:443\r\nVia: 1.1 acr-egress-1\r\nConnection: close\r\n\r\n`)
  t.equal(await readAll(end.stream), 'early bytes')
  t.same(attempts, ['connected'])
})

t.test('user and password go to the parent as Basic, and are in no error', async (t) => {
  const parent = await startParent(t, 'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n')
  const reach = createReach(urlTo(parent.port, { credentials: { user: 'gate', password: 'pä:xyzzy' } }))
  const error = await reach.open(name, never).then(() => undefined, (caught: unknown) => caught)
  t.match(parent.heads[0], `\r\nProxy-Authorization: Basic ${Buffer.from('gate:pä:xyzzy').toString('base64')}\r\n`)
  t.ok(error instanceof ParentError)
  t.notMatch(String(error) + JSON.stringify(describeFailure(error, `${host}:443`).refusal), /gate|xyzzy|Basic [A-Za-z0-9+/=]{8}/)
})

t.test('the name of the parent is looked up as all names are, and its addresses are judged by no rule', async (t) => {
  const parent = await startParent(t, 'HTTP/1.1 200 OK\r\n\r\n')
  const asked: string[] = []
  const url = urlTo(parent.port, { host: 'proxy.corp.example' })
  // Two addresses that no registry may have; the port of a static host takes the place of the URL's.
  const { end, upstream } = await createReach({ ...url, port: 1 }, async (looked) => {
    asked.push(looked)
    return [{ address: readAddress('127.9.9.9'), port: 1 }, { address: readAddress('127.0.0.1'), port: parent.port }]
  }).open(name, never)
  end.stream.destroy()
  t.same(asked, ['proxy.corp.example'])
  t.match(upstream, { parent: `127.0.0.1:${parent.port}` })
})

t.test('of the parent\'s addresses those of the gateway itself are passed over, and a parent that has none other is not dialled', async (t) => {
  const parent = await startParent(t, 'HTTP/1.1 200 OK\r\n\r\n')
  const url = urlTo(parent.port, { host: 'proxy.corp.example' })
  const leadsBack = (address: string, port: number): boolean => address === '127.0.0.2' && port === parent.port
  const mixed = await createReach(url, listed('127.0.0.2', '127.0.0.1'), { leadsBack }).open(name, never)
  mixed.end.stream.destroy()
  t.match(mixed.upstream, { parent: `127.0.0.1:${parent.port}` })
  t.match(await refusalOf(createReach(url, listed('127.0.0.2'), { leadsBack }).open(name, never)), {
    reason: 'loop_detected', detail: 'the parent proxy proxy.corp.example is at 127.0.0.2, where this gateway listens itself',
  })
  t.equal(parent.heads.length, 1)
})

t.test('with resolve: gateway the parent is asked for addresses that were judged, and for none other', async (t) => {
  const lookup = listed('2603:1030::5', '10.9.9.9', '20.1.2.3', '169.254.169.254', '10.1.2.3')
  await t.test('the first IPv4 address, with the ground for it', async (t) => {
    const parent = await startParent(t, 'HTTP/1.1 200 OK\r\n\r\n')
    const { end, upstream } = await createReach(urlTo(parent.port), lookup, { resolver: 'gateway' }).open(name, never)
    end.stream.destroy()
    t.same(parent.targets, ['20.1.2.3:443'])
    t.match(parent.heads[0], '\r\nHost: 20.1.2.3:443\r\n')
    t.same(upstream, { address: '20.1.2.3:443', parent: `127.0.0.1:${parent.port}`, resolvedBy: 'gateway' })
  })

  await t.test('the next one when the parent has no connection, IPv6 in brackets; those that failed come last from then on', async (t) => {
    const statuses: Record<string, number> = { '20.1.2.3:443': 503, '10.1.2.3:443': 504 }
    const parent = await startParent(t, (target, socket) => socket.end(`HTTP/1.1 ${statuses[target] ?? 200} x\r\n\r\n`))
    const reach = createReach(urlTo(parent.port), lookup, { resolver: 'gateway' })
    for (let round = 0; round < 2; round++) (await reach.open(name, never)).end.stream.destroy()
    t.same(parent.targets, ['20.1.2.3:443', '10.1.2.3:443', '[2603:1030::5]:443', '[2603:1030::5]:443'])
    await waitUntil(async () => parent.open === 0, 'every connection to the parent to be closed')
  })

  await t.test('and is not asked for the next one when it refuses for another reason', async (t) => {
    for (const status of [403, 407, 500, 302]) {
      const parent = await startParent(t, `HTTP/1.1 ${status} no\r\n\r\n`)
      const refusal = await refusalOf(createReach(urlTo(parent.port), lookup, { resolver: 'gateway' }).open(name, never))
      t.match(refusal, { reason: 'parent_refused', detail: `the parent proxy says ${status} no` })
      t.equal(parent.targets.length, 1)
    }
  })

  await t.test('when it has a connection to none of them, the first answer is told', async (t) => {
    let answers = 0
    const parent = await startParent(t, (_target, socket) => socket.end(`HTTP/1.1 503 number ${++answers}\r\n\r\n`))
    const refusal = await refusalOf(createReach(urlTo(parent.port), lookup, { resolver: 'gateway' }).open(name, never))
    t.match(refusal, { reason: 'parent_refused', detail: 'the parent proxy says 503 number 1' })
    t.equal(parent.targets.length, 3)
  })

  await t.test('when no address may be dialled, or there is none, the parent is not asked', async (t) => {
    const parent = await startParent(t, 'HTTP/1.1 200 OK\r\n\r\n')
    const denied = createReach(urlTo(parent.port), listed('10.9.9.9'), { resolver: 'gateway' })
    t.match(await refusalOf(denied.open(name, never)), { reason: 'address_prohibited' })
    const lost = createReach(urlTo(parent.port), async () => { throw new LookupError(host, 'no_such_name') }, { resolver: 'gateway' })
    t.match(await refusalOf(lost.open(name, never)), { reason: 'dns_failed', detail: /contoso/ })
    t.same(parent.targets, [])
  })
})

t.test('a refusal is passed on in the parent\'s words, printable and short, and never as a 407', async (t) => {
  const table: ReadonlyArray<readonly [answer: string, detail: string, hint: RegExp]> = [
    ['403 host_not_allowed: x is not an endpoint', '403 host_not_allowed: x is not an endpoint', /such a gateway too: .* host_not_allowed/],
    ['403 Forbidden', '403 Forbidden', /to let contoso\.azurecr\.io:443 through/],
    ['407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="a"', '407 Proxy Authentication Required', /wants a user and a password/],
    ['407 Denied\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM', '407 Denied', /takes no Basic authentication/],
    ['407 Denied\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Basic realm="a"', '407 Denied', /wants a user/],
    ['401 Unauthorized', '401 Unauthorized', /wants a user and a password/],
    ['503', '503 Service Unavailable', /a way to contoso\.azurecr\.io:443/],
    ['599', '599', /a way to/],
    ['403 \x1b[31mred\x07 \xe9\t', '403 \\x1b[31mred\\x07 \\xe9\\x09', /./],
    [`403 ${'a'.repeat(500)}`, `403 ${'a'.repeat(200)}`, /./],
    ['101 Switching Protocols', '101 Switching Protocols', /./],
  ]
  for (const [answer, detail, hint] of table) {
    const parent = await startParent(t, `HTTP/1.1 ${answer}\r\n\r\n`)
    const refusal = await refusalOf(createReach(urlTo(parent.port)).open(name, never))
    t.match(refusal, { reason: 'parent_refused', detail: `the parent proxy says ${detail}`, hint }, answer.slice(0, 40))
    t.match(JSON.stringify(refusal), /^[\x20-\x7e]*$/)
  }
})

t.test('with a user, a 407 is the wrong password', async (t) => {
  const parent = await startParent(t, 'HTTP/1.1 407 Denied\r\nProxy-Authenticate: Basic realm="a"\r\n\r\n')
  const refusal = await refusalOf(createReach(urlTo(parent.port, { credentials: { user: 'a' } })).open(name, never))
  t.match(refusal, { reason: 'parent_refused', hint: /does not take this user and password/ })
})

t.test('a parent that is not there, or says what is no answer, is told as such', async (t) => {
  const gone = await listenOnLoopback(createServer())
  await gone.close()
  const place = `127.0.0.1:${gone.port}`
  t.match(await refusalOf(createReach(urlTo(gone.port)).open(name, never)), {
    reason: 'parent_unreachable', detail: `the parent proxy ${place} refused the connection`, hint: /upstreamProxy\.url/,
  })
  const answers: ReadonlyArray<readonly [says: string, detail: RegExp, hint: RegExp]> = [
    ['', /hung up without an answer \(ECONNRESET\)$/, /https:\/\//],
    ['HTTP/1.1 200 OK\r\nX: half of a', /hung up without an answer/, /./],
    ['\x15\x03\x01\x00\x02\x02\x46', /is no HTTP proxy \(HPE_/, /https:\/\//],
    ['SSH-2.0-OpenSSH_9.2\r\n', /is no HTTP proxy \(HPE_/, /right port/],
    [`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`, /over 16 KiB$/, /./],
  ]
  for (const [says, detail, hint] of answers) {
    const parent = await startParent(t, says)
    t.match(await refusalOf(createReach(urlTo(parent.port)).open(name, never)), { reason: 'parent_failed', detail, hint })
    await waitUntil(async () => parent.open === 0, 'the connection to the parent to be closed')
    t.equal(parent.heads.length, 1, 'it is asked once')
  }
})

t.test('the name of a parent that does not resolve is told as the parent\'s', async (t) => {
  const url = urlTo(3128, { host: 'proxy.corp.example' })
  const failing = (outcome: LookupError['outcome']): Names['lookup'] => async (asked) => { throw new LookupError(asked, outcome) }
  t.match(await refusalOf(createReach(url, failing('no_such_name')).open(name, never)), {
    reason: 'parent_unreachable', detail: 'the name of the parent proxy, proxy.corp.example, does not resolve (no_such_name)',
  })
  t.match(await refusalOf(createReach(url, failing('timeout')).open(name, never)), {
    reason: 'parent_timeout', detail: 'the name servers did not answer for proxy.corp.example, the parent proxy',
  })
})

t.test('when the time is up, it is told what was waited for, and nothing is left open', async (t) => {
  const full = await startFullListener(t)
  t.match(await refusalOf(createReach(urlTo(full.port)).open(name, AbortSignal.timeout(50))), {
    reason: 'parent_timeout', detail: `no connection to the parent proxy 127.0.0.1:${full.port} within tunnel.connectTimeout`,
  })
  for (const scheme of ['http', 'https'] as const) {
    let controller = new AbortController()
    const parent = await startParent(t, () => controller.abort())
    for (const resolver of ['parent', 'gateway'] as const) {
      controller = new AbortController()
      const reach = createReach(urlTo(parent.port, { scheme }), listed('20.1.2.3', '20.1.2.4'), { resolver })
      t.match(await refusalOf(reach.open(name, controller.signal)), {
        reason: 'parent_timeout',
        detail: `the parent proxy 127.0.0.1:${parent.port} did not answer within tunnel.connectTimeout`,
        hint: /a way to contoso\.azurecr\.io:443/,
      }, `${scheme}, ${resolver}`)
      await waitUntil(async () => parent.open === 0, 'the connection to the parent to be closed')
    }
    t.equal(parent.heads.length, 2, 'no second address is asked for when the time is up')
  }
})

/** A parent that speaks TLS. */
async function startTlsParent (t: Test, { files } = certificate, says = 'HTTP/1.1 200 OK\r\n\r\nearly'): Promise<number> {
  const server = createTlsServer({ cert: files['server.crt'], key: files['server.key'] }, (socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(says))
  })
  server.on('tlsClientError', () => {})
  const { port, close } = await listenOnLoopback(server)
  t.teardown(close)
  return port
}

t.test('a parent with TLS is verified by name or address, and carries what it sent behind its answer', async (t) => {
  const port = await startTlsParent(t)
  for (const host of [certificate.name, '127.0.0.1']) {
    const reach = createReach({ scheme: 'https', host, port }, listed('127.0.0.1'))
    const { end, upstream } = await reach.open(name, never)
    t.not(end.stream, end.socket)
    t.same(upstream, { parent: `127.0.0.1:${port}`, resolvedBy: 'parent' })
    t.equal(await readAll(end.stream), 'early', host)
    if (!end.socket.closed) await once(end.socket, 'close')
  }
})

t.test('a parent whose TLS is not as it should be is told as such, and told no password', async (t) => {
  const good = await startTlsParent(t)
  const strange = await startTlsParent(t, stranger)
  const clear = await startParent(t, 'HTTP/1.1 400 Bad Request\r\n\r\n')
  const rude = await startUpstream(t, (socket) => socket.once('data', () => socket.end()))
  const table: ReadonlyArray<readonly [port: number, host: string, detail: RegExp, hint: RegExp]> = [
    [strange, '127.0.0.1', /is not trusted \(SELF_SIGNED_CERT_IN_CHAIN\)$/, /upstreamProxy\.caFile/],
    [good, 'other.example', /^the certificate of the parent proxy other\.example:\d+ is for other names$/, /a name that the certificate has/],
    [clear.port, '127.0.0.1', /does not speak TLS \(/, /http:\/\//],
    [rude.port, '127.0.0.1', /hung up in the TLS handshake \(ECONNRESET\)$/, /http:\/\//],
  ]
  for (const [port, host, detail, hint] of table) {
    const reach = createReach({ scheme: 'https', host, port, credentials: { user: 'a', password: 'secret' } }, listed('127.0.0.1'))
    t.match(await refusalOf(reach.open(name, never)), { reason: 'parent_failed', detail, hint })
  }
  t.notMatch(clear.heads.join(), /Basic/)
})

t.test('for plain HTTP the parent is connected to, and resolves, whoever resolves for tunnels', async (t) => {
  for (const resolver of ['parent', 'gateway'] as const) {
    const parent = await startParent(t, '')
    const url = urlTo(parent.port, { credentials: { user: 'gate', password: 'word' } })
    const { end, upstream, proxy } = await createReach(url, noNames, { resolver }).openPlain(name, never)
    t.same(upstream, { parent: `127.0.0.1:${parent.port}`, resolvedBy: 'parent' })
    t.same(proxy?.headers, { Via: '1.1 acr-egress-1', 'Proxy-Authorization': `Basic ${Buffer.from('gate:word').toString('base64')}` })
    t.same(parent.heads, [], 'the request is the caller\'s')
    end.stream.destroy()
  }
})
