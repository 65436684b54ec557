import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type Socket, connect } from 'node:net'
import t, { type Test } from 'tap'
import { listenOnLoopback } from '../../../src/lab/loopback.ts'
import { knownHostName } from '../../../src/net/host-name.ts'
import { type ExchangeBounds, ExchangeError, exchangeBounds, startExchange } from '../../../src/proxy/exchange.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { startUpstream } from '../../support/upstream.ts'

/** One exchange with an upstream that says what it is told to, within these bounds. */
async function exchangeOver (t: Test, bounds: Partial<ExchangeBounds>, speak: (socket: Socket) => void) {
  const upstream = await startUpstream(t, (socket) => { socket.once('data', () => speak(socket)) })
  const socket = connect({ host: '127.0.0.1', port: upstream.port, allowHalfOpen: true })
  await once(socket, 'connect')
  const server = createHttpServer()
  const { port, close } = await listenOnLoopback(server)
  t.teardown(close)
  const client = await connectRaw(t, { host: '127.0.0.1', port })
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  const [request, response] = await once(server, 'request')
  const exchange = startExchange({
    request,
    response,
    client: { stream: request.socket, socket: request.socket },
    upstream: socket,
    authority: { host: knownHostName('crl3.digicert.com'), port: 80 },
    path: '/',
    bounds: { ...exchangeBounds, ...bounds },
  })
  return { client, exchange, socket }
}

t.test('an upstream that says nothing is given up in time, and the client is left to be told', async (t) => {
  const { client, exchange, socket } = await exchangeOver(t, { idleTimeoutMs: 50 }, () => {})
  await t.rejects(exchange.answered, { name: 'ExchangeError', outcome: 'timeout' })
  t.ok(socket.destroyed)
  t.equal(await exchange.ended, 'idle')
  t.notOk(client.socket.destroyed)
})

t.test('an upstream that never comes to an end of its head is given up when the whole time is up', async (t) => {
  const { exchange } = await exchangeOver(t, { totalTimeoutMs: 100 }, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nX: ')
  })
  await t.rejects(exchange.answered, { name: 'ExchangeError', outcome: 'timeout' })
  t.equal(await exchange.ended, 'stopped')
})

t.test('an answer that falls silent, or goes on for too long, ends by a reset', async (t) => {
  for (const [bounds, end] of [[{ idleTimeoutMs: 50 }, 'idle'], [{ totalTimeoutMs: 50 }, 'stopped']] as const) {
    const { client, exchange } = await exchangeOver(t, bounds, (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart')
    })
    await exchange.answered
    t.equal(await exchange.ended, end)
    t.equal((await client.ended).how, 'reset')
  }
})

t.test('an answer without a length ends by a reset when it has become too long', async (t) => {
  const { client, exchange } = await exchangeOver(t, { maxAnswerBytes: 100_000 }, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    const pour = (): void => { while (!socket.destroyed && socket.write(Buffer.alloc(10_000))); }
    socket.on('drain', pour)
    pour()
  })
  await exchange.answered
  t.equal(await exchange.ended, 'stopped')
  t.notOk((await client.ended).bytes.includes('\r\n0\r\n'), 'without the mark of a whole answer')
  t.ok(exchange.bytes.fromUpstream > 100_000 && exchange.bytes.fromUpstream < 300_000, `${exchange.bytes.fromUpstream}`)
})

t.test('no switch of the environment has the name looked up again, past the checked address', async (t) => {
  process.env['FORCE_FETCH_PATH'] = 'true'
  t.teardown(() => { delete process.env['FORCE_FETCH_PATH'] })
  const { client, exchange } = await exchangeOver(t, {}, (socket) => {
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nchecked')
  })
  await exchange.answered
  t.match((await client.ended).bytes.toString(), 'checked')
  t.equal(await exchange.ended, 'closed')
})

t.test('a failure says what it was', async (t) => {
  const cause = new Error('reset')
  t.match(new ExchangeError('failed', cause), { name: 'ExchangeError', outcome: 'failed', cause })
})
