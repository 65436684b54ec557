import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { text as readAll } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { requestTunnel } from '../../../src/outbound/tunnel-request.ts'
import { startUpstream } from '../../support/upstream.ts'

const target = 'contoso.azurecr.io:443'

/** Connects to a proxy that, asked for anything, says this; the first bytes it was sent are kept. */
async function connectTo (t: Test, speak: (socket: Socket) => void) {
  const heads: string[] = []
  const upstream = await startUpstream(t, (socket) => {
    socket.once('data', (bytes: Buffer) => {
      heads.push(bytes.toString('latin1'))
      speak(socket)
    })
  })
  const socket = connect({ host: '127.0.0.1', port: upstream.port, allowHalfOpen: true })
  t.teardown(() => { socket.destroy() })
  await once(socket, 'connect')
  return { socket, heads }
}

async function ask (socket: Socket, signal: AbortSignal = new AbortController().signal) {
  return await requestTunnel({ socket, target, headers: { 'Proxy-Authorization': 'Basic eA==' }, signal })
}

t.test('a CONNECT goes out once, and what is behind the 2xx is the first that the socket gives', async (t) => {
  const { socket, heads } = await connectTo(t, (proxy) => proxy.end('HTTP/1.1 200 OK\r\nX: y\r\n\r\nearly, and all'))
  t.match(await ask(socket), { statusCode: 200, statusText: 'OK', headers: { x: 'y' } })
  t.same(heads.map((head) => head.split('\r\n')[0]), [`CONNECT ${target} HTTP/1.1`])
  t.match(heads[0], `\r\nHost: ${target}\r\n`)
  t.match(heads[0], '\r\nProxy-Authorization: Basic eA==\r\n')
  t.equal(await readAll(socket), 'early, and all')
})

t.test('of a socket that was answered nothing is left but the socket', async (t) => {
  const { socket } = await connectTo(t, (proxy) => proxy.write('HTTP/1.1 200 OK\r\n\r\n'))
  const before = socket.eventNames().map((name) => [name, socket.listenerCount(name)])
  await ask(socket)
  t.same(socket.eventNames().map((name) => [name, socket.listenerCount(name)]), before)
  t.equal(socket.readableFlowing, null)
})

t.test('a 2xx has no content, whatever its head says of one', async (t) => {
  for (const header of ['Content-Length: 3', 'Transfer-Encoding: chunked', 'Connection: close', 'Upgrade: h2c\r\nConnection: upgrade']) {
    const { socket } = await connectTo(t, (proxy) => proxy.end(`HTTP/1.1 200 OK\r\n${header}\r\n\r\n3\r\nabc\r\n`))
    t.match(await ask(socket), { statusCode: 200 }, header)
    t.equal(await readAll(socket), '3\r\nabc\r\n', header)
  }
})

t.test('interim answers are passed over, in one packet or byte by byte, and no more than a few of them', async (t) => {
  const whole = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.0 200 OK\r\n\r\nearly'
  const once = await connectTo(t, (proxy) => proxy.end(whole))
  t.match(await ask(once.socket), { statusCode: 200 })
  t.equal(await readAll(once.socket), 'early')
  t.equal(once.heads.length, 1, 'the CONNECT was not sent again')
  const slow = await connectTo(t, (proxy) => {
    const bytes = [...whole]
    const next = (): void => {
      const byte = bytes.shift()
      if (byte === undefined) proxy.end()
      else proxy.write(byte, () => setImmediate(next))
    }
    next()
  })
  t.match(await ask(slow.socket), { statusCode: 200 })
  t.equal(await readAll(slow.socket), 'early')
  const endless = await connectTo(t, (proxy) => proxy.write('HTTP/1.1 102 Processing\r\n\r\n'.repeat(100)))
  await t.rejects(ask(endless.socket), { code: 'HPE_INVALID_STATUS' })
  t.ok(endless.socket.destroyed)
})

t.test('an answer that ends behind an interim one, or says 101, opens no tunnel', async (t) => {
  const cut = await connectTo(t, (proxy) => proxy.end('HTTP/1.1 100 Continue\r\n\r\n'))
  await t.rejects(ask(cut.socket), { code: 'ECONNRESET' })
  const switching = await connectTo(t, (proxy) => proxy.end('HTTP/1.1 101 Switching Protocols\r\n\r\n'))
  t.match(await ask(switching.socket), { statusCode: 101 })
})

t.test('a refusal is an answer, and its content is left on the socket', async (t) => {
  const { socket } = await connectTo(t, (proxy) => proxy.end('HTTP/1.1 403 host_not_allowed: no\r\nContent-Length: 4\r\n\r\nbody'))
  t.match(await ask(socket), { statusCode: 403, statusText: 'host_not_allowed: no', headers: { 'content-length': '4' } })
  t.equal(await readAll(socket), 'body')
})

t.test('what is no answer has a code, and leaves nothing open', async (t) => {
  const table: ReadonlyArray<readonly [says: string, code: RegExp]> = [
    ['', /^ECONNRESET$/],
    ['HTTP/1.1 200 OK\r\nX: y\r\n', /^ECONNRESET$/],
    ['\x15\x03\x01\x00\x02\x02\x46', /^HPE_/],
    ['SSH-2.0-OpenSSH_9.2\r\n', /^HPE_/],
    ['HTTP/2 200\r\n\r\n', /^HPE_/],
    ['HTTP/1.1 20 OK\r\n\r\n', /^HPE_/],
    [`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`, /^HPE_HEADER_OVERFLOW$/],
    ['HTTP/1.1 200 OK\nX y\n\n', /^HPE_/],
  ]
  for (const [says, code] of table) {
    const { socket } = await connectTo(t, (proxy) => proxy.end(says, 'latin1'))
    await t.rejects(ask(socket), { code }, says.slice(0, 40))
    t.ok(socket.destroyed)
  }
})

t.test('a reset instead of an answer, and a connection that is gone already, have a code', async (t) => {
  const { socket } = await connectTo(t, (proxy) => proxy.resetAndDestroy())
  await t.rejects(ask(socket), { code: 'ECONNRESET' })
  await t.rejects(ask(socket), { code: 'ECONNRESET' })
})

t.test('an answer that does not come, or never ends, is given up with the signal', async (t) => {
  for (const says of ['', 'HTTP/1.1 200 OK\r\nX: ', 'HTTP/1.1 100 Continue\r\n\r\n']) {
    const controller = new AbortController()
    const { socket } = await connectTo(t, (proxy) => {
      proxy.write(says)
      setImmediate(() => controller.abort())
    })
    await t.rejects(ask(socket, controller.signal), { code: 'ECONNRESET' })
    t.ok(socket.destroyed)
  }
  const { socket, heads } = await connectTo(t, () => {})
  await t.rejects(ask(socket, AbortSignal.abort()), { code: 'ECONNRESET' })
  t.same(heads, [], 'nothing is sent when it is too late already')
})
