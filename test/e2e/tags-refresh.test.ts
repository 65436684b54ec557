import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { issueAuthority, issueServerCertificate } from '../../src/tls/certificates.ts'
import { type Result, runCommand } from '../support/command-run.ts'
import { builtCommand } from '../support/daemon.ts'
import { startPlainConnectProxy } from '../support/plain-connect-proxy.ts'
import { issueProxyCertificate } from '../support/proxy-certificate.ts'

const tags = JSON.stringify({
  changeNumber: 1,
  cloud: 'Public',
  values: ['AzureContainerRegistry', 'Storage'].map((name) => {
    return { name, properties: { changeNumber: 1, region: '', addressPrefixes: ['20.1.0.0/24'] } }
  }),
})

/** A mirror that speaks TLS on loopback, and a file with the authority of its certificate. */
async function startMirror (t: Test) {
  const { ca, name, files } = await issueProxyCertificate()
  const server = createServer({ cert: files['server.crt'], key: files['server.key'] }, (_request, response) => response.end(tags))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close(); server.closeAllConnections() })
  const folder = t.testdir({})
  await writeFile(join(folder, 'ca.crt'), ca)
  return { folder, name, port: (server.address() as AddressInfo).port }
}

t.test('the file is fetched over TLS through HTTPS_PROXY, for a name that only the proxy can resolve', async (t) => {
  const { folder, name, port } = await startMirror(t)
  const proxy = await startPlainConnectProxy({ answer: () => ({ dial: `127.0.0.1:${port}` }) })
  t.teardown(() => proxy.close())
  const file = join(folder, 'service-tags.json')
  const argv = ['tags', 'refresh', '--file', file, '--from', `https://${name}/service-tags.json`]
  const program = [
    `HTTPS_PROXY=http://127.0.0.1:${proxy.port}`, `NODE_EXTRA_CA_CERTS=${join(folder, 'ca.crt')}`, process.execPath, builtCommand,
  ]
  const { code, stdout, stderr } = await runCommand(t, argv, { program })
  t.same([code, stderr], [0, ''])
  t.equal(stdout, `${file} was made from https://${name}/service-tags.json\n`)
  t.equal(await readFile(file, 'utf8'), tags)
  t.match(proxy.requests[0], new RegExp(`^CONNECT ${name}:443 HTTP/1\\.1\r\n`))
})

t.test('a certificate that nobody vouches for, and a proxy that refuses, are told with what to do', async (t) => {
  const { folder, name, port } = await startMirror(t)
  const proxy = await startPlainConnectProxy({ answer: () => ({ write: 'HTTP/1.1 403 host_not_allowed\r\n\r\n' }) })
  t.teardown(() => proxy.close())
  const file = join(folder, 'service-tags.json')
  const untrusted = await runCommand(t, ['tags', 'refresh', '--file', file, '--from', `https://127.0.0.1:${port}/x`])
  t.equal(untrusted.code, 1)
  t.match(untrusted.stderr, /certificate that is not trusted here \((?:SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+), .+\); set NODE_EXTRA_CA_CERTS/)
  const refused = await runCommand(t, ['tags', 'refresh', '--file', file, '--from', `https://${name}/x`], {
    program: [`HTTPS_PROXY=http://127.0.0.1:${proxy.port}`, process.execPath, builtCommand],
  })
  t.equal(refused.code, 1)
  t.match(refused.stderr, /cannot be reached \(UND_ERR_\w+, .*403.*\); have gateway\.example let through, set HTTPS_PROXY, or fetch/)
})

const microsoft = ['www.microsoft.com', 'download.microsoft.com'] as const
const pagePath = '/en-us/download/details.aspx?id=56519'
const lastResort = '/download/7/1/D/71D86715-5596-4529-9B13-DA13A5DE5B63/ServiceTags_Public_Latest.json'

interface Stage {
  readonly result: Result
  /** What Microsoft's stand-in was asked for, in order. */
  readonly asked: readonly string[]
  readonly file: string
}

/** Refreshes a file from what stands for Microsoft behind a proxy, under its names, with a certificate for them. */
async function refreshFromMicrosoft (t: Test, listener: RequestListener, ...flags: string[]): Promise<Stage> {
  const now = new Date()
  const authority = await issueAuthority({ commonName: 'test', validDays: 1, now })
  const { chainPem, keyPem } = await issueServerCertificate({ authority, hosts: [...microsoft], validDays: 1, now })
  const asked: string[] = []
  const server = createServer({ cert: chainPem, key: keyPem }, (request, response) => {
    asked.push(`${request.headers.host}${request.url}`)
    listener(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close(); server.closeAllConnections() })
  const dial = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const proxy = await startPlainConnectProxy({
    answer: (target) => microsoft.some((host) => target === `${host}:443`) ? { dial } : { write: 'HTTP/1.1 403 no\r\n\r\n' },
  })
  t.teardown(() => proxy.close())
  const folder = t.testdir({ 'ca.crt': authority.certificatePem })
  const file = join(folder, 'service-tags.json')
  const result = await runCommand(t, ['tags', 'refresh', '--file', file, ...flags], {
    program: [
      `HTTPS_PROXY=http://127.0.0.1:${proxy.port}`, `NODE_EXTRA_CA_CERTS=${join(folder, 'ca.crt')}`, process.execPath, builtCommand,
    ],
  })
  return { result, asked, file }
}

t.test('without --from Microsoft\'s page leads to the newest link that works', async (t) => {
  const link = (day: string): string => `"url":"https://download.microsoft.com/download/7/1/d/x/ServiceTags_Public_${day}.json"`
  const { result, asked, file } = await refreshFromMicrosoft(t, ({ url = '' }, response) => {
    if (url === pagePath) response.end(`<script>{${link('20251020')},${link('20251103')},${link('20251027')}}</script>`)
    else if (url.endsWith('_20251103.json')) response.writeHead(404).end()
    else response.end(tags)
  })
  t.same([result.code, result.stderr], [0, ''])
  t.equal(await readFile(file, 'utf8'), tags)
  const path = 'download.microsoft.com/download/7/1/d/x/ServiceTags_Public'
  t.same(asked, [`www.microsoft.com${pagePath}`, `${path}_20251103.json`, `${path}_20251027.json`])
})

t.test('when the page has no link, or is not there, the public cloud has a last resort', async (t) => {
  for (const status of [200, 404]) {
    const { result, asked } = await refreshFromMicrosoft(t, ({ url = '' }, response) => {
      if (url === lastResort) response.end(tags)
      else response.writeHead(status).end('<html></html>')
    })
    t.equal(result.code, 0, result.stderr)
    t.same(asked, [`www.microsoft.com${pagePath}`, `download.microsoft.com${lastResort}`])
  }
})

t.test('another cloud has its own page and no last resort, and a page that fails is told with what to do', async (t) => {
  const { result, asked } = await refreshFromMicrosoft(t, (_request, response) => response.writeHead(503).end(), '--cloud', 'China')
  t.equal(result.code, 1)
  t.match(result.stderr, /details\.aspx\?id=57062 was answered with 503; try again later, or fetch the file elsewhere/)
  t.same(asked, ['www.microsoft.com/en-us/download/details.aspx?id=57062'])
})

t.test('where nothing gets out both of Microsoft\'s hosts are named, and of a proxy\'s address no word', async (t) => {
  const file = join(t.testdir({}), 'service-tags.json')
  const proxy = await startPlainConnectProxy({ answer: () => ({ write: 'HTTP/1.1 403 no\r\n\r\n' }) })
  t.teardown(() => proxy.close())
  const { code, stderr } = await runCommand(t, ['tags', 'refresh', '--file', file], {
    program: [`HTTPS_PROXY=http://user:secret@127.0.0.1:${proxy.port}`, process.execPath, builtCommand],
  })
  t.equal(code, 1)
  t.match(stderr, /cannot be reached \(.*\); have www\.microsoft\.com and download\.microsoft\.com let through, set HTTPS_PROXY, or/)
  t.notMatch(stderr, /secret/)
})

t.test('what NO_PROXY names is reached without the proxy', async (t) => {
  const { folder, port } = await startMirror(t)
  const file = join(folder, 'service-tags.json')
  const { code, stderr } = await runCommand(t, ['tags', 'refresh', '--file', file, '--from', `https://127.0.0.1:${port}/x`], {
    program: [
      'HTTPS_PROXY=http://127.0.0.1:9', 'NO_PROXY=127.0.0.1', `NODE_EXTRA_CA_CERTS=${join(folder, 'ca.crt')}`, process.execPath, builtCommand,
    ],
  })
  t.same([code, stderr], [0, ''])
})

t.test('a proxy\'s address that is none is bad usage, and says how to write it', async (t) => {
  const { code, stderr } = await runCommand(t, ['tags', 'refresh', '--file', join(t.testdir({}), 'x.json')], {
    program: ['HTTPS_PROXY=proxy.example:3128', process.execPath, builtCommand],
  })
  t.equal(code, 2)
  t.match(stderr, /HTTPS_PROXY or HTTP_PROXY is no address of a proxy; write it like http:\/\/proxy\.example:3128/)
  t.notMatch(stderr, /\n\s+at /, 'no stack')
})
