import t, { type Test } from 'tap'
import { type NameAnswer, type NameQuestion, type NameServer, startNameServer } from '../../src/lab/name-server.ts'
import { parseAnswer, writeConnect } from '../support/answer.ts'
import { type TestGateway, startGateway } from '../support/gateway.ts'
import { connectRaw } from '../support/raw-client.ts'

// At port 443 of these addresses nobody listens: that a tunnel was dialled shows in its being refused there.
const admitted = '127.91.0.5'
const metadata = '169.254.169.254'
const account = 'account.blob.core.windows.net'

interface Bench {
  readonly gateway: TestGateway
  readonly server: NameServer
}

/** A gateway and the one name server that it asks. */
async function start (t: Test, answers: (question: NameQuestion) => NameAnswer, dns = ''): Promise<Bench> {
  const server = await startNameServer({ answers })
  t.teardown(() => server.close())
  const gateway = await startGateway(t, `
registries: [{ loginServer: contoso.azurecr.io, regions: [eastus], storage: any, privateEndpoints: [127.91.0.0/16] }]
tunnel: { serverName: off, connectTimeout: 2s, maxSetupsPerSecondPerClient: 100000 }
dns: { servers: ['127.0.0.1:${server.port}'], timeout: 100ms, minTtl: 1ms, ${dns} }
`)
  return { gateway, server }
}

/** Why a tunnel to a host is refused, as all are here. */
async function refuse (t: Test, { gateway }: Bench, host = account): Promise<string> {
  const client = await connectRaw(t, gateway.proxy)
  client.send(writeConnect(`${host}:443`))
  return parseAnswer((await client.ended).bytes).reason
}

t.test('whatever a name server does has a defined result and is counted', async (t) => {
  const many = Array.from({ length: 200 }, (_, index) => `127.91.1.${index}`)
  const table: ReadonlyArray<readonly [what: string, answer: NameAnswer, reason: string, outcome: string]> = [
    ['an answer', { addresses: [admitted] }, 'connect_refused', 'answered'],
    ['a late answer', { addresses: [admitted], delayMs: 70 }, 'connect_refused', 'answered'],
    ['a truncated answer', { addresses: [admitted], truncate: true }, 'connect_refused', 'answered'],
    ['200 addresses', { addresses: many }, 'connect_refused', 'answered'],
    ['aliases', { cname: [{ name: 'a.azcr.example', ttl: 300 }], addresses: [admitted] }, 'connect_refused', 'answered'],
    ['a private address', { addresses: ['10.0.0.5'] }, 'address_prohibited', 'answered'],
    ['a mapped address', { addresses: [`::ffff:${admitted}`] }, 'address_prohibited', 'answered'],
    ['an answer that comes too late', { addresses: [admitted], delayMs: 5000 }, 'dns_timeout', 'timeout'],
    ['silence', { silent: true }, 'dns_timeout', 'timeout'],
    ['the answer to another question', { addresses: [admitted], wrongQuestion: true }, 'dns_timeout', 'timeout'],
    ['an answer with another id', { addresses: [admitted], wrongId: true }, 'dns_timeout', 'timeout'],
    ['SERVFAIL', { rcode: 'SERVFAIL' }, 'dns_failed', 'server_failure'],
    ['REFUSED', { rcode: 'REFUSED' }, 'dns_failed', 'refused'],
    ['NXDOMAIN', { rcode: 'NXDOMAIN' }, 'dns_failed', 'no_such_name'],
    ['an empty answer', {}, 'dns_failed', 'no_addresses'],
  ]
  for (const [what, answer, reason, outcome] of table) {
    // Only of this name: the gateway asks for the configured ones by itself.
    const bench = await start(t, ({ name }) => name === account ? answer : { addresses: [] })
    const before = await bench.gateway.readMetric('acr_egress_dns_queries_total', { outcome })
    t.equal(await refuse(t, bench), reason, what)
    t.ok(await bench.gateway.readMetric('acr_egress_dns_queries_total', { outcome }) > before, `${what} is counted as ${outcome}`)
    t.equal(await bench.gateway.readMetric('acr_egress_refusals_total', { reason }), 1)
    const attempts = await bench.gateway.readMetric('acr_egress_connect_attempts_total')
    t.ok(reason === 'connect_refused' ? attempts >= 1 && attempts <= 16 : attempts === 0, `${what}: ${attempts} attempts`)
  }
})

t.test('of a mixed answer only the admitted addresses are dialled', async (t) => {
  const bench = await start(t, () => ({ addresses: [metadata, admitted, '10.0.0.5', '::1', 'fe80::1'] }))
  t.equal(await refuse(t, bench), 'connect_refused')
  t.equal(await bench.gateway.readMetric('acr_egress_connect_attempts_total'), 1)
})

t.test('a name that is bound to the metadata service after an admitted answer never reaches it', async (t) => {
  let asked = 0
  const bench = await start(t, ({ name, type }) => {
    if (name !== account || type !== 'A') return {}
    return { addresses: [++asked % 2 === 1 ? admitted : metadata], ttl: 0 }
  }, 'maxTtl: 1ms')
  let dialled = 0
  for (let round = 0; round < 20; round++) {
    const reason = await refuse(t, bench)
    // A tunnel that comes within the millisecond has the answer of the one before.
    t.equal(reason, asked % 2 === 1 ? 'connect_refused' : 'address_prohibited')
    if (reason === 'connect_refused') dialled++
    t.equal(await bench.gateway.readMetric('acr_egress_connect_attempts_total'), dialled, 'only the admitted address was dialled')
  }
  t.ok(asked >= 4, `${asked} different answers`)
  const changes = bench.gateway.lines.filter(({ event }) => event === 'name_addresses_changed')
  t.match(changes[0], { host: account, family: 4, added: [metadata], removed: [admitted] })
  t.equal(await bench.gateway.readMetric('acr_egress_dns_address_changes_total'), changes.length)
})

t.test('a thousand tunnels at once to a name that is not held ask for it once a family', async (t) => {
  const bench = await start(t, () => ({ addresses: [admitted], delayMs: 50 }))
  const reasons = await Promise.all(Array.from({ length: 1000 }, () => refuse(t, bench)))
  t.strictSame([...new Set(reasons)], ['connect_refused'])
  t.equal(bench.server.countQuestions(account, 'A'), 1)
  t.equal(bench.server.countQuestions(account, 'AAAA'), 1)
})

t.test('tunnels go on to the last addresses while the name server fails, and that is counted', async (t) => {
  let fails = false
  const bench = await start(t, () => fails ? { rcode: 'SERVFAIL' } : { addresses: [admitted], ttl: 0 }, 'maxTtl: 1ms')
  t.equal(await refuse(t, bench), 'connect_refused')
  fails = true
  while (await bench.gateway.readMetric('acr_egress_dns_cache_total', { result: 'stale' }) === 0) {
    t.equal(await refuse(t, bench), 'connect_refused')
  }
})

t.test('a stale address is judged like any other', async (t) => {
  let fails = false
  const bench = await start(t, () => fails ? { silent: true } : { addresses: [metadata], ttl: 0 }, 'maxTtl: 1ms')
  t.equal(await refuse(t, bench), 'address_prohibited')
  fails = true
  t.equal(await refuse(t, bench), 'address_prohibited')
})

t.test('the names of the configuration are asked for before a client is there', async (t) => {
  const { gateway, server } = await start(t, () => ({ addresses: [admitted] }))
  const hosts = ['contoso.azurecr.io', 'azurecr.io', 'contoso.eastus.data.azurecr.io']
  while (await gateway.readMetric('acr_egress_dns_queries_total') < 6);
  for (const host of hosts) t.equal(server.countQuestions(host), 2, host)
  t.equal(await gateway.readMetric('acr_egress_dns_cache_entries'), 3)
})
