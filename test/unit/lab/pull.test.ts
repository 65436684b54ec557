import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import t, { type Test } from 'tap'
import { labNames, startLab } from '../../../src/lab/lab.ts'
import { PullError, pullImage, type PullOptions } from '../../../src/lab/pull.ts'
import { ProxyRefusedError } from '../../../src/outbound/tunnel-client.ts'
import { issueAuthority, issueServerCertificate } from '../../../src/tls/certificates.ts'
import { startPlainConnectProxy, type ConnectAnswer, type PlainConnectProxy } from '../../support/plain-connect-proxy.ts'

const { loginServer, dataEndpoint, repository, tag } = labNames
const lab = await startLab({ layers: [3_000_000, 1, 500_000, 70_000] })
t.teardown(async () => await lab.close())

function dialLab (target: string): ConnectAnswer {
  const address = lab.hosts[target.replace(/:443$/, '')]?.[0]
  return address === undefined ? { write: 'HTTP/1.1 502 unknown name\r\n\r\n' } : { dial: address }
}

async function startProxy (
  t: Test, answer: (target: string) => ConnectAnswer = dialLab, earlyBytes = '',
): Promise<PlainConnectProxy> {
  const proxy = await startPlainConnectProxy({ answer, earlyBytes })
  t.teardown(async () => await proxy.close())
  return proxy
}

function pullFrom (proxy: PullOptions['proxy'], more: Partial<PullOptions> = {}): ReturnType<typeof pullImage> {
  return pullImage({ proxy, registry: loginServer, repository, tag, ca: lab.ca, ...more })
}

t.test('an image is pulled through the proxy, every request in a tunnel of its own to port 443', async t => {
  const proxy = await startProxy(t)
  const progress: number[] = []
  const totals = new Set<number>()
  const before = { ...lab.registry.requests }
  const totalBytes = 3_570_001 + lab.image.config.size
  const result = await pullFrom(proxy, {
    onProgress (received, total) {
      progress.push(received)
      totals.add(total)
    },
  })
  t.match(result, { bytes: totalBytes, layers: 4, digest: lab.image.manifest.digest })
  t.ok(result.durationMs > 0)
  t.strictSame([...totals], [totalBytes])
  t.equal(progress.at(-1), totalBytes)
  t.strictSame(progress, [...progress].sort((a, b) => a - b))
  const targets = proxy.requests.map((request) => request.split(' ')[1])
  t.equal(targets.filter((target) => target === `${loginServer}:443`).length, 8)
  t.equal(targets.filter((target) => target === `${dataEndpoint}:443`).length, 5)
  t.match(proxy.requests[0], `Host: ${loginServer}:443\r\n`)
  const { requests } = lab.registry
  const kinds = ['challenges', 'tokens', 'manifests', 'redirects', 'blobs'] as const
  t.strictSame(kinds.map((kind) => requests[kind] - before[kind]), [1, 1, 1, 5, 5])
})

t.test('a proxy is spoken to over TLS when asked, and only if its name is right', async t => {
  const plain = await startProxy(t)
  const { certificatePem, keyPem } = await issueServerCertificate({
    authority: lab.authority, hosts: ['gateway.example'], validDays: 1, now: new Date(),
  })
  const server = createTlsServer({ cert: certificatePem, key: keyPem }, (client) => {
    const upstream = connect(plain.port, plain.host)
    upstream.on('error', () => client.destroy()).pipe(client)
    client.on('error', () => upstream.destroy()).pipe(upstream)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const proxy = { host: '127.0.0.1', port }
  const { layers } = await pullFrom({ ...proxy, tls: { ca: lab.ca, servername: 'gateway.example' } })
  t.equal(layers, 4)
  const wrong = pullFrom({ ...proxy, tls: { ca: lab.ca, servername: 'other.example' } })
  await t.rejects(wrong, { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
})

t.test('a refused CONNECT is told with its status line, headers and body', async t => {
  const body = '{"reason":"host_not_allowed"}'
  const proxy = await startProxy(t, (target) => target.startsWith(dataEndpoint)
    ? { write: `HTTP/1.1 403 region_not_configured: add eastus\r\nProxy-Status: gw\r\nContent-Length: ${body.length}\r\n\r\n${body}` }
    : dialLab(target))
  const error: unknown = await pullFrom(proxy).catch((error: unknown) => error)
  t.ok(error instanceof ProxyRefusedError)
  t.match(error, {
    code: 'ERR_PROXY_REFUSED', statusCode: 403, statusText: 'region_not_configured: add eastus', headers: { 'proxy-status': 'gw' }, body,
  })
})

t.test('a registry that another authority vouches for is not trusted', async t => {
  const other = await issueAuthority({ commonName: 'other', validDays: 1, now: new Date() })
  await t.rejects(pullFrom(await startProxy(t), { ca: other.certificatePem }), { code: 'SELF_SIGNED_CERT_IN_CHAIN' })
})

t.test('the data endpoint is not taken for the login server', async t => {
  const proxy = await startProxy(t, () => dialLab(`${dataEndpoint}:443`))
  await t.rejects(pullFrom(proxy), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
})

t.test('an unknown tag is an answer that ends the pull', async t => {
  const error: unknown = await pullFrom(await startProxy(t), { tag: '9.9' }).catch((error: unknown) => error)
  t.ok(error instanceof PullError)
  t.match(error, { code: 'ERR_PULL_ANSWER', message: 'answered 404' })
})

t.test('a pull stops with the reason that its signal gives', async t => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const pull = pullFrom(await startProxy(t), { signal: controller.signal, onProgress: () => controller.abort(reason) })
  t.equal(await pull.catch((error: unknown) => error), reason)
})

t.test('a layer that is cut short fails the pull', async t => {
  const gate = createServer((client) => {
    const [host, port] = lab.hosts[dataEndpoint]?.[0]?.split(':') ?? []
    const upstream = connect(Number(port), host)
    upstream.on('error', () => client.destroy())
    client.on('error', () => upstream.destroy()).pipe(upstream)
    let passed = 0
    upstream.on('data', (chunk: Buffer) => {
      passed += chunk.length
      client.write(chunk)
      if (passed > 1_000_000) client.destroy()
    })
  })
  gate.listen(0, '127.0.0.1')
  await once(gate, 'listening')
  t.teardown(() => gate.close())
  const { port } = gate.address() as AddressInfo
  const proxy = await startProxy(t, (target) => target.startsWith(dataEndpoint) ? { dial: `127.0.0.1:${port}` } : dialLab(target))
  await t.rejects(pullFrom(proxy), { code: 'ECONNRESET' })
})
