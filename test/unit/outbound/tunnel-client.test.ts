import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { openTunnel } from '../../../src/outbound/tunnel-client.ts'
import { startPlainConnectProxy, type ConnectAnswer, type PlainConnectProxy } from '../../support/plain-connect-proxy.ts'

async function startProxy (t: Test, answer: (target: string) => ConnectAnswer, earlyBytes = ''): Promise<PlainConnectProxy> {
  const proxy = await startPlainConnectProxy({ answer, earlyBytes })
  t.teardown(async () => await proxy.close())
  return proxy
}

t.test('a refusal may have no body, one up to the end, or one that is cut', async t => {
  const refusals = [
    ['HTTP/1.1 407 proxy_auth_required\r\nContent-Length: 0\r\n\r\n', 407, ''],
    ['HTTP/1.1 502 dns_failed\r\n\r\nuntil the end', 502, 'until the end'],
    ['HTTP/1.1 503 tunnel_limit\r\nContent-Length: 100\r\n\r\ncut', 503, 'cut'],
    [`HTTP/1.1 403 long\r\n\r\n${'x'.repeat(100_000)}`, 403, 'x'.repeat(65_536)],
  ] as const
  for (const [write, statusCode, body] of refusals) {
    const proxy = await startProxy(t, () => ({ write }))
    await t.rejects(openTunnel({ proxy, target: 'contoso.azurecr.io:443' }), { name: 'ProxyRefusedError', statusCode, body })
  }
})

t.test('bytes that come with the 200 are the first that the tunnel gives', async t => {
  const target = createServer((socket) => socket.end('later'))
  target.listen(0, '127.0.0.1')
  await once(target, 'listening')
  t.teardown(() => target.close())
  const { port } = target.address() as AddressInfo
  const proxy = await startProxy(t, () => ({ dial: `127.0.0.1:${port}` }), 'early ')
  const socket = await openTunnel({ proxy: { ...proxy, headers: { 'proxy-authorization': 'Basic eA==' } }, target: 'a.example:443' })
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  t.equal(text, 'early later')
  t.match(proxy.requests[0], /^CONNECT a\.example:443 HTTP\/1\.1\r\n/)
  t.match(proxy.requests[0], /proxy-authorization: Basic eA==\r\n/i)
})

t.test('a proxy that says nothing, hangs up or is not there ends in a code', async t => {
  const silent = createServer((socket) => socket.resume())
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  const proxy = { host: '127.0.0.1', port }
  await t.rejects(openTunnel({ proxy, target: 'a.example:443', timeoutMs: 50 }), { code: 'ETIMEDOUT' })
  const reason = new Error('changed my mind')
  await t.rejects(openTunnel({ proxy, target: 'a.example:443', signal: AbortSignal.abort(reason) }), reason)
  await new Promise((resolve) => silent.close(resolve))
  await t.rejects(openTunnel({ proxy, target: 'a.example:443' }), { code: 'ECONNREFUSED' })
  const rude = await startProxy(t, () => ({ write: '' }))
  await t.rejects(openTunnel({ proxy: rude, target: 'a.example:443' }), { code: 'ECONNRESET' })
})

t.test('a refusal that never ends is bounded by the timeout', async t => {
  const endless = createServer((socket) => socket.resume().on('error', () => {}).write('HTTP/1.1 403 no\r\nContent-Length: 9\r\n\r\nhalf'))
  endless.listen(0, '127.0.0.1')
  await once(endless, 'listening')
  const { port } = endless.address() as AddressInfo
  await t.rejects(openTunnel({ proxy: { host: '127.0.0.1', port }, target: 'a.example:443', timeoutMs: 50 }), { code: 'ETIMEDOUT' })
  await new Promise((resolve) => endless.close(resolve))
  t.pass('and its connection is gone')
})
