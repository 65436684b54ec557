import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { stringify } from 'yaml'
import { issueAuthority } from '../../src/tls/certificates.ts'
import { builtCommandWords, cleanEnvironment, startDaemon } from '../support/daemon.ts'
import { describeMissing } from '../support/debian-parts.ts'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { writeImage } from '../support/image-layout.ts'

const run = promisify(execFile)
const skip = describeMissing(['skopeo', 'docker-registry'])
const loginServer = 'contoso.azurecr.io'
const dataEndpoint = 'contoso.eastus.data.azurecr.io'
const image = `docker://${loginServer}/team/app:1.0`

t.test('skopeo pushes an image to a real registry and pulls it again', { skip }, async (t) => {
  const folder = t.testdir({ registry: {}, source: {} })
  const authority = await issueAuthority({ commonName: 'registry test', validDays: 1, now: new Date() })
  const registry = await startDockerRegistry({ loginServer, dataEndpoint, folder: join(folder, 'registry'), authority })
  t.teardown(() => registry.close())
  const certs = join(folder, 'certs')
  const [program, ...words] = builtCommandWords
  await run(program, [...words, 'certs', 'init', '--host', 'localhost', '--dir', certs], { env: cleanEnvironment() })
  const trusted = join(folder, 'trusted.crt')
  await writeFile(trusted, authority.certificatePem + await readFile(join(certs, 'ca.crt'), 'utf8'))
  await writeFile(join(folder, 'config.yaml'), stringify({
    registries: [{ loginServer, regions: ['eastus'], privateEndpoints: ['127.0.0.0/8'] }],
    listen: {
      address: '127.0.0.1',
      port: 0,
      tls: { certFile: 'certs/server.crt', keyFile: 'certs/server.key' },
    },
    admin: { address: '127.0.0.1', port: 0 },
    dns: { hosts: { [loginServer]: [registry.login], [dataEndpoint]: [registry.data] } },
  }))
  const gateway = await startDaemon(['--config', join(folder, 'config.yaml')])
  t.teardown(() => gateway.stop())
  const source = join(folder, 'source')
  const digests = await writeImage(source, [5_000_000, 1_000_000, 1])

  async function skopeo (scheme: 'http' | 'https', ...words: string[]) {
    const proxy = `${scheme}://localhost:${gateway.proxy.port}`
    const env = { ...cleanEnvironment(), HTTPS_PROXY: proxy, SSL_CERT_FILE: trusted }
    return await run('skopeo', ['--insecure-policy', ...words], { env })
  }

  for (const scheme of ['http', 'https'] as const) {
    t.test(`with HTTPS_PROXY=${scheme}://…`, async (t) => {
      const pulled = join(folder, `pulled-${scheme}`)
      await skopeo(scheme, 'copy', '--preserve-digests', `dir:${source}`, image)
      const layersBefore = registry.layerRequests.length
      await skopeo(scheme, 'copy', '--preserve-digests', image, `dir:${pulled}`)
      for (const digest of digests) {
        const content = await readFile(join(pulled, digest))
        t.equal(createHash('sha256').update(content).digest('hex'), digest, 'the content has its digest')
      }
      t.same(await readFile(join(pulled, 'manifest.json')), await readFile(join(source, 'manifest.json')))
      t.ok(registry.layerRequests.length >= layersBefore + digests.length, 'every blob came from the data endpoint')
    })
  }

  t.test('a registry that is not allowed is refused with the reason in skopeo\'s own message', async (t) => {
    const failed = await skopeo('http', 'inspect', 'docker://registry.example/app:1').then(() => '', String)
    t.match(failed, 'host_not_allowed: registry.example is not an endpoint of contoso.azurecr.io')
  })

  t.test('the log names both endpoints, and every byte that came', async (t) => {
    await gateway.stop()
    const ended = gateway.lines.filter(({ event }) => event === 'tunnel_ended')
    const bytesFromData = ended.filter((line) => line['class'] === 'data')
      .reduce((sum, line) => sum + Number(line['bytesFromUpstream']), 0)
    t.ok(bytesFromData > 2 * 6_000_000, 'the layers were pulled twice')
    t.ok(ended.some((line) => line['target'] === `${loginServer}:443` && line['class'] === 'login'))
  })
})
