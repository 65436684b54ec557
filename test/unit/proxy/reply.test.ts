import { once } from 'node:events'
import { STATUS_CODES } from 'node:http'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import fc from 'fast-check'
import { type Item, Token, parseList } from 'structured-headers'
import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { httpVoice, renderRefusal, sendRefusal } from '../../../src/proxy/reply.ts'
import { type Refusal, reasonWords, reasons, refuse } from '../../../src/refusal/reasons.ts'

const request = { target: 'evil.example:443', tunnelId: 'm1-1' }

/** A response taken apart at its first line, its fields and its body. */
function readResponse (text: string) {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  const fields = new Map(lines.map((line) => {
    const colon = line.indexOf(': ')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 2)] as const
  }))
  return { statusLine, fields, body: rest.join('\r\n\r\n') }
}

/** The members of a `Proxy-Status`, as another reader of structured fields has them. */
function readProxyStatus (value: string | undefined): Item[] {
  return parseList(value ?? '').filter((member): member is Item => !Array.isArray(member[0]))
}

const anyReason = fc.constantFrom(...reasonWords)
// What a refusal promises: printable ASCII.
const printable = fc.string({ unit: 'grapheme-ascii', maxLength: 400 })
const hostileTarget = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.constantFrom('a\r\nSet-Cookie: x=1\r\n\r\n', '\u001b[31m', '\u0000', '\u0085', '\u2028', '\ud800', '"}', '<script>', '\u007f'),
)

t.test('every reason has a status line, a Proxy-Status and a problem document that say the same', async (t) => {
  for (const reason of reasonWords) {
    const { status, proxyStatusError } = reasons[reason]
    const { statusLine, fields, body } = readResponse(renderRefusal(refuse(reason, 'what is the matter', 'What to do.'), request))
    t.equal(statusLine, `HTTP/1.1 ${status} ${reason}: what is the matter`)
    const [[name, parameters] = [], ...others] = readProxyStatus(fields.get('proxy-status'))
    t.same([name, others], [new Token('acr-egress'), []])
    t.same([...parameters ?? []], [['error', new Token(proxyStatusError)], ['details', `${reason}: what is the matter`]])
    t.equal(fields.get('content-type'), 'application/problem+json')
    t.equal(fields.get('connection'), 'close')
    t.equal(fields.get('proxy-authenticate'), status === 407 ? 'Basic realm="acr-egress", charset="UTF-8"' : undefined)
    t.equal(fields.get('retry-after'), undefined)
    t.equal(fields.get('allow'), reason === 'method_not_allowed' ? 'CONNECT' : undefined)
    t.same(JSON.parse(body), {
      title: STATUS_CODES[status],
      status,
      detail: 'what is the matter',
      reason,
      target: 'evil.example:443',
      hint: 'What to do.',
      tunnelId: 'm1-1',
    })
  }
})

t.test('when it is of use to ask again is told in seconds', async (t) => {
  const refusal = { ...refuse('proxy_auth_limited', 'too many', 'Wait.'), retryAfterSeconds: 3 }
  t.equal(readResponse(renderRefusal(refusal, request)).fields.get('retry-after'), '3')
})

t.test('a refusal that is not the last leaves the connection as it is', async (t) => {
  const stream = new PassThrough()
  httpVoice.refuseForNow?.(stream, refuse('proxy_auth_required', 'who is it', 'Say so.'), request)
  const { statusLine, fields, body } = readResponse(String(stream.read()))
  t.equal(statusLine, 'HTTP/1.1 407 proxy_auth_required: who is it')
  t.equal(fields.get('connection'), undefined)
  t.equal(fields.get('content-length'), String(body.length))
  t.ok(stream.writable)
})

t.test('whatever the target held, the response is printable ASCII of its announced length, and its own lines only', async () => {
  fc.assert(fc.property(anyReason, printable, printable, hostileTarget, (reason, detail, hint, target) => {
    const text = renderRefusal(refuse(reason, detail, hint), { target, tunnelId: 'm1-1' })
    const { statusLine, fields, body } = readResponse(text)
    const problem: unknown = JSON.parse(body)
    return /^[\x20-\x7e\r\n]*$/.test(text) &&
      statusLine.length < 200 && statusLine.startsWith(`HTTP/1.1 ${reasons[reason].status} ${reason}: `) &&
      fields.size === ([405, 407].includes(reasons[reason].status) ? 5 : 4) &&
      Number(fields.get('content-length')) === Buffer.byteLength(body) &&
      readProxyStatus(fields.get('proxy-status')).length === 1 &&
      typeof problem === 'object' && problem !== null && 'target' in problem && problem.target === target
  }), { numRuns: 1000 })
})

t.test('a target is nowhere but in the problem document', async () => {
  fc.assert(fc.property(anyReason, (reason) => {
    const text = renderRefusal(refuse(reason, 'what', 'do'), { target: 'SECRET', tunnelId: 'm1-1' })
    return text.indexOf('SECRET') > text.indexOf('\r\n\r\n')
  }))
})

t.test('a status line is cut at 199 characters, and says so', async (t) => {
  const lineOf = (detail: string) => readResponse(renderRefusal(refuse('host_not_allowed', detail, ''), request)).statusLine
  const start = 'HTTP/1.1 403 host_not_allowed: '
  const room = 199 - start.length
  t.equal(lineOf('x'.repeat(room)), start + 'x'.repeat(room))
  t.equal(lineOf('x'.repeat(room + 1)), `${start}${'x'.repeat(room - 3)}...`)
})

t.test('the 200 is a status line and nothing else', async (t) => {
  const stream = new PassThrough()
  httpVoice.open(stream)
  t.equal(String(stream.read()), 'HTTP/1.1 200 Connection established\r\n\r\n')
})

const refusal: Refusal = refuse('host_not_allowed', 'evil.example is not an endpoint of contoso.azurecr.io', 'Ask.')

/** Both ends of a connection over loopback; the accepted one may be half-closed, as the listener's are. */
async function openPair (t: Test): Promise<{ accepted: Socket, client: Socket }> {
  const server = createServer({ allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [accepted] = await once(server, 'connection') as [Socket]
  t.teardown(() => {
    client.destroy()
    accepted.destroy()
    server.close()
  })
  return { accepted, client }
}

async function readAll (socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('latin1')
}

t.test('a refused client reads the whole answer, although it has sent more than anybody reads', async (t) => {
  const { accepted, client } = await openPair(t)
  const sent = Buffer.alloc(1024 * 1024)
  client.write(sent)
  sendRefusal(accepted, refusal, request)
  t.equal(await readAll(client), renderRefusal(refusal, request))
  client.end()
  if (!accepted.destroyed) await once(accepted, 'close')
  t.equal(accepted.bytesRead, sent.length, 'and all it sent was taken off its hands')
})

t.test('a client that is gone costs nothing', async (t) => {
  const { accepted, client } = await openPair(t)
  client.resetAndDestroy()
  await new Promise((resolve) => accepted.on('error', () => {}).once('close', resolve))
  sendRefusal(accepted, refusal, request)
  t.equal(accepted.bytesWritten, 0)
})

t.test('a client that only half-closed still gets its answer', async (t) => {
  const { accepted, client } = await openPair(t)
  client.end()
  accepted.resume()
  await once(accepted, 'end')
  sendRefusal(accepted, refusal, request)
  t.equal(await readAll(client), renderRefusal(refusal, request))
})

t.test('a client that reads but never closes is given up after five seconds', async (t) => {
  const { accepted, client } = await openPair(t)
  const startedAt = performance.now()
  sendRefusal(accepted, refusal, request)
  // Half-open: it has seen the end of the answer, and keeps its own side.
  client.allowHalfOpen = true
  client.resume()
  await once(accepted, 'close')
  const seconds = (performance.now() - startedAt) / 1000
  t.ok(seconds > 4.5 && seconds < 20, `after ${seconds} s`)
})
