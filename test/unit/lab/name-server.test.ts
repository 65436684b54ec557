import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import {
  createTableAnswers, startNameServer, type NameAnswer, type NameQuestion, type NameServer,
} from '../../../src/lab/name-server.ts'

async function start (t: Test, answers: (question: NameQuestion) => NameAnswer): Promise<NameServer> {
  const server = await startNameServer({ answers })
  t.teardown(async () => await server.close())
  return server
}

function createResolver (server: NameServer, timeout = 2000): Resolver {
  const resolver = new Resolver({ timeout, tries: 1 })
  resolver.setServers([`${server.address}:${server.port}`])
  return resolver
}

/** A question as it travels: `\x07contoso\x02io\0`, type and class. */
function encodeQuery (name: string, type = 1, id = 0x1234): Buffer {
  const labels = name.split('.').map((label) => `${String.fromCharCode(label.length)}${label}`).join('')
  return Buffer.concat([
    Buffer.from([id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), Buffer.from(`${labels}\0`, 'latin1'), Buffer.from([0, type, 0, 1]),
  ])
}

async function ask (t: Test, server: NameServer, ...messages: Buffer[]): Promise<Buffer> {
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  for (const message of messages) socket.send(message, server.port, server.address)
  const [answer] = await once(socket, 'message') as [Buffer]
  return answer
}

t.test('a resolver gets the addresses of its type with their TTL', async t => {
  const answers = createTableAnswers({ 'contoso.azurecr.io': ['192.0.2.1', '2001:db8::1', '::ffff:192.0.2.3', '192.0.2.2'] }, 42)
  const server = await start(t, answers)
  const resolver = createResolver(server)
  t.strictSame(await resolver.resolve4('Contoso.azurecr.io', { ttl: true }), [
    { address: '192.0.2.1', ttl: 42 }, { address: '192.0.2.2', ttl: 42 },
  ])
  t.strictSame(await resolver.resolve6('contoso.azurecr.io', { ttl: true }), [
    { address: '2001:db8::1', ttl: 42 }, { address: '::ffff:192.0.2.3', ttl: 42 },
  ])
  t.equal(server.countQuestions('contoso.azurecr.io'), 2)
  t.equal(server.countQuestions('contoso.azurecr.io', 'AAAA'), 1)
  t.equal(server.countQuestions('other.azurecr.io'), 0)
  t.strictSame(server.questions[0], { name: 'contoso.azurecr.io', type: 'A', transport: 'udp' })
})

t.test('a name outside the table does not exist, and a name without such an address has no data', async t => {
  const resolver = createResolver(await start(t, createTableAnswers({ 'four.example': ['192.0.2.1'] })))
  await t.rejects(resolver.resolve4('other.example'), { code: 'ENOTFOUND' })
  await t.rejects(resolver.resolve6('four.example'), { code: 'ENODATA' })
})

t.test('aliases lead to the addresses', async t => {
  const server = await start(t, () => ({
    cname: [{ name: 'a.privatelink.example', ttl: 300 }, { name: 'b.cloudapp.example', ttl: 30 }], addresses: ['192.0.2.1'], ttl: 10,
  }))
  const resolver = createResolver(server)
  const [address] = await resolver.resolve4('contoso.azurecr.io', { ttl: true })
  t.equal(address?.address, '192.0.2.1')
  t.strictSame(await resolver.resolveCname('contoso.azurecr.io'), ['a.privatelink.example'])
  const answer = await ask(t, server, encodeQuery('contoso.azurecr.io'))
  t.equal(answer.readUInt16BE(6), 3, 'two aliases and one address')
  t.ok(answer.includes(Buffer.from('\x01b\x08cloudapp\x07example\0\0\x01\0\x01\0\0\0\x0a\0\x04\xc0\0\x02\x01', 'latin1')))
})

t.test('the response codes of a name server in trouble arrive', async t => {
  const resolver = createResolver(await start(t, ({ name }) => {
    if (name === 'refused.example') return { rcode: 'REFUSED' }
    if (name === 'throws.example') throw new Error('a bug in a test table')
    return { rcode: 'SERVFAIL' }
  }))
  await t.rejects(resolver.resolve4('servfail.example'), { code: 'ESERVFAIL' })
  await t.rejects(resolver.resolve4('refused.example'), { code: 'EREFUSED' })
  await t.rejects(resolver.resolve4('throws.example'), { code: 'ESERVFAIL' })
})

t.test('a truncated answer brings the resolver back over TCP on the same port', async t => {
  const server = await start(t, () => ({ addresses: ['192.0.2.1'], truncate: true }))
  t.strictSame(await createResolver(server).resolve4('contoso.azurecr.io'), ['192.0.2.1'])
  t.strictSame(server.questions.map(({ transport }) => transport), ['udp', 'tcp'])
})

t.test('an answer too long for UDP is truncated by itself', async t => {
  const addresses = Array.from({ length: 200 }, (_, index) => `192.0.2.${index}`)
  const server = await start(t, () => ({ addresses }))
  t.equal((await createResolver(server).resolve4('many.example')).length, 200)
  t.equal(server.questions.at(-1)?.transport, 'tcp')
})

t.test('the question comes back in the letters it was asked in', async t => {
  const server = await start(t, () => ({ addresses: ['192.0.2.1'] }))
  const answer = await ask(t, server, encodeQuery('cOnToSo.AzureCR.io'))
  t.ok(answer.includes(Buffer.from('\x07cOnToSo\x07AzureCR\x02io\0', 'latin1')))
  t.equal(server.countQuestions('contoso.azurecr.io', 'A'), 1)
})

t.test('a lying answer differs from the question in what was asked to be wrong', async t => {
  const server = await start(t, ({ name }) => ({
    addresses: ['192.0.2.1'], wrongId: name === 'id.example', wrongQuestion: name === 'question.example',
  }))
  const wrongId = await ask(t, server, encodeQuery('id.example'))
  t.not(wrongId.readUInt16BE(0), 0x1234)
  t.ok(wrongId.includes('id'))
  const wrongQuestion = await ask(t, server, encodeQuery('question.example'))
  t.equal(wrongQuestion.readUInt16BE(0), 0x1234)
  t.equal(wrongQuestion.toString('latin1', 12, 12 + 21), '\x03not\x08question\x07example')
  await t.rejects(createResolver(server, 200).resolve4('id.example'), { code: 'ETIMEOUT' })
})

t.test('a silent name server lets the resolver run into its timeout', async t => {
  const server = await start(t, () => ({ silent: true }))
  await t.rejects(createResolver(server, 100).resolve4('contoso.azurecr.io'), { code: 'ETIMEOUT' })
  t.ok(server.questions.length > 0)
})

t.test('a delayed answer comes after answers to later questions', async t => {
  const server = await start(t, ({ name }) => ({ addresses: ['192.0.2.1'], delayMs: name === 'slow.example' ? 60 : 0 }))
  const resolver = createResolver(server)
  const order: string[] = []
  await Promise.all(['slow.example', 'fast.example'].map(async (name) => {
    await resolver.resolve4(name)
    order.push(name)
  }))
  t.strictSame(order, ['fast.example', 'slow.example'])
})

t.test('an answer still delayed does not hold up the closing', async t => {
  const server = await startNameServer({ answers: () => ({ addresses: ['192.0.2.1'], delayMs: 3_600_000 }) })
  const socket = connect(server.port, server.address)
  const query = encodeQuery('contoso.azurecr.io')
  socket.write(Buffer.concat([Buffer.from([0, query.length]), query]))
  socket.resume()
  while (server.questions.length === 0) await new Promise(setImmediate)
  const closed = once(socket, 'close')
  await server.close()
  await closed
  t.pass('closed at once, with its connection')
})

t.test('several questions on one TCP connection are answered, however they are cut', async t => {
  const server = await start(t, () => ({ addresses: ['192.0.2.1'] }))
  const socket = connect({ port: server.port, host: server.address, noDelay: true })
  t.teardown(() => socket.destroy())
  const framed = [1, 2].map((id) => {
    const query = encodeQuery('contoso.azurecr.io', 1, id)
    return Buffer.concat([Buffer.from([0, query.length]), query])
  })
  const bytes = Buffer.concat(framed)
  socket.write(bytes.subarray(0, 1))
  await new Promise(setImmediate)
  socket.write(bytes.subarray(1, 50))
  await new Promise(setImmediate)
  socket.write(bytes.subarray(50))
  let received = Buffer.alloc(0)
  while (received.length < 4 || received.length < 2 * (2 + received.readUInt16BE(0))) {
    const [chunk] = await once(socket, 'data') as [Buffer]
    received = Buffer.concat([received, chunk])
  }
  const second = 2 + received.readUInt16BE(0)
  t.equal(received.readUInt16BE(2), 1)
  t.equal(received.readUInt16BE(second + 2), 2)
})

t.test('what is no question gets no answer, and the next question does', async t => {
  const server = await start(t, () => ({ addresses: ['192.0.2.1'] }))
  const good = encodeQuery('contoso.azurecr.io')
  const response = Buffer.from(good)
  response[2] = 0x81
  const twoQuestions = Buffer.from(good)
  twoQuestions[5] = 2
  const pointer = Buffer.concat([good.subarray(0, 12), Buffer.from([0xc0, 0x0c, 0, 1, 0, 1])])
  const broken = [
    Buffer.alloc(0), Buffer.from([1]), good.subarray(0, 12), good.subarray(0, 20), good.subarray(0, -1),
    response, twoQuestions, pointer, Buffer.alloc(512, 0xff), encodeQuery(new Array(60).fill('aaaa').join('.')),
  ]
  const answer = await ask(t, server, ...broken, encodeQuery('contoso.azurecr.io', 1, 0x4321))
  t.equal(answer.readUInt16BE(0), 0x4321)
  t.equal(server.questions.length, 1)
})

t.test('rubbish over TCP ends that connection', async t => {
  const server = await start(t, () => ({}))
  for (const rubbish of [Buffer.from([0xff, 0xff]), Buffer.from([0, 1, 7])]) {
    const socket = connect(server.port, server.address)
    socket.on('error', () => {}).resume()
    socket.write(rubbish)
    await once(socket, 'close')
  }
  t.equal(server.questions.length, 0)
})
