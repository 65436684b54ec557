import { once } from 'node:events'
import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { parseLoginServer } from '../../../src/acr/login-server.ts'
import { type Destination, LookupError, type Names } from '../../../src/dns/names.ts'
import { listenOnLoopback } from '../../../src/lab/loopback.ts'
import { parseAddress } from '../../../src/net/address.ts'
import { parseCidr } from '../../../src/net/cidr.ts'
import { createPolicy } from '../../../src/policy/policy.ts'
import { type TunnelRequest, type TunnelServices, serveTunnel } from '../../../src/proxy/tunnel.ts'
import { httpVoice } from '../../../src/proxy/reply.ts'
import { createSetupRates } from '../../../src/proxy/setup-rates.ts'
import { type Denied, deny, refuse } from '../../../src/refusal/reasons.ts'
import { createDirectReach } from '../../../src/proxy/direct-reach.ts'
import { noCertificateAsked } from '../../../src/proxy/client-certificate.ts'
import { createSlowTargets } from '../../../src/proxy/slow-targets.ts'
import { createTunnelTable } from '../../../src/proxy/tunnel-table.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { createTunnelLog } from '../../../src/telemetry/tunnel-log.ts'
import { parseAnswer } from '../../support/answer.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { startEchoUpstream } from '../../support/upstream.ts'
import { startStreamRelay } from '../../../src/relay/stream-relay.ts'
import { metricsOptions } from '../../support/metrics-options.ts'

const target = 'contoso.azurecr.io:443'
const loopbackBlock = requireValue(parseCidr('127.0.0.0/8'))
const loopbackAddress = requireValue(parseAddress('127.0.0.1'))

function requireValue<T> (value: T | undefined): T {
  if (value === undefined) throw new TypeError('not a value')
  return value
}

function createTestPolicy (clients = loopbackBlock) {
  const parsed = parseLoginServer('contoso.azurecr.io')
  if (!parsed.ok) throw new TypeError(parsed.mistake.what)
  const registry = {
    loginServer: parsed.loginServer, regions: [], regionalEndpoints: false, storage: 'none', privateEndpoints: [loopbackBlock],
  } as const
  return createPolicy({
    registries: [registry],
    bundles: [],
    extraHosts: [],
    hostMode: 'enforce',
    clients: [clients],
    tagMode: 'enforce',
    tagScope: 'global',
  })
}

interface Line {
  readonly event: string
  readonly level: string
  readonly err?: { readonly message: string }
}

/** Real services around one look-up, and all that they wrote. */
function createServices (
  lookup: Names['lookup'], more: Partial<TunnelServices> = {}, onAttempt: (outcome: string) => void = () => {},
) {
  const lines: Line[] = []
  const logger = createLogger('info', { write: (line) => { lines.push(JSON.parse(line) as Line) } })
  const metrics = createMetrics(metricsOptions)
  const policy = createTestPolicy()
  const services: TunnelServices = {
    policy: () => policy,
    reach: createDirectReach({ names: { lookup }, slowTargets: createSlowTargets(), onAttempt }),
    setupRates: createSetupRates({ perSecond: 100 }),
    tunnels: createTunnelTable({ maxTunnels: 1, maxTunnelsPerClient: 1 }),
    startRelay: startStreamRelay,
    log: createTunnelLog({ logger, metrics }),
    serverName: { mode: 'off', timeoutMs: 5000 },
    connectTimeoutMs: 5000,
    idleTimeoutMs: 5000,
    ...more,
  }
  return { services, lines, metrics }
}

/** A client and the request that has been read from it. */
async function openRequest (t: Test, early = '') {
  const server = createServer({ allowHalfOpen: true })
  const { port, close } = await listenOnLoopback(server)
  t.teardown(close)
  const accepted = once(server, 'connection')
  const client = await connectRaw(t, { host: '127.0.0.1', port })
  const [socket] = await accepted
  socket.on('error', () => {})
  const request: TunnelRequest = {
    client: { address: loopbackAddress, port: socket.remotePort, certificate: noCertificateAsked },
    end: { stream: socket, socket },
    target,
    early: Buffer.from(early),
    voice: httpVoice,
  }
  return { client, request }
}

t.test('a tunnel is served from its head to its end, early bytes first', async (t) => {
  const { port } = await startEchoUpstream(t)
  const { client, request } = await openRequest(t, 'early ')
  const { services, lines, metrics } = createServices(async () => [{ address: loopbackAddress, port }])
  const served = serveTunnel(request, services)
  t.equal(await client.receiveHead(), 'HTTP/1.1 200 Connection established\r\n\r\n')
  t.match(services.tunnels.list(), [{ record: { target }, relay: { bytes: { fromClient: 6 } } }])
  client.socket.end('and late')
  t.equal((await client.ended).bytes.toString(), 'early and late')
  await served
  t.match(lines, [{ event: 'tunnel_ended', end: 'closed', bytesFromClient: 14, address: `127.0.0.1:${port}` }])
  t.match(metrics.totals(), { tunnels: 1, tunnelsActive: 0, bytesFromClient: 14, bytesFromUpstream: 14 })
  t.equal(services.tunnels.size, 0)
})

t.test('a mistake of ours is told as such, with its stack in the log only', async (t) => {
  const { client, request } = await openRequest(t)
  const { services, lines } = createServices(async () => { throw new TypeError('secret thought') })
  await serveTunnel(request, services)
  const { bytes } = await client.ended
  t.match(parseAnswer(bytes), { status: 500, reason: 'internal' })
  t.notMatch(bytes.toString(), /secret thought|TypeError|\.ts/)
  t.match(lines, [{ event: 'tunnel_refused', level: 'error', reason: 'internal', err: { message: 'secret thought', stack: /at / } }])
  t.equal(services.tunnels.size, 0)
})

t.test('a mistake behind the 200 ends both ends, and says nothing in the tunnel', async (t) => {
  const { port } = await startEchoUpstream(t)
  const { client, request } = await openRequest(t)
  const { services, lines } = createServices(async () => [{ address: loopbackAddress, port }])
  const log: TunnelServices['log'] = {
    ...services.log,
    open: (...asked) => ({ ...services.log.open(...asked), established () { throw new TypeError('a bug') } }),
  }
  await serveTunnel(request, { ...services, log })
  t.equal((await client.ended).bytes.toString(), 'HTTP/1.1 200 Connection established\r\n\r\n')
  t.match(lines, [{ level: 'error', reason: 'internal', err: { message: 'a bug' } }])
  t.equal(services.tunnels.size, 0)
})

t.test('a client that goes during the look-up ends it, and is answered nothing', async (t) => {
  const { client, request } = await openRequest(t)
  const { services, lines } = createServices(async (name, signal) => {
    client.reset()
    if (signal !== undefined) await new Promise<void>((resolve) => { signal.addEventListener('abort', resolve) })
    throw new LookupError(name, 'timeout')
  })
  await serveTunnel(request, services)
  t.match(lines, [{ event: 'tunnel_abandoned', end: 'client_gone' }])
  t.equal(services.tunnels.size, 0)
})

t.test('the look-up and the connection share one time', async (t) => {
  const { client, request } = await openRequest(t)
  const { services } = createServices(async (name, signal) => {
    if (signal !== undefined) await new Promise<void>((resolve) => { signal.addEventListener('abort', resolve) })
    throw new LookupError(name, 'timeout')
  }, { connectTimeoutMs: 20 })
  await serveTunnel(request, services)
  t.match(parseAnswer((await client.ended).bytes), { status: 504, reason: 'dns_timeout' })
})

t.test('the first ground that holds is told: the client, the user, the target, the room, the name', async (t) => {
  const unreachable = async (): Promise<readonly Destination[]> => { throw new Error('it must not come to this') }
  const stranger = createTestPolicy(requireValue(parseCidr('192.0.2.0/24')))
  const closing = createTunnelTable({ maxTunnels: 1, maxTunnelsPerClient: 1 })
  closing.refuseNew()
  const denyUser = async (): Promise<Denied> => deny(refuse('proxy_auth_failed', 'wrong', 'Correct it.'))
  const cases = [
    ['client_not_allowed', { policy: () => stranger, decideUser: denyUser, tunnels: closing }, 'evil.example:443'],
    ['proxy_auth_failed', { decideUser: denyUser, tunnels: closing }, 'evil.example:443'],
    ['host_not_allowed', { tunnels: closing }, 'evil.example:443'],
    ['shutting_down', { tunnels: closing }, target],
  ] as const
  for (const [reason, more, asked] of cases) {
    const { client, request } = await openRequest(t)
    const { services } = createServices(unreachable, more)
    await serveTunnel({ ...request, target: asked }, services)
    t.equal(parseAnswer((await client.ended).bytes).reason, reason)
  }
})

t.test('who is asked who it is may say so on the same connection, and any other refusal ends it', async (t) => {
  const { services, lines } = createServices(async () => [], {
    decideUser: async (_client, authorization) => authorization === 'good'
      ? { allow: true, user: 'edge' }
      : deny(refuse('proxy_auth_required', 'who is it', 'Say so.')),
  })
  const { client, request } = await openRequest(t)
  let askedAnew = 0
  const again = (): void => { askedAnew++ }
  await serveTunnel({ ...request, again }, services)
  const head = await client.receiveHead()
  t.match(head, /^HTTP\/1\.1 407 proxy_auth_required: who is it\r\n/)
  t.notMatch(head, /^connection:/im)
  await client.receive(Number(/^content-length: (\d+)/im.exec(head)?.[1]))
  t.equal(askedAnew, 1)
  t.ok(request.end.stream.writable)
  await serveTunnel({ ...request, target: 'evil.example:443', authorization: 'good', again }, services)
  t.match((await client.ended).bytes.toString(), 'HTTP/1.1 403 host_not_allowed: ')
  t.equal(askedAnew, 1)
  t.match(lines, [{ reason: 'proxy_auth_required', user: undefined }, { reason: 'host_not_allowed', user: 'edge' }])
})

t.test('who is asked who it is and may not ask again is answered for good', async (t) => {
  const { services } = createServices(async () => [], {
    decideUser: async () => deny(refuse('proxy_auth_required', 'who is it', 'Say so.')),
  })
  const { client, request } = await openRequest(t)
  await serveTunnel(request, services)
  const { headers, status } = parseAnswer((await client.ended).bytes)
  t.match({ headers, status }, { status: 407, headers: { connection: 'close', 'proxy-authenticate': /^Basic / } })
})

t.test('a name that leads to forbidden addresses only is refused, and none is dialled', async (t) => {
  const { client, request } = await openRequest(t)
  const attempts: string[] = []
  const forbidden = ['169.254.169.254', '10.0.0.1'].map((text) => ({ address: requireValue(parseAddress(text)) }))
  const { services } = createServices(async () => forbidden, {}, (outcome) => { attempts.push(outcome) })
  await serveTunnel(request, services)
  const { statusLine, reason } = parseAnswer((await client.ended).bytes)
  t.equal(reason, 'address_prohibited')
  t.match(statusLine, /169\.254\.169\.254/, 'the first is the one that is told')
  t.strictSame(attempts, [])
})

t.test('the policy is asked for once, so that a reload cannot split a decision', async (t) => {
  const { port } = await startEchoUpstream(t)
  const { client, request } = await openRequest(t)
  const policy = createTestPolicy()
  let asked = 0
  const { services } = createServices(async () => [{ address: loopbackAddress, port }], {
    policy () {
      asked++
      return policy
    },
  })
  const served = serveTunnel(request, services)
  await client.receiveHead()
  client.socket.end()
  await served
  t.equal(asked, 1)
})
