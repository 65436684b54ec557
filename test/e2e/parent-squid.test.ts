import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { stringify } from 'yaml'
import { issueAuthority } from '../../src/tls/certificates.ts'
import { type Daemon, cleanEnvironment, startDaemon } from '../support/daemon.ts'
import { describeMissing } from '../support/debian-parts.ts'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { writeImage } from '../support/image-layout.ts'
import { type Squid, startSquid } from '../support/squid.ts'

const run = promisify(execFile)
const skip = describeMissing(['squid', 'skopeo', 'docker-registry', 'openssl'])
const loginServer = 'contoso.azurecr.io'
const dataEndpoint = 'contoso.eastus.data.azurecr.io'
const image = `docker://${loginServer}/team/app:1.0`
// Addresses of loopback that nobody else has at port 443: Squid finds the registry there, by its name.
const [login, data] = [7, 8].map((last) => `127.${100 + process.pid % 100}.${(process.pid >> 8) % 250}.${last}`) as [string, string]

/** Passes connections to port 443 of an address on. */
async function forward (t: Test, address: string, place: string): Promise<void> {
  const [host, port] = place.split(':')
  const server = createServer((client) => {
    const upstream = connect(Number(port), host)
    client.pipe(upstream).pipe(client)
    for (const socket of [client, upstream]) socket.on('error', () => { client.destroy(); upstream.destroy() })
  })
  server.listen(443, address)
  await once(server, 'listening')
  t.teardown(() => server.close())
}

/** A real registry, an image to push, and what a gateway behind a parent needs to reach it. */
async function startStage (t: Test) {
  const folder = t.testdir({ registry: {}, source: {} })
  const authority = await issueAuthority({ commonName: 'registry test', validDays: 1, now: new Date() })
  const registry = await startDockerRegistry({ loginServer, dataEndpoint, folder: join(folder, 'registry'), authority })
  t.teardown(() => registry.close())
  await forward(t, login, registry.login)
  await forward(t, data, registry.data)
  const trusted = join(folder, 'trusted.crt')
  await writeFile(trusted, authority.certificatePem)
  const digests = await writeImage(join(folder, 'source'), [3_000_000, 500_000, 1])
  return { folder, registry, trusted, digests }
}

/** Squid as companies have it: names that are let through, at port 443 only; and Basic, if there are users. */
async function startParent (
  t: Test, more: readonly string[] = [], files: Readonly<Record<string, string>> = {},
): Promise<Squid> {
  const squid = await startSquid({
    hosts: { [loginServer]: login, [dataEndpoint]: data },
    files,
    render: (port, folder) => [
      `http_port 127.0.0.1:${port}`,
      ...more.map((line) => line.replaceAll('FOLDER', folder)),
      `acl registry dstdomain ${loginServer} ${dataEndpoint}`,
      'acl https port 443',
      'http_access allow CONNECT registry https',
      'http_access deny all',
      'cache deny all',
      '',
    ].join('\n'),
  })
  t.teardown(() => squid.close())
  t.same(squid.complaints, [])
  return squid
}

async function startGateway (t: Test, folder: string, upstreamProxy: object, dns: object = {}): Promise<Daemon> {
  const config = join(folder, 'config.yaml')
  writeFileSync(config, stringify({
    registries: [{ loginServer, regions: ['eastus'], privateEndpoints: ['127.0.0.0/8'] }],
    extraHosts: ['registry.example'],
    listen: { address: '127.0.0.1', port: 0 },
    admin: { address: '127.0.0.1', port: 0 },
    // Nobody listens there: a name that is asked for is a failure.
    dns: { servers: ['127.0.0.1:9'], ...dns },
    upstreamProxy,
  }))
  const gateway = await startDaemon(['--config', config])
  t.teardown(() => gateway.stop())
  return gateway
}

async function pushAndPull (
  t: Test, { folder, trusted, digests }: Awaited<ReturnType<typeof startStage>>, gateway: Daemon,
): Promise<void> {
  const env = { ...cleanEnvironment(), HTTPS_PROXY: `http://127.0.0.1:${gateway.proxy.port}`, SSL_CERT_FILE: trusted }
  const skopeo = async (...words: readonly string[]) => await run('skopeo', ['--insecure-policy', 'copy', '--preserve-digests', ...words], { env })
  const pulled = join(folder, `pulled-${gateway.proxy.port}`)
  await skopeo(`dir:${join(folder, 'source')}`, image)
  await skopeo(image, `dir:${pulled}`)
  for (const digest of digests) {
    t.equal(createHash('sha256').update(await readFile(join(pulled, digest))).digest('hex'), digest, 'the content has its digest')
  }
}

t.test('skopeo pushes and pulls through the gateway, and Squid that resolves for it', { skip }, async (t) => {
  const stage = await startStage(t)
  const squid = await startParent(t)
  const gateway = await startGateway(t, stage.folder, { url: `http://127.0.0.1:${squid.port}` })
  await pushAndPull(t, stage, gateway)
  t.ok(stage.registry.layerRequests.length >= stage.digests.length, 'every blob came from the data endpoint')
  await gateway.stop()
  const ended = gateway.lines.filter(({ event }) => event === 'tunnel_ended')
  t.ok(ended.length > 2)
  for (const line of ended) {
    // Squid knows no half-close: it may reset a tunnel that the client has ended.
    t.match(line, { parent: `127.0.0.1:${squid.port}`, resolvedBy: 'parent', end: /^(?:closed|client_reset|upstream_reset)$/ })
    t.notOk('address' in line)
  }
})

t.test('what Squid refuses, skopeo prints with Squid\'s status; what the gateway refuses, Squid is not asked for', { skip }, async (t) => {
  const stage = await startStage(t)
  const squid = await startParent(t)
  const gateway = await startGateway(t, stage.folder, { url: `http://127.0.0.1:${squid.port}` })
  const inspect = async (host: string): Promise<string> => {
    const env = { ...cleanEnvironment(), HTTPS_PROXY: `http://127.0.0.1:${gateway.proxy.port}`, SSL_CERT_FILE: stage.trusted }
    return await run('skopeo', ['--insecure-policy', 'inspect', `docker://${host}/app:1`], { env }).then(() => '', String)
  }
  t.match(await inspect('registry.example'), 'parent_refused: the parent proxy says 403 Forbidden')
  t.match(await inspect('other.example'), 'host_not_allowed: other.example is not an endpoint of contoso.azurecr.io')
})

t.test('with Basic the right user and password open the way, and the wrong ones do not', { skip }, async (t) => {
  const stage = await startStage(t)
  const hash = execFileSync('openssl', ['passwd', '-apr1', 'xyzzy: 1'], { encoding: 'utf8' }).trim()
  const basic = [
    'auth_param basic program /usr/lib/squid/basic_ncsa_auth FOLDER/users',
    'acl known proxy_auth REQUIRED',
    'http_access deny !known',
  ]
  const squid = await startParent(t, basic, { users: `corp\\gate:${hash}\n` })
  for (const [name, password] of [['right', 'xyzzy: 1\n'], ['wrong', 'plugh-2\n']] as const) {
    writeFileSync(join(stage.folder, name), password)
    chmodSync(join(stage.folder, name), 0o600)
  }
  const url = `http://corp%5Cgate@127.0.0.1:${squid.port}`
  const right = await startGateway(t, stage.folder, { url, passwordFile: 'right' })
  await pushAndPull(t, stage, right)

  const wrong = await startGateway(t, stage.folder, { url, passwordFile: 'wrong' })
  await t.rejects(pushAndPull(t, stage, wrong), { message: /parent_refused: the parent proxy says 407 Proxy Authentication Required/ })
  await Promise.all([right.stop(), wrong.stop()])
  const shown = JSON.stringify([right.lines, wrong.lines])
  t.notMatch(shown, /xyzzy|plugh/)
  t.notMatch(shown, Buffer.from('corp\\gate:xyzzy: 1').toString('base64'))
})

t.test('Squid that lets addresses through connects to the ones that the gateway has judged', { skip }, async (t) => {
  const stage = await startStage(t)
  const { port, complaints, close } = await startSquid({
    hosts: {},
    render: (listenPort) => `http_port 127.0.0.1:${listenPort}\nhttp_access allow CONNECT\nhttp_access deny all\ncache deny all\n`,
  })
  t.teardown(close)
  t.same(complaints, [])
  // Nobody is at the first address: Squid says so, and is asked for the next.
  const hosts = { [loginServer]: [`${login}:1`, stage.registry.login], [dataEndpoint]: [stage.registry.data] }
  const gateway = await startGateway(t, stage.folder, { url: `http://127.0.0.1:${port}`, resolve: 'gateway' }, { hosts })
  await pushAndPull(t, stage, gateway)
  await gateway.stop()
  const ended = gateway.lines.filter(({ event }) => event === 'tunnel_ended')
  t.ok(ended.length > 2)
  for (const line of ended) {
    const address = line['target'] === `${loginServer}:443` ? stage.registry.login : stage.registry.data
    t.match(line, { address, parent: `127.0.0.1:${port}`, resolvedBy: 'gateway' })
  }
})
