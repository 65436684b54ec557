import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { runCommand } from '../support/command-run.ts'
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
  t.match(untrusted.stderr, /cannot be reached \((?:SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+), .+\); let the way there be opened/)
  const refused = await runCommand(t, ['tags', 'refresh', '--file', file, '--from', `https://${name}/x`], {
    program: [`HTTPS_PROXY=http://127.0.0.1:${proxy.port}`, process.execPath, builtCommand],
  })
  t.equal(refused.code, 1)
  t.match(refused.stderr, /cannot be reached \(UND_ERR_\w+, .*403.*\); let the way there be opened, set HTTPS_PROXY, or fetch/)
})
