import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { type Resolver, createResolver } from '../../../src/dns/resolver.ts'
import {
  type NameAnswer, type NameQuestion, type NameServer, createTableAnswers, startNameServer,
} from '../../../src/lab/name-server.ts'
import { type HostName, canonicalHostName } from '../../../src/net/host-name.ts'

const name = canonicalHostName('contoso.azurecr.io') as HostName

async function startServer (t: Test, answers: (question: NameQuestion) => NameAnswer): Promise<NameServer> {
  const server = await startNameServer({ answers })
  t.teardown(() => server.close())
  return server
}

function createFor (t: Test, servers: ReadonlyArray<Pick<NameServer, 'address' | 'port'>>, timeoutMs = 2000): Resolver {
  const resolver = createResolver({ servers: servers.map(({ address, port }) => `${address}:${port}`), timeoutMs })
  t.teardown(() => resolver.close())
  return resolver
}

function textsOf (answer: Awaited<ReturnType<Resolver['resolve']>>): string[] {
  return answer.addresses.map(({ text }) => text)
}

t.test('each family has its own addresses and time to live', async (t) => {
  const server = await startServer(t, ({ type }) => ({
    addresses: ['192.0.2.1', '192.0.2.2', '2001:db8::1'], ttl: type === 'A' ? 42 : 7,
  }))
  const resolver = createFor(t, [server])
  t.strictSame(resolver.servers, [`127.0.0.1:${server.port}`])
  const ipv4 = await resolver.resolve(name, 4)
  t.strictSame([ipv4.outcome, textsOf(ipv4), ipv4.ttlMs], ['answered', ['192.0.2.1', '192.0.2.2'], 42_000])
  const ipv6 = await resolver.resolve(name, 6)
  t.strictSame([ipv6.outcome, textsOf(ipv6), ipv6.ttlMs], ['answered', ['2001:db8::1'], 7000])
})

t.test('the shortest time to live on the way through the aliases counts', async (t) => {
  const cname = [{ name: 'a.privatelink.example', ttl: 300 }, { name: 'b.cloudapp.example', ttl: 5 }]
  const resolver = createFor(t, [await startServer(t, () => ({ cname, addresses: ['192.0.2.1', '2001:db8::1'], ttl: 60 }))])
  for (const family of [4, 6] as const) t.equal((await resolver.resolve(name, family)).ttlMs, 5000)
})

t.test('nothing is remembered between two questions', async (t) => {
  const server = await startServer(t, createTableAnswers({ [name]: ['192.0.2.1'] }, 3600))
  const resolver = createFor(t, [server])
  await resolver.resolve(name, 4)
  await resolver.resolve(name, 4)
  t.equal(server.countQuestions(name, 'A'), 2)
})

t.test('each bad answer has its word', async (t) => {
  const table: ReadonlyArray<readonly [NameAnswer, string]> = [
    [{ rcode: 'NXDOMAIN' }, 'no_such_name'],
    [{}, 'no_addresses'],
    [{ cname: [{ name: 'nowhere.example', ttl: 5 }] }, 'no_addresses'],
    [{ rcode: 'SERVFAIL' }, 'server_failure'],
    [{ rcode: 'REFUSED' }, 'refused'],
    [{ silent: true }, 'timeout'],
    [{ wrongId: true, addresses: ['192.0.2.66'] }, 'timeout'],
    [{ wrongQuestion: true, addresses: ['192.0.2.66'] }, 'timeout'],
  ]
  for (const [answer, outcome] of table) {
    const resolver = createFor(t, [await startServer(t, () => answer)], 100)
    t.strictSame(await resolver.resolve(name, 4), { outcome, addresses: [], ttlMs: 0 }, JSON.stringify(answer))
  }
})

t.test('a port that nobody listens on refuses', async (t) => {
  const server = await startNameServer({ answers: () => ({}) })
  await server.close()
  t.equal((await createFor(t, [server], 100).resolve(name, 4)).outcome, 'refused')
})

t.test('an answer that was cut is fetched over TCP', async (t) => {
  const addresses = Array.from({ length: 200 }, (_, index) => `192.0.2.${index}`)
  const server = await startServer(t, () => ({ addresses }))
  const answer = await createFor(t, [server]).resolve(name, 4)
  t.strictSame(textsOf(answer).sort(), [...addresses].sort())
  t.strictSame(server.questions.map(({ transport }) => transport), ['udp', 'tcp'])
})

t.test('a lost datagram is asked for again', async (t) => {
  let asked = 0
  const server = await startServer(t, () => ++asked === 1 ? { silent: true } : { addresses: ['192.0.2.1'] })
  t.equal((await createFor(t, [server], 100).resolve(name, 4)).outcome, 'answered')
  t.equal(asked, 2)
})

t.test('when the first server is silent the second is asked', async (t) => {
  const [first, second] = await Promise.all([
    startServer(t, () => ({ silent: true })),
    startServer(t, () => ({ addresses: ['192.0.2.2'] })),
  ])
  t.strictSame(textsOf(await createFor(t, [first, second], 100).resolve(name, 4)), ['192.0.2.2'])
  t.equal(first.countQuestions(name), 1)
})

t.test('when nobody listens on the first server the second is asked', async (t) => {
  const gone = await startNameServer({ answers: () => ({}) })
  await gone.close()
  const second = await startServer(t, () => ({ addresses: ['192.0.2.2'] }))
  t.strictSame(textsOf(await createFor(t, [gone, second], 100).resolve(name, 4)), ['192.0.2.2'])
})

t.test('when the first server fails the second is asked, and first from then on', async (t) => {
  for (const rcode of ['SERVFAIL', 'REFUSED'] as const) {
    const [first, second] = await Promise.all([
      startServer(t, () => ({ rcode })),
      startServer(t, () => ({ addresses: ['192.0.2.2'] })),
    ])
    const resolver = createFor(t, [first, second])
    for (let round = 0; round < 2; round++) t.equal((await resolver.resolve(name, 4)).outcome, 'answered')
    t.strictSame([first.questions.length, second.questions.length], [1, 2], rcode)
    t.strictSame(resolver.servers, [second, first].map(({ port }) => `127.0.0.1:${port}`))
  }
})

t.test('that there is no such name is an answer, and the second server is not asked', async (t) => {
  for (const answer of [{ rcode: 'NXDOMAIN' }, {}] as const) {
    const [first, second] = await Promise.all([
      startServer(t, () => answer),
      startServer(t, () => ({ addresses: ['192.0.2.2'] })),
    ])
    t.equal((await createFor(t, [first, second]).resolve(name, 4)).outcome, answer.rcode === undefined ? 'no_addresses' : 'no_such_name')
    t.equal(second.questions.length, 0)
  }
})

t.test('of several failures that one is told which a server spoke of, and only the silent are asked again', async (t) => {
  const [silent, failing] = await Promise.all([
    startServer(t, () => ({ silent: true })),
    startServer(t, () => ({ rcode: 'SERVFAIL' })),
  ])
  t.equal((await createFor(t, [silent, failing], 100).resolve(name, 4)).outcome, 'server_failure')
  t.strictSame([silent.questions.length, failing.questions.length], [2, 1])
})

t.test('a question that is under way when the resolver is closed ends, and no other server is asked', async (t) => {
  const [silent, second] = await Promise.all([
    startServer(t, () => ({ silent: true })),
    startServer(t, () => ({ addresses: ['192.0.2.2'] })),
  ])
  const resolver = createFor(t, [silent, second], 60_000)
  const answer = resolver.resolve(name, 4)
  while (silent.questions.length === 0) await new Promise(setImmediate)
  resolver.close()
  t.equal((await answer).outcome, 'failed')
  t.equal(second.questions.length, 0)
})

t.test('when the servers of the system fail, those that it has by now are asked from then on', async (t) => {
  const gone = await startNameServer({ answers: () => ({}) })
  await gone.close()
  const server = await startServer(t, () => ({ addresses: ['192.0.2.1'] }))
  const system = [`127.0.0.1:${gone.port}`]
  const resolver = createResolver({ timeoutMs: 100, listSystemServers: () => [...system] })
  t.teardown(() => resolver.close())
  t.equal((await resolver.resolve(name, 4)).outcome, 'refused')
  system.unshift(`127.0.0.1:${server.port}`)
  t.equal((await resolver.resolve(name, 4)).outcome, 'refused')
  t.equal((await resolver.resolve(name, 4)).outcome, 'answered')
  t.strictSame(resolver.servers, system)
})

t.test('of an answer with hundreds of addresses the first 256 are taken', async (t) => {
  const addresses = Array.from({ length: 600 }, (_, index) => `192.0.${index >> 8}.${index & 255}`)
  const server = await startServer(t, () => ({ addresses }))
  t.equal((await createFor(t, [server]).resolve(name, 4)).addresses.length, 256)
})

t.test('a name server may have an IPv6 address', async (t) => {
  const server = await startServer(t, () => ({ addresses: ['192.0.2.1'] }))
  const port = await startIpv6Forwarder(t, server.port)
  const resolver = createResolver({ servers: [`[::1]:${port}`], timeoutMs: 2000 })
  t.strictSame(resolver.servers, [`[::1]:${port}`])
  t.strictSame(textsOf(await resolver.resolve(name, 4)), ['192.0.2.1'])
})

/** Passes each question on to a name server on 127.0.0.1, and its answer back. */
async function startIpv6Forwarder (t: Test, port: number): Promise<number> {
  const front = createSocket('udp6')
  const back = createSocket('udp4')
  t.teardown(() => {
    front.close()
    back.close()
  })
  front.on('message', (question, asker) => {
    back.once('message', (answer) => front.send(answer, asker.port, asker.address))
    back.send(question, port, '127.0.0.1')
  })
  front.bind(0, '::1')
  await once(front, 'listening')
  return front.address().port
}

t.test('without servers those of the system are used', (t) => {
  t.ok(createResolver({ timeoutMs: 1000 }).servers.length > 0)
  t.end()
})

t.test('closing ends the questions that are under way', async (t) => {
  const server = await startServer(t, () => ({ silent: true }))
  const resolver = createResolver({ servers: [`127.0.0.1:${server.port}`], timeoutMs: 60_000 })
  const answers = Promise.all([resolver.resolve(name, 4), resolver.resolve(name, 6)])
  while (server.questions.length < 2) await new Promise(setImmediate)
  resolver.close()
  for (const answer of await answers) t.strictSame(answer, { outcome: 'failed', addresses: [], ttlMs: 0 })
})
