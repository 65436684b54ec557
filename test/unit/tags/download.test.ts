import { type RequestListener, createServer } from 'node:http'
import { createServer as createTcpServer, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { clouds } from '../../../src/acr/clouds.ts'
import { listenOnLoopback } from '../../../src/lab/loopback.ts'
import { DownloadError, type DownloadOptions, downloadServiceTags } from '../../../src/tags/download.ts'

const [cloud] = clouds as [typeof clouds[0]]

async function startMirror (t: Test, listener: RequestListener): Promise<URL> {
  const server = createServer(listener)
  const { port, close } = await listenOnLoopback(server)
  t.teardown(close)
  return new URL(`http://127.0.0.1:${port}/tags.json`)
}

/** How a download from there fails. */
async function fail (from: URL, options: Partial<DownloadOptions> = {}): Promise<DownloadError> {
  const error = await downloadServiceTags({ cloud, from, ...options }).catch((reason: unknown) => reason)
  if (error instanceof DownloadError) return error
  throw new Error('it did not fail as a download does', { cause: error })
}

t.test('a server that never answers is given up after the time for that', async (t) => {
  const from = await startMirror(t, () => {})
  t.match(await fail(from, { answerTimeoutMs: 50 }), { failure: 'timeout', url: from.href, code: '0.05 s' })
})

t.test('a server that stalls in the middle is given up after the time for all', async (t) => {
  const from = await startMirror(t, (_request, response) => { response.write('{') })
  t.match(await fail(from, { timeoutMs: 200 }), { failure: 'timeout', url: from.href })
})

t.test('a proxy that takes the connection and says nothing is given up too', async (t) => {
  const sockets: Socket[] = []
  const server = createTcpServer((socket) => { sockets.push(socket) })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => { server.once('listening', resolve) })
  t.teardown(() => { server.close(); for (const socket of sockets) socket.destroy() })
  const address = server.address()
  const proxy = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  t.intercept(process, 'env', { value: { ...process.env, HTTPS_PROXY: proxy } })
  const from = new URL('https://mirror.example/tags.json')
  t.match(await fail(from, { answerTimeoutMs: 50 }), { failure: 'timeout', url: from.href })
})

t.test('a proxy that is no address of one is told from a way that is closed', async (t) => {
  for (const proxy of ['proxy.example:3128', 'not an address', 'ftp://proxy.example']) {
    t.intercept(process, 'env', { value: { ...process.env, HTTPS_PROXY: proxy } })
    t.match(await fail(new URL('https://mirror.example/tags.json')), { failure: 'bad_proxy' }, proxy)
  }
})

t.test('a server elsewhere may lead to https alone, one on this machine also to itself', async (t) => {
  const from = await startMirror(t, (request, response) => {
    if (request.url === '/there') response.end('{}')
    else response.writeHead(302, { location: '/there' }).end()
  })
  t.same(await downloadServiceTags({ cloud, from }), { url: new URL('/there', from).href, text: '{}' })
  const away = await startMirror(t, (_request, response) => response.writeHead(301, { location: 'http://mirror.example/' }).end())
  t.match(await fail(away), { failure: 'insecure', url: 'http://mirror.example/' })
  t.match(await fail(new URL('http://mirror.example/')), { failure: 'insecure', url: 'http://mirror.example/' })
})

t.test('of several links that fail the newest is told', async (t) => {
  const links = ['20250714', '20250721'].map((day) => `"/ServiceTags_Public_${day}.json"`).join(' ')
  const from = await startMirror(t, ({ url = '' }, response) => {
    if (url === '/tags.json') response.end(links)
    else response.writeHead(url.includes('20250721') ? 403 : 500).end()
  })
  t.match(await fail(from), { failure: 'status', code: '403' })
})

t.test('a compressed answer that is small on the way is too long as what it unpacks to', async (t) => {
  const bomb = gzipSync(Buffer.alloc(33 * 2 ** 20, ' '))
  t.ok(bomb.length < 2 ** 20)
  const from = await startMirror(t, (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb))
  t.match(await fail(from), { failure: 'too_long' })
})
