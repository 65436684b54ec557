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
import { waitUntil } from '../support/wait-until.ts'

const run = promisify(execFile)
const skip = describeMissing(['skopeo', 'docker-registry', 'curl', 'htpasswd', 'python3'])
const loginServer = 'contoso.azurecr.io'
const dataEndpoint = 'contoso.eastus.data.azurecr.io'
const image = `docker://${loginServer}/team/app:1.0`
// As RFC 3986 has it in a URL, where the password is p@ss:word.
const userInfo = 'user:p%40ss%3Aword'

t.test('a gateway with a file that htpasswd has written', { skip }, async (t) => {
  const folder = t.testdir({ registry: {}, source: {} })
  const authority = await issueAuthority({ commonName: 'registry test', validDays: 1, now: new Date() })
  const registry = await startDockerRegistry({ loginServer, dataEndpoint, folder: join(folder, 'registry'), authority })
  t.teardown(() => registry.close())
  const certs = join(folder, 'certs')
  const [program, ...words] = builtCommandWords
  await run(program, [...words, 'certs', 'init', '--host', 'localhost', '--dir', certs], { env: cleanEnvironment() })
  const trusted = join(folder, 'trusted.crt')
  await writeFile(trusted, authority.certificatePem + await readFile(join(certs, 'ca.crt'), 'utf8'))
  const passwords = join(folder, 'passwords')
  await run('sh', ['-euc', 'umask 077; htpasswd -cbB -C 10 "$1" user p@ss:word', 'sh', passwords])
  await writeFile(join(folder, 'config.yaml'), stringify({
    registries: [{ loginServer, regions: ['eastus'], privateEndpoints: ['127.0.0.0/8'] }],
    listen: {
      address: '127.0.0.1',
      port: 0,
      tls: { certFile: 'certs/server.crt', keyFile: 'certs/server.key' },
    },
    clients: { passwordFile: 'passwords' },
    admin: { address: '127.0.0.1', port: 0 },
    dns: { hosts: { [loginServer]: [registry.login], [dataEndpoint]: [registry.data] } },
  }))
  const gateway = await startDaemon(['--config', join(folder, 'config.yaml')])
  t.teardown(() => gateway.stop())
  const env = { ...cleanEnvironment(), SSL_CERT_FILE: trusted, CURL_CA_BUNDLE: trusted }

  /** The URL of the gateway for a client, with what stands before the @. */
  function proxyUrl (scheme: 'http' | 'https', user: string): string {
    return `${scheme}://${user}localhost:${gateway.proxy.port}`
  }

  async function skopeo (proxy: string, ...argv: string[]) {
    return await run('skopeo', ['--insecure-policy', ...argv], { env: { ...env, HTTPS_PROXY: proxy } })
  }

  const source = join(folder, 'source')
  const digests = await writeImage(source, [200_000, 1])

  for (const scheme of ['http', 'https'] as const) {
    t.test(`skopeo pushes and pulls through ${scheme}://${userInfo}@…`, async (t) => {
      const pulled = join(folder, `pulled-${scheme}`)
      const proxy = proxyUrl(scheme, `${userInfo}@`)
      await skopeo(proxy, 'copy', '--preserve-digests', `dir:${source}`, image)
      await skopeo(proxy, 'copy', '--preserve-digests', image, `dir:${pulled}`)
      for (const digest of digests) {
        t.equal(createHash('sha256').update(await readFile(join(pulled, digest))).digest('hex'), digest)
      }
    })
  }

  t.test('skopeo prints what is missing, and what is wrong', async (t) => {
    const inspect = async (user: string): Promise<string> => {
      return await skopeo(proxyUrl('http', user), 'inspect', image).then(() => '', String)
    }
    t.match(await inspect(''), 'proxy_auth_required: the gateway asks for a user name and password')
    t.match(await inspect('user:p%40ss%3Aword2@'), 'proxy_auth_failed: the user name or password is wrong')
    t.match(await inspect('user@'), 'proxy_auth_failed: the user name or password is wrong')
  })

  /** How many connections curl made, and what the proxy and the registry said last. */
  async function curl (...argv: string[]): Promise<string> {
    const format = '%{num_connects} %{http_connect} %{http_code}'
    const flags = ['-sS', '--proxy-cacert', trusted, '-o', join(folder, 'curl.out'), '-w', format, ...argv, `https://${loginServer}/v2/`]
    return await run('curl', flags, { env }).then(({ stdout }) => stdout, ({ stdout }: { stdout: string }) => stdout)
  }

  t.test('curl asks without a password first, and again on the same connection', async (t) => {
    for (const scheme of ['http', 'https'] as const) {
      const before = gateway.lines.length
      t.equal(await curl('--proxy-anyauth', '--proxy-user', 'user:p@ss:word', '--proxy', proxyUrl(scheme, '')), '1 200 200')
      await waitUntil(() => gateway.lines.length >= before + 2, 'the lines of the log')
      t.match(gateway.lines.slice(before), [{ level: 'info', reason: 'proxy_auth_required' }, { event: 'tunnel_ended', user: 'user' }])
    }
    t.equal(await curl('--proxy', proxyUrl('http', `${userInfo}@`)), '1 200 200', 'at once, when it is not told to ask')
    t.match(await curl('--proxy-anyauth', '--proxy-user', 'user:wrong', '--proxy', proxyUrl('http', '')), /^1 407 000$/)
  })

  t.test('Python, which sends CONNECT by HTTP/1.0, gets in and is told', async (t) => {
    const script = 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).status)'
    const python = async (user: string): Promise<string> => {
      return await run('python3', ['-c', script, `https://${loginServer}/v2/`], { env: { ...env, https_proxy: proxyUrl('http', user) } })
        .then(({ stdout }) => stdout, ({ stderr }: { stderr: string }) => stderr)
    }
    t.equal(await python(`${userInfo}@`), '200\n')
    t.match(await python(''), 'Tunnel connection failed: 407 proxy_auth_required: the gateway asks for a user name and password')
  })

  t.test('doctor walks through, with a user and a password in the URL', async (t) => {
    const flags = ['doctor', '--config', join(folder, 'config.yaml'), '--json', '--ca', trusted, '--proxy']
    const doctor = async (user: string): Promise<string> => {
      return await run(program, [...words, ...flags, proxyUrl('http', user)], { env })
        .then(({ stdout }) => stdout, ({ stdout }: { stdout: string }) => stdout)
    }
    t.match(await doctor(''), 'wants a user and a password (407 proxy_auth_required: the gateway asks for')
    t.match(await doctor('user:x@'), 'does not take this user and password (407 proxy_auth_failed: the user name or password is wrong)')
    t.notMatch(await doctor(`${userInfo}@`), /407/)
  })

  t.test('every tunnel in the log has its user, and no line a password', async (t) => {
    await gateway.stop()
    const ended = gateway.lines.filter(({ event }) => event === 'tunnel_ended')
    t.ok(ended.length > 10)
    t.same([...new Set(ended.map((line) => line['user']))], ['user'])
    const basic = Buffer.from('user:p@ss:word').toString('base64')
    t.notMatch(JSON.stringify(gateway.lines), new RegExp(`p@ss|p%40ss|${basic}|\\$2[aby]\\$`))
  })
})
