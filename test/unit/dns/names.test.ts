import { getEventListeners } from 'node:events'
import t, { type Test } from 'tap'
import { type CacheResult, type Names, type NamesOptions, createNames } from '../../../src/dns/names.ts'
import { type QueryOutcome, createResolver } from '../../../src/dns/resolver.ts'
import { type NameAnswer, type NameQuestion, type NameServer, startNameServer } from '../../../src/lab/name-server.ts'
import { type Address, parseAddress } from '../../../src/net/address.ts'
import { type HostName, canonicalHostName } from '../../../src/net/host-name.ts'

const name = toName('contoso.azurecr.io')
const both: NameAnswer = { addresses: ['192.0.2.1', '192.0.2.2', '2001:db8::1'], ttl: 10 }

function toName (text: string): HostName {
  return canonicalHostName(text) as HostName
}

/** Names over a real name server, on a clock that stands still until a test moves it. */
interface Bench {
  readonly names: Names
  readonly server: NameServer
  readonly queries: QueryOutcome[]
  readonly lookups: CacheResult[]
  passMs (durationMs: number): void
}

async function start (
  t: Test, answers: (question: NameQuestion) => NameAnswer, options: Partial<NamesOptions> = {}, timeoutMs = 5000,
): Promise<Bench> {
  const server = await startNameServer({ answers })
  const resolver = createResolver({ servers: [`${server.address}:${server.port}`], timeoutMs })
  const queries: QueryOutcome[] = []
  const lookups: CacheResult[] = []
  let nowMs = 1_000_000
  const names = createNames({
    resolver,
    hosts: new Map(),
    minTtlMs: 1000,
    maxTtlMs: 300_000,
    negativeTtlMs: 5000,
    staleForMs: 0,
    now: () => nowMs,
    onQuery: (outcome) => queries.push(outcome),
    onLookup: (result) => lookups.push(result),
    ...options,
  })
  t.teardown(async () => {
    names.close()
    await server.close()
  })
  return { names, server, queries, lookups, passMs: (durationMs) => { nowMs += durationMs } }
}

async function lookupTexts (names: Names, host = name): Promise<string[]> {
  return (await names.lookup(host)).map(({ address }) => address.text).sort()
}

t.test('a name has the addresses of both families, and they are asked for once', async (t) => {
  const { names, server, queries, lookups } = await start(t, () => both)
  for (let round = 0; round < 3; round++) t.strictSame(await lookupTexts(names), ['192.0.2.1', '192.0.2.2', '2001:db8::1'])
  t.equal(server.questions.length, 2)
  t.strictSame(queries, ['answered', 'answered'])
  t.strictSame(lookups, ['miss', 'hit', 'hit'])
  t.equal(names.cacheEntries, 1)
  t.strictSame(names.servers, [`127.0.0.1:${server.port}`])
})

t.test('a thousand who ask at once cause one question a family', async (t) => {
  const { names, server, queries, lookups } = await start(t, () => both)
  const found = await Promise.all(Array.from({ length: 1000 }, () => names.lookup(name)))
  t.ok(found.every((destinations) => destinations.length === 3))
  t.equal(server.countQuestions(name, 'A'), 1)
  t.equal(server.countQuestions(name, 'AAAA'), 1)
  t.strictSame(queries, ['answered', 'answered'])
  t.strictSame(lookups, Array(1000).fill('miss'))
})

t.test('an answer is believed for its time to live, within the bounds', async (t) => {
  const table = [
    { ttl: 0, livesMs: 1000 },
    { ttl: 10, livesMs: 10_000 },
    { ttl: 300, livesMs: 300_000 },
    { ttl: 86_400, livesMs: 300_000 },
  ]
  for (const { ttl, livesMs } of table) {
    const { names, server, lookups, passMs } = await start(t, () => ({ ...both, ttl }))
    await names.lookup(name)
    passMs(livesMs - 1)
    await names.lookup(name)
    t.equal(server.questions.length, 2, `TTL ${ttl}: still believed`)
    passMs(2)
    await names.lookup(name)
    t.equal(server.questions.length, 4, `TTL ${ttl}: asked again`)
    t.strictSame(lookups, ['miss', 'hit', 'miss'])
  }
})

t.test('a bad answer is believed for the negative time to live', async (t) => {
  for (const [answer, outcome] of [
    [{ rcode: 'NXDOMAIN' }, 'no_such_name'], [{}, 'no_addresses'], [{ rcode: 'SERVFAIL' }, 'server_failure'],
  ] as const) {
    const { names, queries, lookups, passMs } = await start(t, () => answer)
    const failure = { name: 'LookupError', host: name, outcome }
    await t.rejects(names.lookup(name), failure)
    passMs(4999)
    await t.rejects(names.lookup(name), failure)
    t.equal(queries.length, 2, 'not asked again')
    passMs(2)
    await t.rejects(names.lookup(name), failure)
    t.strictSame(queries, Array(4).fill(outcome))
    t.strictSame(lookups, ['miss', 'negative', 'miss'])
  }
})

t.test('one family is enough; of two failures the graver one is told', async (t) => {
  const failing = (a: NameAnswer, aaaa: NameAnswer) => ({ type }: NameQuestion) => type === 'A' ? a : aaaa
  const one = await start(t, failing({ addresses: ['192.0.2.1'] }, { rcode: 'SERVFAIL' }))
  t.strictSame(await lookupTexts(one.names), ['192.0.2.1'])
  t.strictSame(await lookupTexts(one.names), ['192.0.2.1'])
  t.strictSame(one.lookups, ['miss', 'hit'])
  const two = await start(t, failing({ rcode: 'NXDOMAIN' }, { rcode: 'SERVFAIL' }))
  await t.rejects(two.names.lookup(name), { name: 'LookupError', outcome: 'server_failure' })
  const three = await start(t, failing({ silent: true }, { rcode: 'REFUSED' }), {}, 100)
  await t.rejects(three.names.lookup(name), { name: 'LookupError', outcome: 'timeout' })
})

t.test('a silent family does not hold up the other for longer than 50 ms', async (t) => {
  for (const silent of ['A', 'AAAA']) {
    const { names } = await start(t, ({ type }) => type === silent ? { silent: true } : both)
    const startedAt = performance.now()
    const found = await names.lookup(name)
    const elapsedMs = performance.now() - startedAt
    t.ok(found.length > 0 && found.every(({ address }) => address.family === (silent === 'A' ? 6 : 4)))
    t.ok(elapsedMs > 45 && elapsedMs < 1000, `${elapsedMs} ms, where the name server has 5,000`)
  }
})

t.test('the late family is there for the next look-up', async (t) => {
  const { names, server } = await start(t, ({ type }) => type === 'AAAA' ? { ...both, delayMs: 150 } : both)
  t.strictSame(await lookupTexts(names), ['192.0.2.1', '192.0.2.2'])
  while ((await names.lookup(name)).length < 3);
  t.equal(server.questions.length, 2)
})

t.test('static names are answered as they stand, with their ports, and nobody is asked', async (t) => {
  const destinations = [{ address: parseAddress('127.0.0.1') as Address, port: 8443 }, { address: parseAddress('::1') as Address }]
  const { names, server, lookups } = await start(t, () => both, { hosts: new Map([[name, destinations]]) })
  t.strictSame(await names.lookup(name, AbortSignal.abort()), destinations)
  t.equal(server.questions.length, 0)
  t.strictSame(lookups, [])
})

t.test('who gives up gets a timeout, and the answer is kept for the next', async (t) => {
  const { names, server, queries } = await start(t, () => ({ ...both, delayMs: 50 }))
  const controller = new AbortController()
  const given = names.lookup(name, controller.signal)
  while (server.questions.length < 2) await new Promise(setImmediate)
  controller.abort()
  await t.rejects(given, { name: 'LookupError', outcome: 'timeout', host: name })
  await t.rejects(names.lookup(name, controller.signal), { name: 'LookupError', outcome: 'timeout' })
  t.equal((await names.lookup(name)).length, 3)
  t.equal(server.questions.length, 2)
  t.strictSame(queries, ['answered', 'answered'])
})

t.test('a look-up leaves no listener on its signal', async (t) => {
  const { names } = await start(t, () => both)
  const { signal } = new AbortController()
  await names.lookup(name, signal)
  t.strictSame(getEventListeners(signal, 'abort'), [])
})

t.test('no more entries are held than allowed, and a question that is pushed out is answered all the same', async (t) => {
  const { names, server } = await start(t, () => both, { maxEntries: 4 })
  const hosts = Array.from({ length: 50 }, (_, index) => toName(`host-${index}.blob.core.windows.net`))
  const found = await Promise.all(hosts.map((host) => names.lookup(host)))
  t.ok(found.every((destinations) => destinations.length === 3))
  t.equal(names.cacheEntries, 4)
  await names.lookup(toName('host-49.blob.core.windows.net'))
  t.equal(server.questions.length, 100, 'the youngest is still held')
  await names.lookup(toName('host-0.blob.core.windows.net'))
  t.equal(server.questions.length, 102, 'the oldest is not')
})

t.test('closing ends the look-ups that are under way', async (t) => {
  const { names, server } = await start(t, () => ({ silent: true }), {}, 60_000)
  const lookup = names.lookup(name)
  while (server.questions.length < 2) await new Promise(setImmediate)
  names.close()
  await t.rejects(lookup, { name: 'LookupError', outcome: 'failed' })
})
