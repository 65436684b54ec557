import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { stringify } from 'yaml'
import { listenOnLoopback } from '../../src/lab/loopback.ts'
import { issueAuthority } from '../../src/tls/certificates.ts'
import { type Daemon, builtCommandWords, cleanEnvironment, startDaemon } from '../support/daemon.ts'
import { describeMissing } from '../support/debian-parts.ts'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { writeImage } from '../support/image-layout.ts'
import { createOpensslAuthority } from '../support/openssl-authority.ts'
import { waitUntil } from '../support/wait-until.ts'

const execute = promisify(execFile)
const skip = describeMissing(['skopeo', 'docker-registry', 'curl', 'openssl', 'stunnel4'])
const loginServer = 'contoso.azurecr.io'
const dataEndpoint = 'contoso.eastus.data.azurecr.io'
const image = `docker://${loginServer}/team/app:1.0`

/** A command that may fail: what it wrote, on either side. */
async function attempt (words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const [program = '', ...rest] = words
  const running = execute(program, rest, { env: { ...cleanEnvironment(), ...env } })
  const { stdout, stderr } = await running.catch((error: { stdout: string, stderr: string }) => error)
  return stdout + stderr
}

/** The block of docs/tls.md that has this text, with another folder in place of its own. */
async function readBlock (text: string, folder: string): Promise<string> {
  const page = await readFile(new URL('../../docs/tls.md', import.meta.url), 'utf8')
  const blocks = [...page.matchAll(/^```\w+\n(.*?)^```$/gms)].map(([, lines = '']) => lines)
  const block = blocks.find((lines) => lines.includes(text))
  if (block === undefined) throw new Error(`docs/tls.md has no block with ${text}`)
  return block.replaceAll('/etc/acr-egress/certs', folder).replaceAll('/etc/acr-egress', folder)
}

t.test('a device with a certificate pulls from a real registry, by each way that the page tells', { skip }, async (t) => {
  const folder = t.testdir({ registry: {}, source: {}, 'certs.d': {} })
  const certs = join(folder, 'certs')
  const authority = await issueAuthority({ commonName: 'registry test', validDays: 1, now: new Date() })
  const registry = await startDockerRegistry({ loginServer, dataEndpoint, folder: join(folder, 'registry'), authority })
  t.teardown(() => registry.close())
  await attempt([...builtCommandWords, 'certs', 'init', '--host', 'localhost', '--dir', certs])
  await attempt([...builtCommandWords, 'certs', 'client', '--name', 'line1', '--dir', certs])
  const registryCa = join(folder, 'registry-ca.crt')
  await writeFile(registryCa, authority.certificatePem)
  const path = (name: string) => join(certs, name)

  // As the page has it, before there is anything to revoke.
  const revocation = await readBlock('-gencrl', certs)
  await execute('sh', ['-ec', revocation.replace(/^openssl .* -revoke .*\n/m, '')])
  const stranger = createOpensslAuthority(t)
  await writeFile(join(folder, 'stranger.crt'), stranger.cert)
  await writeFile(join(folder, 'config.yaml'), stringify({
    registries: [{ loginServer, regions: ['eastus'], privateEndpoints: ['127.0.0.0/8'] }],
    listen: {
      address: '127.0.0.1',
      port: 0,
      tls: {
        certFile: path('server.crt'),
        keyFile: path('server.key'),
        clientCaFile: path('client-ca.crt'),
        clientCrlFile: path('client-ca.crl'),
      },
    },
    admin: { address: '127.0.0.1', port: 0 },
    dns: { hosts: { [loginServer]: [registry.login], [dataEndpoint]: [registry.data] } },
  }))
  // What else this process trusts is not for clients.
  const gateway = await startDaemon(['--config', join(folder, 'config.yaml')], { NODE_EXTRA_CA_CERTS: join(folder, 'stranger.crt') })
  t.teardown(() => gateway.stop())
  const proxy = `https://localhost:${gateway.proxy.port}`
  await prepareFolder(join(folder, 'certs.d'), { cert: path('client-line1.crt'), key: path('client-line1.key'), ca: path('ca.crt') })
  const source = join(folder, 'source')
  const digests = await writeImage(source, [3_000_000, 1])

  const curl = (...words: string[]) => attempt([
    'curl', '-sSv', '-o', '/dev/null', '-w', '%{http_connect} %{http_code}', '--proxy', proxy, '--proxy-cacert', path('ca.crt'),
    '--cacert', registryCa, ...words, `https://${loginServer}/v2/`,
  ])
  const skopeo = (words: readonly string[], https = proxy) => attempt(['skopeo', '--insecure-policy', ...words], {
    HTTPS_PROXY: https, SSL_CERT_FILE: registryCa,
  })

  await t.test('curl, with --proxy-cert', async (t) => {
    t.match(await curl('--proxy-cert', path('client-line1.crt'), '--proxy-key', path('client-line1.key')), /^200 200/)
    t.match(await curl(), '403 client_certificate_refused: the client showed no certificate')
    const pair = stranger.issueClient()
    await writeFile(join(folder, 'other.crt'), pair.cert)
    await writeFile(join(folder, 'other.key'), pair.key)
    const other = await curl('--proxy-cert', join(folder, 'other.crt'), '--proxy-key', join(folder, 'other.key'))
    t.match(other, '403 client_certificate_refused: the client\'s certificate is from no authority that counts here')
    t.match(await curl('--proxy-cert', path('server.crt'), '--proxy-key', path('server.key')), /client_certificate_refused: /)
  })

  await t.test('skopeo, with a folder as those of docker and podman, which has the gateway\'s authority too', async (t) => {
    const dir = join(folder, 'certs.d')
    t.match(await skopeo(['copy', '--preserve-digests', '--dest-cert-dir', dir, `dir:${source}`, image]), 'Writing manifest')
    const pulled = join(folder, 'pulled')
    t.match(await skopeo(['copy', '--preserve-digests', '--src-cert-dir', dir, image, `dir:${pulled}`]), 'Writing manifest')
    for (const digest of digests) {
      t.equal(createHash('sha256').update(await readFile(join(pulled, digest))).digest('hex'), digest)
    }
    t.match(await skopeo(['inspect', image]), 'proxyconnect tcp: x509: certificate signed by unknown authority')
  })

  await t.test('skopeo without a certificate, or with one from elsewhere, which it does not show', async (t) => {
    const bare = join(folder, 'bare.d')
    await mkdir(bare)
    await copyFile(path('ca.crt'), join(bare, 'ca.crt'))
    const refused = 'client_certificate_refused: the client showed no certificate'
    t.match(await skopeo(['inspect', '--cert-dir', bare, image]), refused)
    t.match(await skopeo(['inspect', image], proxy.replace('https', 'http')), `${refused}, as it does not speak TLS to the gateway`)
    await copyFile(join(folder, 'other.crt'), join(bare, 'client.cert'))
    await copyFile(join(folder, 'other.key'), join(bare, 'client.key'))
    t.match(await skopeo(['inspect', '--cert-dir', bare, image]), refused)
  })

  await t.test('a client that has no setting for it, by way of stunnel', async (t) => {
    const port = await startStunnel(t, folder, gateway, {
      cert: path('client-line1.crt'), key: path('client-line1.key'), ca: path('ca.crt'),
    })
    const pulled = join(folder, 'forwarded')
    const output = await skopeo(['copy', '--preserve-digests', image, `dir:${pulled}`], `http://127.0.0.1:${port}`)
    t.match(output, 'Writing manifest')
  })

  await t.test('a revoked one is refused from then on, by the commands of the page', async (t) => {
    await execute('sh', ['-ec', revocation])
    await waitUntil(() => gateway.lines.some(({ event }) => event === 'tls_files_updated'), 'the new list')
    t.match(await skopeo(['inspect', '--cert-dir', join(folder, 'certs.d'), image]),
      'client_certificate_refused: the client\'s certificate is revoked')
  })

  await gateway.stop()
  const ended = gateway.lines.filter(({ event }) => event === 'tunnel_ended')
  t.ok(ended.some((line) => line['class'] === 'data') && ended.some((line) => line['class'] === 'login'))
  for (const line of ended) t.equal(line['clientCertificate'], 'CN=line1')
})

interface DeviceFiles {
  readonly cert: string
  readonly key: string
  readonly ca: string
}

/** What docker and podman look for in the folder of a registry. */
async function prepareFolder (folder: string, { cert, key, ca }: DeviceFiles): Promise<void> {
  await copyFile(cert, join(folder, 'client.cert'))
  await copyFile(key, join(folder, 'client.key'))
  await copyFile(ca, join(folder, 'acr-egress.crt'))
}

/** Runs stunnel by the configuration of the page, on a port that was free. */
async function startStunnel (
  t: Test, folder: string, { proxy }: Daemon, { cert, key, ca }: DeviceFiles,
): Promise<number> {
  const free = createServer()
  const { port, close } = await listenOnLoopback(free)
  await close()
  const file = join(folder, 'stunnel.conf')
  const block = (await readBlock('client = yes', folder))
    .replace('127.0.0.1:3128', `127.0.0.1:${port}`)
    .replace(/^connect = .*$/m, `connect = 127.0.0.1:${proxy.port}`)
    .replace(/^cert = .*$/m, `cert = ${cert}`)
    .replace(/^key = .*$/m, `key = ${key}`)
    .replace(/^CAfile = .*$/m, `CAfile = ${ca}`)
    .replace(/^checkHost = .*$/m, 'checkHost = localhost')
  await writeFile(file, `foreground = yes\npid =\n${block}`)
  const child = spawn('stunnel4', [file], { stdio: 'ignore' })
  t.teardown(() => child.kill())
  const knock = () => attempt(['curl', '-sS', `http://127.0.0.1:${port}/`])
  await waitUntil(async () => !(await knock()).includes('Failed to connect'), 'stunnel')
  return port
}
