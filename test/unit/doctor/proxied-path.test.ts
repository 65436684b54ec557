import { createServer } from 'node:net'
import { createSecureContext, createServer as createTlsServer } from 'node:tls'
import t, { type Test } from 'tap'
import { labNames } from '../../../src/lab/lab.ts'
import { listenOnLoopback } from '../../../src/lab/loopback.ts'
import { azure, expectNoSecrets, expectOneFailure, proxyAt, startWorld } from '../../support/doctor-world.ts'
import { type TestGateway, startGateway } from '../../support/gateway.ts'
import { labConfiguration } from '../../support/lab-configuration.ts'
import { type ConnectAnswer, startPlainConnectProxy } from '../../support/plain-connect-proxy.ts'
import { issueProxyCertificate, tlsKeys } from '../../support/proxy-certificate.ts'
import { replaceHeaders } from '../../support/registry-fault.ts'
import { startUpstream } from '../../support/upstream.ts'

const { loginServer, dataEndpoint } = labNames
const certificate = await issueProxyCertificate()
const secureContext = createSecureContext({ ca: [azure.certificatePem, certificate.ca] })

function urlOf ({ proxy: { host, port } }: Pick<TestGateway, 'proxy'>, scheme = 'http'): string {
  return `${scheme}://${host}:${port}`
}

async function startProxy (t: Test, answer: (target: string) => ConnectAnswer): Promise<string> {
  const proxy = await startPlainConnectProxy({ answer })
  t.teardown(() => proxy.close())
  return `127.0.0.1:${proxy.port}`
}

for (const scheme of ['http', 'https'] as const) {
  t.test(`a good pull through the gateway as an ${scheme} proxy passes every step that is not the gateway's own`, async (t) => {
    const world = await startWorld(t)
    const gateway = await startGateway(t, `${labConfiguration(world.lab, { listen: undefined })}
listen: { ${tlsKeys} }
`, certificate.files)
    const steps = await world.diagnose({ proxy: proxyAt(urlOf(gateway, scheme)), secureContext })
    t.same(steps.map(({ step, host, status }) => [step, host, status]), [
      ['name', loginServer, 'skipped'], ['address', loginServer, 'skipped'],
      ...['proxy', 'tls', 'challenge', 'token', 'manifest', 'link'].map((step) => [step, loginServer, 'passed']),
      ['name', dataEndpoint, 'skipped'], ['address', dataEndpoint, 'skipped'],
      ...['proxy', 'tls', 'layer'].map((step) => [step, dataEndpoint, 'passed']),
    ])
    t.match(steps[0], { found: `the affair of the proxy ${urlOf(gateway, scheme)}` })
    expectNoSecrets(t, steps)
    await gateway.settle()
  })
}

t.test('a gateway that does not know the registry fails at proxy, in the gateway\'s words', async (t) => {
  const world = await startWorld(t)
  const registries = [{ loginServer: 'fabrikam.azurecr.io', regions: ['eastus'] }]
  const gateway = await startGateway(t, labConfiguration(world.lab, { registries }))
  expectOneFailure(t, await world.diagnose({ proxy: proxyAt(urlOf(gateway)) }), {
    step: 'proxy',
    found: /^the gateway refuses contoso\.azurecr\.io:443: host_not_allowed: contoso\.azurecr\.io is not an endpoint of fabrikam\.azurecr\.io$/,
    toDo: /^If devices need it, add it to the gateway's configuration/,
    reason: 'host_not_allowed',
  })
})

t.test('a gateway without the region fails at the proxy step of the layer, and names the missing rule', async (t) => {
  const world = await startWorld(t)
  const registries = [{ loginServer, regions: ['westus'], privateEndpoints: ['127.0.0.0/8'] }]
  const gateway = await startGateway(t, labConfiguration(world.lab, { registries }))
  const expected = {
    step: 'proxy', host: dataEndpoint, found: /region_not_configured: /, toDo: /^Add eastus to the regions of contoso\.azurecr\.io\.$/, reason: 'region_not_configured',
  } as const
  expectOneFailure(t, await world.diagnose({ proxy: proxyAt(urlOf(gateway)) }), expected)
  const unaware = await startWorld(t, { settings: { registries } })
  expectOneFailure(t, await unaware.diagnose({ proxy: proxyAt(urlOf(gateway)) }), { ...expected, found: /./, toDo: /./ })
})

t.test('through a proxy that lets all through, a link to a stranger is still not followed', async (t) => {
  const world = await startWorld(t, { fault: replaceHeaders('redirects', { location: 'https://evil.example/blob?sig=hidden' }) })
  const asked: string[] = []
  const proxy = await startProxy(t, (target) => {
    asked.push(target)
    return { dial: `127.0.0.1:${world.registry.login.port}` }
  })
  expectOneFailure(t, await world.diagnose({ proxy: proxyAt(`http://${proxy}`) }), {
    step: 'link', found: /^host_not_allowed: evil\.example /, toDo: /./,
  })
  t.same([...new Set(asked)], [`${loginServer}:443`])
})

const wantsPassword = 'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n'
const good = `Basic ${Buffer.from('dev@ice:p/w: ü').toString('base64')}`

t.test('a proxy that wants a password fails with how to write it; the right one, percent-encoded, opens the way', async (t) => {
  const world = await startWorld(t)
  const proxy = await startPlainConnectProxy({
    answer (target) {
      const isGood = proxy.requests.at(-1)?.includes(`Proxy-Authorization: ${good}\r\n`) === true
      const port = target.startsWith(dataEndpoint) ? world.registry.data.port : world.registry.login.port
      return isGood ? { dial: `127.0.0.1:${port}` } : { write: wantsPassword }
    },
  })
  t.teardown(() => proxy.close())
  const none = await world.diagnose({ proxy: proxyAt(`http://127.0.0.1:${proxy.port}`) })
  expectOneFailure(t, none, {
    step: 'proxy', found: /^the proxy http:\/\/127\.0\.0\.1:\d+ wants a user and a password \(407 Proxy Authentication Required\)$/, toDo: /percent-encoded/,
  })
  const wrong = await world.diagnose({ proxy: proxyAt(`http://device:wrong-one@127.0.0.1:${proxy.port}`) })
  expectOneFailure(t, wrong, {
    step: 'proxy', found: /does not take this user and password \(407 /, toDo: /percent-encoded/,
  })
  const right = await world.diagnose({ proxy: proxyAt(`http://dev%40ice:p%2Fw%3A%20%C3%BC@127.0.0.1:${proxy.port}`) })
  t.same(right.filter(({ status }) => status === 'failed'), [])
  t.match(right.at(-1), { step: 'layer', status: 'passed' })
  t.notMatch(JSON.stringify([none, wrong, right]), /wrong-one|dev@ice|p%2Fw/)
})

t.test('another proxy\'s refusal is told by its status line', async (t) => {
  const world = await startWorld(t)
  const proxy = await startProxy(t, () => ({ write: 'HTTP/1.1 403 Blocked by Web Guard\r\nContent-Type: application/problem+json\r\n\r\n{"reason":"x"}' }))
  expectOneFailure(t, await world.diagnose({ proxy: proxyAt(`http://${proxy}`) }), {
    step: 'proxy', found: /refuses contoso\.azurecr\.io:443: 403 Blocked by Web Guard$/, toDo: /^Ask whoever runs that proxy/,
  })
})

t.test('an https:// URL of a proxy without TLS fails with the right URL, for the gateway and for another', async (t) => {
  const world = await startWorld(t)
  const gateway = await startGateway(t, labConfiguration(world.lab))
  const other = await startProxy(t, () => ({ write: 'HTTP/1.1 400 Bad Request\r\n\r\n' }))
  for (const url of [urlOf(gateway, 'https'), `https://${other}`]) {
    expectOneFailure(t, await world.diagnose({ proxy: proxyAt(url) }), {
      step: 'proxy', found: /^the proxy https:\/\/127\.0\.0\.1:\d+ does not speak TLS \(/, toDo: /^Write --proxy http:\/\/127\.0\.0\.1:\d+, or give the gateway a certificate/,
    })
  }
})

t.test('an http:// URL of a proxy that speaks nothing but TLS fails with the right URL', async (t) => {
  const server = createTlsServer({ cert: certificate.files['server.crt'], key: certificate.files['server.key'] })
  server.on('tlsClientError', () => {})
  const { port, close } = await listenOnLoopback(server)
  t.teardown(close)
  const world = await startWorld(t)
  expectOneFailure(t, await world.diagnose({ proxy: proxyAt(`http://127.0.0.1:${port}`) }), {
    step: 'proxy', found: /speaks TLS, and was asked without$/, toDo: new RegExp(`^Write --proxy https://127\\.0\\.0\\.1:${port}\\.$`),
  })
})

t.test('a proxy whose certificate is not trusted, or for another name, is told apart', async (t) => {
  const world = await startWorld(t)
  const gateway = await startGateway(t, `${labConfiguration(world.lab, { listen: undefined })}
listen: { ${tlsKeys} }
`, certificate.files)
  expectOneFailure(t, await world.diagnose({ proxy: proxyAt(urlOf(gateway, 'https')) }), {
    step: 'proxy', found: /is not trusted here \(SELF_SIGNED_CERT_IN_CHAIN\)$/, toDo: /^Write --ca FILE/,
  })
  const proxy = proxyAt(`https://localhost:${gateway.proxy.port}`)
  expectOneFailure(t, await world.diagnose({ proxy, secureContext }), {
    step: 'proxy', found: /is for other names$/, toDo: /acr-egress certs init --host/,
  })
})

t.test('a proxy that is not there, says nothing, hangs up or is none', async (t) => {
  const world = await startWorld(t)
  const closed = await listenOnLoopback(createServer())
  await closed.close()
  const silent = await startUpstream(t)
  const rude = await startUpstream(t, (socket) => { socket.once('data', () => socket.end()) })
  const ssh = await startUpstream(t, (socket) => { socket.write('SSH-2.0-OpenSSH_9.9\r\n') })
  const table = [
    [closed.port, /^nothing listens at the proxy /, /systemctl status acr-egress/],
    [silent.port, /did not answer the CONNECT within 0\.8 s$/, /runs/],
    [rude.port, /hung up without an answer$/, /its log/],
    [ssh.port, /is no HTTP proxy \(HPE_/, /host and port/],
  ] as const
  for (const [port, found, toDo] of table) {
    const steps = await world.diagnose({ proxy: proxyAt(`http://127.0.0.1:${port}`), stepTimeoutMs: 400 })
    expectOneFailure(t, steps, { step: 'proxy', found, toDo })
  }
})
