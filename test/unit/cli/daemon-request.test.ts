import { once } from 'node:events'
import { type RequestListener, createServer } from 'node:http'
import t, { type Test } from 'tap'
import { type DaemonAnswer, askDaemon } from '../../../src/cli/daemon-request.ts'
import { listenOnLoopback } from '../../../src/lab/loopback.ts'
import { startUpstream } from '../../support/upstream.ts'

const ours = { server: 'acr-egress/1.2.3', 'content-type': 'application/json' }

async function startHttp (t: Test, listener: RequestListener): Promise<number> {
  const { port, close } = await listenOnLoopback(createServer(listener))
  t.teardown(close)
  return port
}

async function ask (port: number, timeoutMs?: number): Promise<DaemonAnswer> {
  return await askDaemon({ address: '127.0.0.1', port }, '/api/explain?target=x', timeoutMs)
}

t.test('what the daemon answers is handed on as a value', async (t) => {
  const port = await startHttp(t, (request, response) => {
    response.writeHead(200, ours).end(JSON.stringify(request.url))
  })
  t.same(await ask(port), { ok: true, value: '/api/explain?target=x' })
})

t.test('whatever else answers is told in one line, with what to do', async (t) => {
  const table: ReadonlyArray<readonly [listener: RequestListener, problem: RegExp]> = [
    [(_, response) => { response.writeHead(404, ours).end('{}') }, /^the daemon at 127\.0\.0\.1:\d+ is acr-egress\/1\.2\.3 and has no \/api\/explain; restart it with/],
    [(_, response) => { response.writeHead(503, ours).end('{"detail":"Too \\u001b[2J slow. Try again."}') }, /answered 503: Too \\u001b\[2J slow\. Try again\.$/],
    [(_, response) => { response.writeHead(500, ours).end('oh') }, /answered 500: See its log\.$/],
    [(_, response) => { response.writeHead(200, ours).end('{') }, /sent what is not JSON; name the gateway's admin listener/],
    [(_, response) => { response.writeHead(200).end('{}') }, /is not the admin listener of acr-egress \(it answered 200\); name/],
    [(_, response) => { response.writeHead(200, ours).end(`"${'x'.repeat(9 * 1024 * 1024)}"`) }, /sent more than 8 MiB; name/],
  ]
  for (const [listener, problem] of table) {
    const answer = await ask(await startHttp(t, listener))
    t.match(answer, { ok: false, problem })
    t.notOk(!answer.ok && answer.problem.includes('\n'))
  }
})

t.test('nobody, somebody who speaks no HTTP, and somebody who says nothing are told apart', async (t) => {
  const gone = createServer().listen(0, '127.0.0.1')
  await once(gone, 'listening')
  const { port } = gone.address() as { port: number }
  gone.close()
  await once(gone, 'close')
  t.match(await ask(port), { ok: false, problem: /^nothing listens at 127\.0\.0\.1:\d+; see that the gateway runs here .* --admin ADDR:PORT$/ })
  const rude = await startUpstream(t, (socket) => { socket.end('SSH-2.0-x\r\n') })
  t.match(await ask(rude.port), { ok: false, problem: /does not answer as one does \(HPE_[A-Z_]+\); name/ })
  const brief = await startUpstream(t, (socket) => { socket.destroy() })
  t.match(await ask(brief.port), { ok: false, problem: /does not answer as one does \(ECONNRESET\); name/ })
  const silent = await startUpstream(t)
  t.match(await ask(silent.port, 100), { ok: false, problem: /did not answer within 0\.1 s; see the daemon's log, then ask again$/ })
  const slow = await startHttp(t, (_, response) => { response.writeHead(200, ours).write('"') })
  t.match(await ask(slow, 100), { ok: false, problem: /did not answer within 0\.1 s/ })
})
