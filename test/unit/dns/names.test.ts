import { getEventListeners } from 'node:events'
import t, { type Test } from 'tap'
import { type AddressChange, type CacheResult, type Names, type NamesOptions, createNames } from '../../../src/dns/names.ts'
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
  /** As `FAMILY +ADDED -REMOVED`. */
  readonly changes: string[]
  passMs (durationMs: number): void
}

async function start (
  t: Test, answers: (question: NameQuestion) => NameAnswer, options: Partial<NamesOptions> = {}, timeoutMs = 5000,
): Promise<Bench> {
  const server = await startNameServer({ answers })
  const resolver = createResolver({ servers: [`${server.address}:${server.port}`], timeoutMs })
  const queries: QueryOutcome[] = []
  const lookups: CacheResult[] = []
  const changes: string[] = []
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
    onChange: (change) => changes.push(describeChange(change)),
    ...options,
  })
  t.teardown(async () => {
    names.close()
    await server.close()
  })
  return { names, server, queries, lookups, changes, passMs: (durationMs) => { nowMs += durationMs } }
}

function describeChange ({ name, family, added, removed }: AddressChange): string {
  const texts = [...added.map(({ text }) => `+${text}`), ...removed.map(({ text }) => `-${text}`)]
  return [name, family, ...texts].join(' ')
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

/** A name server whose answer a test changes as it goes. */
function createSwitch (first: NameAnswer) {
  let answer = first
  return { answers: () => answer, answerWith (next: NameAnswer) { answer = next } }
}

t.test('while the name servers fail the last addresses are believed, and asked for behind the answer', async (t) => {
  for (const failure of [{ rcode: 'SERVFAIL' }, { rcode: 'REFUSED' }] as const) {
    const { answers, answerWith } = createSwitch(both)
    const { names, server, lookups, passMs } = await start(t, answers, { staleForMs: 60_000 })
    const fresh = await lookupTexts(names)
    answerWith(failure)
    passMs(10_001)
    t.strictSame(await lookupTexts(names), fresh)
    t.equal(server.questions.length, 4, 'they were asked first')
    t.strictSame(await lookupTexts(names), fresh)
    t.equal(server.questions.length, 4, 'and not again at once')
    passMs(5001)
    answerWith({ ...both, addresses: ['192.0.2.9'] })
    t.strictSame(await lookupTexts(names), fresh, 'nobody waits for what failed the last time')
    while ((await lookupTexts(names)).length > 1) await new Promise(setImmediate)
    t.strictSame(await lookupTexts(names), ['192.0.2.9'], 'but it is asked behind the answer')
    t.strictSame(lookups.slice(0, 4), ['miss', 'stale', 'stale', 'stale'])
    t.equal(lookups.at(-1), 'hit')
  }
})

t.test('an answer is believed no longer than staleFor, and not at all when that is nothing', async (t) => {
  for (const staleForMs of [60_000, 0]) {
    const { answers, answerWith } = createSwitch(both)
    const { names, passMs } = await start(t, answers, { staleForMs })
    await names.lookup(name)
    answerWith({ rcode: 'SERVFAIL' })
    if (staleForMs > 0) {
      passMs(10_000 + staleForMs - 1)
      t.equal((await names.lookup(name)).length, 3)
      passMs(5001)
    } else {
      passMs(10_001)
    }
    await t.rejects(names.lookup(name), { name: 'LookupError', outcome: 'server_failure' })
  }
})

t.test('that there is no such name any more ends the old addresses at once', async (t) => {
  for (const [bad, outcome] of [[{ rcode: 'NXDOMAIN' }, 'no_such_name'], [{}, 'no_addresses']] as const) {
    const { answers, answerWith } = createSwitch(both)
    const { names, passMs } = await start(t, answers, { staleForMs: 3_600_000 })
    await names.lookup(name)
    answerWith(bad)
    passMs(10_001)
    await t.rejects(names.lookup(name), { name: 'LookupError', outcome })
    answerWith({ rcode: 'SERVFAIL' })
    passMs(5001)
    await t.rejects(names.lookup(name), { name: 'LookupError', outcome: 'server_failure' })
  }
})

t.test('a silent name server is waited for 1.8 s when there is an old answer, and once for all who ask', async (t) => {
  const { answers, answerWith } = createSwitch(both)
  const { names, server, passMs } = await start(t, answers, { staleForMs: 60_000 }, 60_000)
  await names.lookup(name)
  answerWith({ silent: true })
  passMs(10_001)
  const startedAt = performance.now()
  const found = await Promise.all(Array.from({ length: 100 }, () => names.lookup(name)))
  const elapsedMs = performance.now() - startedAt
  t.ok(found.every((destinations) => destinations.length === 3))
  t.ok(elapsedMs > 1700 && elapsedMs < 3000, `${elapsedMs} ms`)
  t.equal(server.questions.length, 4)
  passMs(1800)
  const laterAt = performance.now()
  t.equal((await names.lookup(name)).length, 3)
  t.ok(performance.now() - laterAt < 1000, 'who asks later does not wait for the same question')
  t.equal(server.questions.length, 4)
})

t.test('kept names are asked for at once, and asked for again before their end while they are in use', async (t) => {
  const { names, server, queries, lookups, passMs } = await start(t, () => both)
  await names.keep([name])
  t.equal(server.questions.length, 2)
  passMs(9000)
  names.refreshAhead()
  t.equal(server.questions.length, 2, 'nobody uses it')
  await names.lookup(name)
  for (let round = 2; round <= 4; round++) {
    names.refreshAhead()
    names.refreshAhead()
    while (queries.length < 2 * round) await new Promise(setImmediate)
    t.equal(server.questions.length, 2 * round, 'one question at a time')
    passMs(9000)
  }
  await names.lookup(name)
  t.strictSame(lookups, ['hit', 'hit'])
  passMs(300_001)
  names.refreshAhead()
  t.equal(server.questions.length, 8, 'nobody uses it any more')
})

t.test('a name that is not kept is not asked for ahead', async (t) => {
  const { names, server, passMs } = await start(t, () => both)
  await names.lookup(name)
  passMs(9900)
  names.refreshAhead()
  await names.keep([toName('fabrikam.azurecr.io')])
  t.equal(server.countQuestions(name), 2)
})

t.test('of many kept names sixteen questions are under way at a time', async (t) => {
  const { names, server } = await start(t, () => ({ silent: true }), {}, 60_000)
  void names.keep(Array.from({ length: 50 }, (_, index) => toName(`host-${index}.azurecr.io`)))
  while (server.questions.length < 16) await new Promise(setImmediate)
  const asking = names.lookup(name)
  while (server.questions.length < 18) await new Promise(setImmediate)
  t.equal(server.questions.length, 18, 'the look-up is not held up, and nothing else was asked meanwhile')
  names.close()
  await t.rejects(asking, { name: 'LookupError' })
})

t.test('kept names are not pushed out, and those that are not kept any more are', async (t) => {
  const { names, server } = await start(t, () => both, { maxEntries: 2 })
  const other = toName('fabrikam.azurecr.io')
  await names.keep([name, other, toName('contoso.azurecr.io')])
  for (let index = 0; index < 5; index++) await names.lookup(toName(`host-${index}.blob.core.windows.net`))
  await names.lookup(name)
  t.equal(server.countQuestions(name), 2)
  t.equal(names.cacheEntries, 4)
  await names.keep([other])
  t.equal(names.cacheEntries, 3)
  for (let index = 5; index < 9; index++) await names.lookup(toName(`host-${index}.blob.core.windows.net`))
  await names.lookup(name)
  t.equal(server.countQuestions(name), 4)
  t.equal(server.countQuestions(other), 2)
})

t.test('static names are not asked for when they are kept', async (t) => {
  const address = parseAddress('127.0.0.1') as Address
  const { names, server } = await start(t, () => both, { hosts: new Map([[name, [{ address }]]]) })
  await names.keep([name])
  t.equal(server.questions.length, 0)
})

t.test('a change of addresses is told, their order is not', async (t) => {
  const { answers, answerWith } = createSwitch(both)
  const { names, queries, changes, passMs } = await start(t, answers, { staleForMs: 60_000 })
  const steps: ReadonlyArray<readonly [NameAnswer, string[]]> = [
    [both, []],
    [{ ...both, addresses: ['192.0.2.2', '2001:db8::1', '192.0.2.1'] }, []],
    [{ rcode: 'SERVFAIL' }, []],
    [{ ...both, addresses: ['192.0.2.2', '192.0.2.3', '2001:db8::1'] }, [`${name} 4 +192.0.2.3 -192.0.2.1`]],
    [{ ...both, addresses: ['192.0.2.2', '192.0.2.3', '2001:db8::2'] }, [`${name} 6 +2001:db8::2 -2001:db8::1`]],
  ]
  for (const [index, [answer, told]] of steps.entries()) {
    answerWith(answer)
    await names.lookup(name)
    // What is stale is given before the name servers have answered.
    while (queries.length < 2 * (index + 1)) await new Promise(setImmediate)
    t.strictSame(changes.splice(0), told, JSON.stringify(answer))
    passMs(10_001)
  }
})

t.test('a name whose address changes each second is asked for once a second at most', async (t) => {
  let asked = 0
  const { names, server, changes, passMs } = await start(t, () => ({ addresses: [`192.0.2.${++asked}`], ttl: 0 }))
  for (let tick = 0; tick < 40; tick++) {
    await names.lookup(name)
    passMs(100)
  }
  t.equal(server.countQuestions(name, 'A'), 4)
  t.equal(changes.length, 3)
})

t.test('a name with addresses of one family does not wait for the other, which it never had', async (t) => {
  let isSilent = false
  const { names, server, queries, lookups, passMs } = await start(t, ({ type }) => {
    if (type === 'A') return { addresses: ['192.0.2.1'], ttl: 300 }
    return isSilent ? { silent: true } : {}
  })
  await names.lookup(name)
  passMs(5001)
  isSilent = true
  const startedAt = performance.now()
  for (let round = 0; round < 20; round++) t.strictSame(await lookupTexts(names), ['192.0.2.1'])
  t.ok(performance.now() - startedAt < 500, 'twenty times, and not 50 ms each')
  t.equal(lookups.filter((result) => result === 'hit').length, 20)
  while (server.questions.length < 3) await new Promise(setImmediate)
  t.equal(server.countQuestions(name, 'AAAA'), 2, 'it is asked for behind the answer, once')
  t.equal(queries.length, 2)
})

t.test('a family that a name gets is there for the next look-up', async (t) => {
  const { answers, answerWith } = createSwitch({ addresses: ['192.0.2.1'], ttl: 300 })
  const { names, passMs } = await start(t, answers)
  await names.lookup(name)
  answerWith({ addresses: ['192.0.2.1', '2001:db8::1'], ttl: 300 })
  passMs(5001)
  t.strictSame(await lookupTexts(names), ['192.0.2.1'])
  while ((await lookupTexts(names)).length < 2) await new Promise(setImmediate)
})
