import { once } from 'node:events'
import { type Socket, connect, createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { listenOnLoopback } from '../../../src/lab/loopback.ts'
import { createHeadParser, maxHeadBytes } from '../../../src/proxy/head-parser.ts'
import { waitUntil } from '../../support/wait-until.ts'

/** What a parser said of one stream. */
interface Report {
  readonly event: 'connect' | 'plain' | 'unusable' | 'broken'
  readonly stream: Duplex
  readonly target?: string
  readonly early?: string
  readonly authorization?: string | undefined
  readonly isPersistent?: boolean
  readonly reason?: string
  readonly detail?: string
}

/** A connection whose one end the parser reads, and everything it says of it. */
async function startParser (t: Test, pseudonym?: string) {
  const reports: Report[] = []
  const heads = createHeadParser({
    connect (stream, { early, ...head }) {
      reports.push({ event: 'connect', stream, ...head, early: early.toString('latin1') })
    },
    plain (stream, request) {
      request.resume()
      reports.push({ event: 'plain', stream, target: request.url ?? '' })
    },
    unusable: (stream, target, { reason, detail }) => { reports.push({ event: 'unusable', stream, target, reason, detail }) },
    broken (stream) {
      reports.push({ event: 'broken', stream })
      stream.destroy()
    },
  }, pseudonym)
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    heads.read(socket)
  })
  const { port, close } = await listenOnLoopback(server)
  t.teardown(close)
  const client = connect({ port, host: '127.0.0.1' })
  client.on('error', () => {})
  t.teardown(() => { client.destroy() })
  await once(client, 'connect')
  return {
    client,
    reports,
    async report () {
      await waitUntil(() => reports.length > 0, 'a report')
      return reports[0] as Report
    },
  }
}

/** Reads to the end, which may have come before the report of the head was looked at. */
async function readAway (stream: Duplex): Promise<void> {
  stream.resume()
  if (!stream.readableEnded) await once(stream, 'end')
}

t.test('the credentials of a CONNECT are reported with it, unless there are two of them', async (t) => {
  for (const [headers, authorization] of [
    ['', undefined],
    ['pRoxy-authorization: Basic YTpi\r\n', 'Basic YTpi'],
    ['Proxy-Authorization: Basic YTpi\r\nProxy-Authorization: Basic YTpj\r\n', undefined],
    ['Authorization: Basic YTpi\r\n', undefined],
  ] as const) {
    const { client, report } = await startParser(t)
    client.write(`CONNECT a:443 HTTP/1.1\r\n${headers}\r\n`)
    t.equal((await report()).authorization, authorization, headers)
  }
})

t.test('whether the connection may go on behind an answer is the client\'s to say', async (t) => {
  for (const [head, isPersistent] of [
    ['HTTP/1.1\r\n', true],
    ['HTTP/1.1\r\nConnection: keep-alive\r\n', true],
    ['HTTP/1.1\r\nConnection: Close\r\n', false],
    ['HTTP/1.1\r\nConnection: x-close-not\r\nConnection: te, close\r\n', false],
    ['HTTP/1.0\r\n', false],
    ['HTTP/1.0\r\nConnection: keep-alive\r\n', false],
  ] as const) {
    const { client, report } = await startParser(t)
    client.write(`CONNECT a:443 ${head}\r\n`)
    t.equal((await report()).isPersistent, isPersistent, head)
  }
})

t.test('a CONNECT is reported once, with its target as written and the bytes behind it', async (t) => {
  const { client, report, reports } = await startParser(t)
  client.write('CONNECT Contoso.AzureCR.io.:0443 HTTP/1.1\r\nHost: a\r\n\r\nearly\r\n\r\nbytes')
  t.match(await report(), { event: 'connect', target: 'Contoso.AzureCR.io.:0443', early: 'early\r\n\r\nbytes' })
  client.end('GET / HTTP/1.1\r\n\r\n')
  const { stream } = await report()
  await readAway(stream)
  t.equal(reports.length, 1, 'what follows a CONNECT is not read as HTTP')
})

t.test('a head that comes in pieces is one head', async (t) => {
  const { client, report } = await startParser(t)
  for (const piece of 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n') {
    client.write(piece)
    await new Promise(setImmediate)
  }
  t.match(await report(), { event: 'connect', target: 'a:443', early: '' })
})

t.test('a head may have as many bytes as it says, and no more', async (t) => {
  const { client, report } = await startParser(t)
  client.write(`CONNECT a:443 HTTP/1.1\r\nX: ${'a'.repeat(maxHeadBytes - 100)}\r\n\r\n`)
  t.match(await report(), { event: 'connect' })
  const other = await startParser(t)
  other.client.write(`CONNECT a:443 HTTP/1.1\r\nX: ${'a'.repeat(maxHeadBytes)}\r\n\r\n`)
  t.match(await other.report(), { event: 'unusable', target: '', reason: 'head_too_large' })
})

t.test('any other method is handed over with its target, and its content to whoever takes it', async (t) => {
  const { client, report } = await startParser(t)
  const size = 1_000_000
  client.end(Buffer.concat([
    Buffer.from(`POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`),
    Buffer.alloc(size),
  ]))
  const { event, target, stream } = await report()
  t.same({ event, target }, { event: 'plain', target: 'http://a/' })
  await readAway(stream)
})

t.test('a request with two Hosts is unusable by any method, and its content does not hold up the stream', async (t) => {
  const { client, report } = await startParser(t)
  const size = 1_000_000
  client.end(Buffer.concat([
    Buffer.from(`POST http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`),
    Buffer.alloc(size),
  ]))
  const { stream, ...rest } = await report()
  t.match(rest, { event: 'unusable', target: 'http://a/', reason: 'bad_request' })
  await readAway(stream)
})

t.test('a request that names the gateway in its Via has been here before, whoever else it names', async (t) => {
  const heads = ['CONNECT a.example:443 HTTP/1.1\r\n', 'GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n']
  for (const head of heads) {
    for (const [via, reason] of [
      ['via: 1.1 between (squid), 1.1 own-1', 'loop_detected'], ['Via: 1.0 a\r\nVia: 1.1 own-1', 'loop_detected'], ['Via: 1.1 own-2', undefined],
    ] as const) {
      const { client, report } = await startParser(t, 'own-1')
      client.write(`${head}${via}\r\n\r\n`)
      t.equal((await report()).reason, reason, via)
    }
  }
  const { client, report } = await startParser(t)
  client.write(`${heads[0]}Via: 1.1 own-1\r\n\r\n`)
  t.match(await report(), { event: 'connect' }, 'without a parent there is nothing to look for')
})

t.test('a request without Host is the caller\'s to refuse', async (t) => {
  const { client, report } = await startParser(t)
  client.write('GET / HTTP/1.1\r\n\r\n')
  const { stream } = await report()
  t.equal((stream as Socket).bytesWritten, 0, 'nothing was answered behind its back')
})

t.test('what is no HTTP is reported with the code of what is wrong, and none of its bytes', async (t) => {
  const { client, report } = await startParser(t)
  client.write('evil\r\n\r\n')
  t.match(await report(), { event: 'unusable', target: '', reason: 'bad_request', detail: /\(HPE_[A-Z_]+\)$/ })
  t.notMatch((await report()).detail, /evil/)
})

t.test('a stream that ends within a head is unusable, and one that fails is broken', async (t) => {
  const ended = await startParser(t)
  ended.client.end('CONNECT a')
  t.match(await ended.report(), { event: 'unusable', reason: 'bad_request' })
  const reset = await startParser(t)
  reset.client.resetAndDestroy()
  t.match(await reset.report(), { event: 'broken' })
})
