import { spawnSync } from 'node:child_process'
import t from 'tap'
import type { ClientFile, ClientRequest } from '../../../src/client-files/client-setup.ts'
import { type ClientKind, clientKinds, createClientSetup, findMismatch } from '../../../src/client-files/kinds.ts'
import { localNames } from '../../../src/client-files/no-proxy.ts'
import { parseClientProxyUrl } from '../../../src/client-files/proxy-url.ts'
import { quoteForShell, quoteForToml, quoteForUnit } from '../../../src/client-files/quoting.ts'
import { describeMissing } from '../../support/debian-parts.ts'
import { readUnitEnvironment } from '../../support/unit-environment.ts'

const credentials = { user: 'corp\\edge', password: '%25 @:/$HOME"\'\\`é#;!' }
const proxy = { scheme: 'http', host: 'gw.example', port: 443, credentials } as const
const url = 'http://corp%5Cedge:%2525%20%40%3A%2F%24HOME%22%27%5C%60%C3%A9%23%3B%21@gw.example:443'
const request: ClientRequest = { proxy, noProxy: [...localNames, '.svc', '10.96.0.0/12'], loginServer: 'contoso.azurecr.io' }
const noProxy = 'localhost,127.0.0.1,::1,.svc,10.96.0.0/12'

function fileOf (kind: ClientKind, path: string | RegExp): ClientFile {
  const found = createClientSetup(kind, request).files.find((file) => typeof path === 'string' ? file.path === path : path.test(file.path))
  if (found === undefined) throw new Error(`${kind} has no ${path}`)
  return found
}

t.test('the URL that every file holds is the one with this name and password', async (t) => {
  const parsed = parseClientProxyUrl(url)
  t.same(parsed.ok && parsed.proxy, proxy)
})

t.test('docker\'s daemon.json is JSON with the proxies, closed to others when there is a password', async (t) => {
  const file = fileOf('docker', '/etc/docker/daemon.json')
  t.same(JSON.parse(file.content), { proxies: { 'https-proxy': url, 'no-proxy': noProxy } })
  t.equal(file.mode, 0o600)
  const { credentials: _, ...open } = proxy
  t.equal(createClientSetup('docker', { ...request, proxy: open }).files[0]?.mode, 0o644)
})

t.test('the two forms for docker are told apart by its version', async (t) => {
  const choices = createClientSetup('docker', request).files.map(({ choice }) => choice)
  t.same(choices.map((choice) => choice?.name), ['daemon.json', 'drop-in'])
  t.match(choices[0]?.when, '23 and later')
  t.match(choices[1]?.when, 'before 23')
})

const systemd = { skip: describeMissing(['systemd-analyze']) }

t.test('systemd itself reads the drop-ins, and starts the services with the URL to the letter', systemd, async (t) => {
  const table: ReadonlyArray<readonly [kind: ClientKind, path: RegExp, variables: Record<string, string>]> = [
    ['docker', /docker\.service\.d/, { HTTPS_PROXY: url, NO_PROXY: noProxy }],
    ['containerd', /containerd\.service\.d/, { HTTPS_PROXY: url, NO_PROXY: noProxy }],
    ['iotedge', /docker\.service\.d/, { https_proxy: url, no_proxy: noProxy }],
    ['iotedge', /aziot-edged\.service\.d/, { https_proxy: url }],
    ['iotedge', /aziot-identityd\.service\.d/, { https_proxy: url }],
  ]
  for (const [kind, path, variables] of table) {
    const read = readUnitEnvironment(t, fileOf(kind, path))
    t.equal(read.complaints, '', `${kind} ${path}`)
    t.same(read.variables, variables, `${kind} ${path}`)
  }
})

t.test('whatever a value holds, systemd has it back', systemd, async (t) => {
  const value = 'p%ass %%h "x" \'y\' \\ \\n $HOME $X é # ; !'
  const content = `[Service]\nEnvironment=${quoteForUnit(`A=${value}`)}\nEnvironment=${quoteForUnit('B=%')}\n`
  const read = readUnitEnvironment(t, { path: '/etc/systemd/system/x.service.d/a.conf', content })
  t.equal(read.complaints, '')
  t.same(read.variables, { A: value, B: '%' })
})

t.test('a real parser of TOML reads what podman and the Edge agent are given', { skip: describeMissing(['python3']) }, async (t) => {
  const value = '%25 @ $HOME "x" \'y\' \\ \u007F é \t'
  const texts = [
    fileOf('podman', '/etc/containers/containers.conf.d/acr-egress.conf').content,
    fileOf('iotedge', '/etc/aziot/config.toml').content,
    `value = ${quoteForToml(value)}\n`,
  ]
  const program = 'import json, sys, tomllib\nprint(json.dumps([tomllib.loads(text) for text in json.load(sys.stdin)]))'
  const parsed = spawnSync('python3', ['-c', program], { input: JSON.stringify(texts), encoding: 'utf8' })
  t.equal(parsed.stderr, '')
  t.same(JSON.parse(parsed.stdout), [
    { engine: { env: [`HTTPS_PROXY=${url}`, `NO_PROXY=${noProxy}`] } },
    { agent: { env: { https_proxy: url, UpstreamProtocol: 'AmqpWs' } } },
    { value },
  ])
})

t.test('IoT Edge has the same lower-case variable in all four places', async (t) => {
  const { files } = createClientSetup('iotedge', request)
  t.equal(files.length, 4)
  for (const { path, content } of files) {
    t.equal(content.match(/https_proxy/gi)?.join(), 'https_proxy', path)
    t.ok(content.replaceAll('%%', '%').includes(url), path)
  }
})

t.test('a shell that reads the script has the URL in both cases, to the letter', async (t) => {
  const { content } = fileOf('env', '/etc/profile.d/acr-egress.sh')
  const script = `${content}printf '%s\\n' "$HTTPS_PROXY" "$https_proxy" "$NO_PROXY" "$no_proxy"\n`
  const printed = spawnSync('sh', ['-euc', script], { encoding: 'utf8', env: {} })
  t.equal(printed.stderr, '')
  t.same(printed.stdout.trim().split('\n'), [url, url, noProxy, noProxy])
  t.equal(fileOf('env', '/etc/environment').content,
    `HTTPS_PROXY=${url}\nhttps_proxy=${url}\nNO_PROXY=${noProxy}\nno_proxy=${noProxy}\n`)
})

t.test('whatever a word holds, a shell has it back', async (t) => {
  const words = ['plain', '~', 'a b', 'it\'s', '$HOME `x` "y" \\', '', 'é', '*', '100%', '\'']
  const printed = spawnSync('sh', ['-c', `printf '%s\\0' ${words.map(quoteForShell).join(' ')}`], { encoding: 'utf8' })
  t.same(printed.stdout.split('\0').slice(0, -1), words)
})

t.test('an authority is a file that Debian trusts, with the command for it', async (t) => {
  const authorityPem = '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'
  for (const kind of clientKinds.filter((one) => one !== 'iotedge')) {
    const setup = createClientSetup(kind, { ...request, proxy: { ...proxy, scheme: 'https' }, authorityPem })
    t.equal(setup.files.at(-1)?.path, '/usr/local/share/ca-certificates/acr-egress.crt')
    t.equal(setup.files.at(-1)?.content, authorityPem)
    t.match(setup.steps[0]?.command, 'update-ca-certificates')
    const without = createClientSetup(kind, { ...request, proxy: { ...proxy, scheme: 'https' } })
    t.ok(without.notes.some((note) => note.includes('--ca FILE')), kind)
  }
})

t.test('a proxy that a client cannot use is found out', async (t) => {
  const at = (scheme: 'http' | 'https', host: string): ClientRequest => ({ ...request, proxy: { scheme, host, port: 443 } })
  t.match(findMismatch('iotedge', at('https', 'fd00::4')), /always speaks http:\/\/.*write http:\/\/\[fd00::4\]:443/)
  for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '::1']) {
    t.match(findMismatch('iotedge', at('http', host)), /runs in a container/, host)
    t.equal(findMismatch('docker', at('http', host)), undefined, host)
  }
  t.equal(findMismatch('iotedge', at('http', '10.0.0.4')), undefined)
  t.equal(findMismatch('docker', at('https', 'gw')), undefined)
  t.match(findMismatch('docker', { ...at('http', 'gw'), authorityPem: 'x' }), /leave --ca out/)
})
