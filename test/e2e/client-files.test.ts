import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { issueAuthority } from '../../src/tls/certificates.ts'
import { builtCommandWords, cleanEnvironment } from '../support/daemon.ts'
import { describeMissing } from '../support/debian-parts.ts'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { writeImage } from '../support/image-layout.ts'
import { startPlainConnectProxy } from '../support/plain-connect-proxy.ts'

const run = promisify(execFile)
const loginServer = 'contoso.azurecr.io'
const dataEndpoint = 'contoso.eastus.data.azurecr.io'
const image = `docker://${loginServer}/team/app:1.0`
const password = '%25 @:/ $HOME"\'\\é#'
const basic = Buffer.from(`edge:${password}`).toString('base64')

t.test('with a name and password in the files', { skip: describeMissing(['skopeo', 'docker-registry', 'curl']) }, async (t) => {
  const folder = t.testdir({ registry: {}, source: {} })
  const authority = await issueAuthority({ commonName: 'registry test', validDays: 1, now: new Date() })
  const registry = await startDockerRegistry({ loginServer, dataEndpoint, folder: join(folder, 'registry'), authority })
  t.teardown(() => registry.close())
  const served = new Map([[`${loginServer}:443`, registry.login], [`${dataEndpoint}:443`, registry.data]])
  const proxy = await startPlainConnectProxy({
    answer (target, head) {
      const [, given] = /^Proxy-Authorization: Basic (\S+)\r$/im.exec(head) ?? []
      if (given !== basic) return { write: 'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n' }
      const dial = served.get(target)
      return dial === undefined ? { write: 'HTTP/1.1 403 Forbidden\r\n\r\n' } : { dial }
    },
  })
  t.teardown(() => proxy.close())
  const trusted = join(folder, 'trusted.crt')
  await writeFile(trusted, authority.certificatePem)
  await writeFile(join(folder, 'password'), `${password}\n`, { mode: 0o600 })
  const env = { ...cleanEnvironment(), SSL_CERT_FILE: trusted, CURL_CA_BUNDLE: trusted }

  async function client (...words: string[]): Promise<string> {
    const [program, ...first] = builtCommandWords
    const flags = [
      '--proxy', `http://localhost:${proxy.port}`, '--user', 'edge', '--password-file', join(folder, 'password'),
      '--registry', loginServer, '--region', 'eastus',
    ]
    return (await run(program, [...first, 'client', ...words, ...flags], { env })).stdout
  }

  t.test('skopeo pulls in a shell that has read what env prints', async (t) => {
    const source = join(folder, 'source')
    const pulled = join(folder, 'pulled')
    const digests = await writeImage(source, [200_000, 1])
    const script = await client('env')
    const copy = async (from: string, to: string): Promise<void> => {
      const words = ['skopeo', '--insecure-policy', 'copy', '--preserve-digests', from, to]
      await run('sh', ['-euc', 'eval "$1"; shift; exec "$@"', 'sh', script, ...words], { env })
    }
    await copy(`dir:${source}`, image)
    await copy(image, `dir:${pulled}`)
    for (const digest of digests) {
      t.equal(createHash('sha256').update(await readFile(join(pulled, digest))).digest('hex'), digest)
    }
    t.ok(registry.layerRequests.length >= digests.length, 'the layers came from the data endpoint')
    t.ok(proxy.requests.length > 0 && proxy.requests.every((head) => head.includes(basic)), 'all with the name and password')
  })

  t.test('the check with curl that each kind prints says that it works, and says when not', async (t) => {
    const { steps } = JSON.parse(await client('docker', '--json')) as { steps: ReadonlyArray<{ command: string }> }
    const { command = '' } = steps.find((step) => step.command.startsWith('curl ')) ?? {}
    t.equal((await run('sh', ['-c', command], { env })).stdout, '200 200\n', 'this registry asks nobody who he is')
    const wrong = command.replace('edge:', 'edge:x')
    const failed = await run('sh', ['-c', wrong], { env }).then(() => '', (error: { stdout: string }) => error.stdout)
    t.equal(failed, '407 000\n')
  })
})
