import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import t, { type Test } from 'tap'
import { parsePeer } from '../../../src/proxy/listener.ts'
import { issueProxyCertificate } from '../../support/proxy-certificate.ts'
import { startListener } from '../../support/proxy-listener.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { createTlsFiles } from '../../support/tls-files.ts'
import { waitUntil } from '../../support/wait-until.ts'

const connectHead = 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n'
const { ca, files } = await issueProxyCertificate()
const tls = createTlsFiles({ pairs: [{ cert: files['server.crt'] ?? '', key: files['server.key'] ?? '' }] })

t.test('a CONNECT is handed over with its client, in clear text and in TLS on one port', async (t) => {
  const running = await startListener(t, { tls })
  const plain = await connectRaw(t, running)
  plain.send(`${connectHead}early`)
  const secure = await connectRaw(t, { ...running, ca })
  secure.send(`${connectHead}early`)
  await waitUntil(() => running.connects.length === 2, 'both')
  for (const { client, target, early, end } of running.connects) {
    t.equal(client.address.text, '127.0.0.1')
    t.equal(client.port, end.socket.remotePort)
    t.equal(target, 'a:443')
    t.equal(early.toString(), 'early')
  }
  const [first, second] = running.connects
  t.equal(first?.end.stream, first?.end.socket, 'without TLS there is one stream')
  t.not(second?.end.stream, second?.end.socket)
  t.strictSame(running.counted, ['opened', 'opened'])
})

t.test('who has asked is not hurried, and owns the connection', async (t) => {
  const headTimeoutMs = 50
  const { connects, unusables, ...running } = await startListener(t, { headTimeoutMs })
  const asked = await connectRaw(t, running)
  asked.send(connectHead)
  await waitUntil(() => connects.length === 1, 'the request')
  const silent = await connectRaw(t, running)
  await silent.ended
  t.equal(unusables.length, 0, 'nothing is said to a client that said nothing')
  connects[0]?.end.stream.write('hello')
  t.equal((await asked.receive(5)).toString(), 'hello')
  t.strictSame(running.counted, ['opened', 'opened', 'closed'])
})

t.test('a client that is told to ask anew does so on the same connection, in clear text and in TLS', async (t) => {
  const running = await startListener(t, { tls })
  for (const more of [{}, { ca }]) {
    const client = await connectRaw(t, { ...running, ...more })
    const before = running.connects.length
    // The second request has come before the first is answered.
    client.send(`${connectHead}CONNECT b:443 HTTP/1.1\r\nProxy-Authorization: Basic YTpi\r\n\r\nearly`)
    await waitUntil(() => running.connects.length === before + 1, 'the first request')
    running.connects[before]?.again?.()
    await waitUntil(() => running.connects.length === before + 2, 'the second request')
    const second = running.connects[before + 1]
    t.match(second, { target: 'b:443', authorization: 'Basic YTpi', client: { port: running.connects[before]?.client.port } })
    t.equal(second?.early.toString(), 'early')
    second?.again?.()
    client.send(' is no head\r\n\r\n')
    await waitUntil(() => running.unusables.length > 0, 'what is no head')
    t.match(running.unusables.splice(0), [{ refusal: { reason: 'bad_request' } }])
  }
})

t.test('a client may ask anew a few times, not for ever', async (t) => {
  const running = await startListener(t)
  const client = await connectRaw(t, running)
  for (let asked = 1; asked <= 4; asked++) {
    client.send(connectHead)
    await waitUntil(() => running.connects.length === asked, `request ${asked}`)
    t.equal(running.connects.at(-1)?.again === undefined, asked === 4)
    running.connects.at(-1)?.again?.()
  }
})

t.test('a client that says it will close is not let ask anew', async (t) => {
  const running = await startListener(t)
  for (const head of ['CONNECT a:443 HTTP/1.0\r\n\r\n', 'CONNECT a:443 HTTP/1.1\r\nConnection: close\r\n\r\n']) {
    const before = running.connects.length
    const client = await connectRaw(t, running)
    client.send(head)
    await waitUntil(() => running.connects.length > before, 'the request')
    t.equal(running.connects.at(-1)?.again, undefined)
  }
})

t.test('a client that has been answered and asks nothing more is closed without a word', async (t) => {
  const running = await startListener(t, { headTimeoutMs: 50 })
  const silent = await connectRaw(t, running)
  silent.send(connectHead)
  await waitUntil(() => running.connects.length === 1, 'the request')
  running.connects[0]?.again?.()
  t.equal((await silent.ended).bytes.length, 0)
  t.equal(running.unusables.length, 0)
  const slow = await connectRaw(t, running)
  slow.send(connectHead)
  await waitUntil(() => running.connects.length === 2, 'the request')
  running.connects[1]?.again?.()
  slow.send('CONN')
  await waitUntil(() => running.unusables.length > 0, 'the time to be up')
  t.match(running.unusables, [{ refusal: { reason: 'head_timeout' } }])
})

t.test('half a head is handed over as unusable when the time is up', async (t) => {
  const { unusables, ...running } = await startListener(t, { headTimeoutMs: 50 })
  const client = await connectRaw(t, running)
  client.send('CONNECT')
  await waitUntil(() => unusables.length > 0, 'the time to be up')
  t.match(unusables, [{ target: '', refusal: { reason: 'head_timeout' }, client: { address: { text: '127.0.0.1' } } }])
  client.send(' a:443 HTTP/1.1\r\n\r\nmore')
  client.socket.end()
  await waitUntil(() => unusables[0]?.end.stream.readableEnded === true, 'the rest to be thrown away')
  t.equal(unusables.length, 1)
  t.equal(running.connects.length, 0, 'a connection is handed over once')
})

t.test('TLS where there is none is handed over as unusable', async (t) => {
  const { unusables, ...running } = await startListener(t)
  const client = await connectRaw(t, running)
  client.send('\x16')
  await waitUntil(() => unusables.length > 0, 'the first byte')
  t.match(unusables, [{ target: '', refusal: { reason: 'bad_request' } }])
})

t.test('a handshake that fails is counted, and its connection closed', async (t) => {
  const running = await startListener(t, { tls })
  const client = await connectRaw(t, running)
  client.send('\x16garbage that is no record')
  await client.ended
  await waitUntil(() => running.counted.length === 3, 'the end')
  t.strictSame([...running.counted].sort(), ['closed', 'opened', 'other'])
})

t.test('connections beyond the limit are closed as they come', async (t) => {
  const running = await startListener(t, { maxConnections: 1 })
  const first = await connectRaw(t, running)
  const second = await connectRaw(t, running)
  await second.ended
  first.send(connectHead)
  await waitUntil(() => running.connects.length === 1, 'the first')
  t.strictSame(running.counted, ['opened', 'dropped by gateway'])
})

t.test('a client has a limit of its own on connections, by address or /64, and takes none from others', async (t) => {
  for (const [host, same, other] of [['127.0.0.1', '127.0.0.1', '127.0.0.2'], ['::1', '::1', undefined]] as const) {
    const running = await startListener(t, { maxConnectionsPerClient: 2, listen: { address: host, port: 0 } })
    const first = await connectRaw(t, { ...running, localAddress: same })
    await connectRaw(t, { ...running, localAddress: same })
    const third = await connectRaw(t, { ...running, localAddress: same })
    t.match(await third.ended, { bytes: Buffer.alloc(0) }, 'nothing is said')
    if (other !== undefined) (await connectRaw(t, { ...running, localAddress: other })).send(connectHead)
    first.reset()
    await waitUntil(() => running.counted.includes('closed'), 'the first to be gone')
    const fourth = await connectRaw(t, { ...running, localAddress: same })
    fourth.send(connectHead)
    await waitUntil(() => running.connects.length === (other === undefined ? 1 : 2), 'the others')
    t.equal(running.counted.filter((event) => event === 'dropped by client').length, 1)
  }
})

t.test('a listener that stops accepting lets its connections go on', async (t) => {
  const running = await startListener(t)
  const client = await connectRaw(t, running)
  await waitUntil(() => running.counted.length === 1, 'the connection')
  running.listener.stopAccepting()
  await t.rejects(connectRaw(t, running), { code: 'ECONNREFUSED' })
  client.send(connectHead)
  await waitUntil(() => running.connects.length === 1, 'the request')
  running.listener.close()
  await client.ended
  await waitUntil(() => running.counted.length === 2, 'the end')
  t.strictSame(running.counted, ['opened', 'closed'], 'closing ends what was handed over, too')
  running.listener.close()
})

t.test('a port that is taken is the system\'s error', async (t) => {
  const { port } = await startListener(t)
  await t.rejects(startListener(t, { listen: { address: '127.0.0.1', port } }), { code: 'EADDRINUSE' })
})

t.test('a client has one address, whatever the socket it comes to', async (t) => {
  await t.test('IPv4, at a socket for both families', async (t) => {
    const running = await startListener(t, { listen: { address: '::', port: 0 } })
    await ask(t, { host: '127.0.0.1', port: running.port })
    await waitUntil(() => running.connects.length === 1, 'the request')
    t.match(running.connects[0]?.client.address, { family: 4, text: '127.0.0.1' })
  })

  await t.test('IPv6', async (t) => {
    const running = await startListener(t, { listen: { address: '::1', port: 0 } })
    await ask(t, running)
    await waitUntil(() => running.connects.length === 1, 'the request')
    t.match(running.connects[0]?.client.address, { family: 6, text: '::1' })
  })

  // Link-local addresses are nobody's on loopback, so these are the texts that Node gives.
  const peers = [
    ['fe80::1%eth0', 'fe80::1'], ['fe80::a:b%2', 'fe80::a:b'], ['::ffff:192.0.2.1', '192.0.2.1'], ['192.0.2.1', '192.0.2.1'],
    ['2001:DB8::1', '2001:db8::1'], ['', undefined], ['%eth0', undefined],
  ] as const
  for (const [text, expected] of peers) t.equal(parsePeer(text)?.text, expected, JSON.stringify(text))
})

async function ask (t: Test, { host, port }: { host: string, port: number }): Promise<Socket> {
  const socket = connect({ host, port })
  t.teardown(() => { socket.destroy() })
  await once(socket, 'connect')
  socket.write(connectHead)
  return socket
}
