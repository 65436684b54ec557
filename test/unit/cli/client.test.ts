import { chmodSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { UsageError } from '../../../src/cli/args.ts'
import { clientCommand } from '../../../src/cli/client.ts'
import { issueAuthority, issueServerCertificate } from '../../../src/tls/certificates.ts'
import { type Result, runHere } from '../../support/command-run.ts'

const proxy = ['--proxy', 'http://gw.example:443'] as const

async function run (...argv: string[]): Promise<Result> {
  return await runHere(clientCommand, argv)
}

function configuration (t: Test, listen: string): string {
  const folder = t.testdir({
    'config.yaml': `registries: [{loginServer: contoso.azurecr.io, regions: [eastus]}]\nlisten: {${listen}}\n`,
  })
  return join(folder, 'config.yaml')
}

t.test('every kind prints its files with their paths, the commands, and what to know', async (t) => {
  const table: ReadonlyArray<readonly [kind: string, path: string, content: string]> = [
    ['docker', '/etc/docker/daemon.json', '"https-proxy": "http://gw.example:443"'],
    ['docker', '/etc/systemd/system/docker.service.d/http-proxy.conf', 'Environment="HTTPS_PROXY=http://gw.example:443"'],
    ['containerd', '/etc/systemd/system/containerd.service.d/http-proxy.conf', 'Environment="NO_PROXY=localhost,127.0.0.1,::1"'],
    ['podman', '/etc/containers/containers.conf.d/acr-egress.conf', '"HTTPS_PROXY=http://gw.example:443",'],
    ['iotedge', '/etc/systemd/system/aziot-edged.service.d/http-proxy.conf', 'Environment="https_proxy=http://gw.example:443"'],
    ['iotedge', '/etc/aziot/config.toml', '"https_proxy" = "http://gw.example:443"'],
  ]
  for (const [kind, path, content] of table) {
    const { code, stdout, stderr } = await run(kind, ...proxy)
    t.equal(code, 0)
    t.equal(stderr, '')
    t.match(stdout, `==> ${path} <==`)
    t.match(stdout, content)
    t.match(stdout, '\nThen, on the client:\n')
    t.match(stdout, 'curl -sS -o /dev/null')
  }
})

t.test('what env prints is a script: lines that export, and comments', async (t) => {
  const { stdout } = await run('env', ...proxy)
  t.ok(stdout.trimEnd().split('\n').every((line) => /^(?:export \w+=|#)/.test(line)), stdout)
  t.match(stdout, '\nexport https_proxy=http://gw.example:443\n')
  t.match(stdout, '\n# ==> /etc/environment <==')
})

t.test('--json is one document with all of it', async (t) => {
  const { stdout } = await run('docker', ...proxy, '--json')
  const document = JSON.parse(stdout)
  t.same(Object.keys(document), ['kind', 'files', 'steps', 'notes', 'warnings'])
  t.equal(document.kind, 'docker')
  t.same(document.files.map(({ path, mode }: { path: string, mode: string }) => [path, mode]), [
    ['/etc/docker/daemon.json', '0644'],
    ['/etc/systemd/system/docker.service.d/http-proxy.conf', '0644'],
  ])
  t.match(document.files[0].for, '23 and later')
})

t.test('without --proxy the configuration says where the gateway is, if it says so', async (t) => {
  const usable = await run('docker', '--config', configuration(t, 'address: 10.0.0.4, port: 8443'))
  t.match(usable.stdout, '"https-proxy": "http://10.0.0.4:8443"')
  t.match(usable.stdout, 'https://contoso.azurecr.io/v2/')
  const ipv6 = await run('docker', '--config', configuration(t, 'address: "fd00::4", port: 443'))
  t.match(ipv6.stdout, '"https-proxy": "http://[fd00::4]:443"')
  const local = await run('docker', '--config', configuration(t, 'address: 127.0.0.1, port: 443'))
  t.match(local.stderr, 'warning: 127.0.0.1 is this machine')
  for (const listen of ['address: 0.0.0.0, port: 8443', 'address: "::", port: 8443']) {
    await t.rejects(run('docker', '--config', configuration(t, listen)), new UsageError(
      '--proxy: the configuration does not say where clients find the gateway (listen.address is ' +
      `${listen.includes('::') ? '::' : '0.0.0.0'}, every address of the gateway's machine); write --proxy http://gateway.example:8443`))
  }
  await t.rejects(run('docker', '--config', configuration(t, 'address: 10.0.0.4, port: 0')), { message: /listen\.port is 0/ })
})

t.test('without both, the person is asked for --proxy first', async (t) => {
  const { code, stdout, stderr } = await run('docker', '--config', join(t.testdir(), 'none.yaml'))
  t.equal(code, 2)
  t.equal(stdout, '')
  t.match(stderr, /^Write --proxy http:\/\/gateway\.example:443\..*\n.*none\.yaml: does not exist/)
})

t.test('wrong words are answered with the right ones', async (t) => {
  const folder = t.testdir({ open: 'secret\n', empty: '', lines: 'a\nb\n', bad: 'a\u0007b\n', word: 'x' })
  for (const name of ['empty', 'lines', 'bad', 'word']) chmodSync(join(folder, name), 0o600)
  const file = (name: string): string => join(folder, name)
  const table: ReadonlyArray<readonly [argv: readonly string[], message: RegExp]> = [
    [[], /client: say what to do; write acr-egress client docker, containerd, podman, iotedge or env/],
    [['dokcer', ...proxy], /client dokcer: no such action; did you mean docker\?/],
    [['windows', ...proxy], /client windows: no such action; write acr-egress client docker, /],
    [['docker', 'podman', ...proxy], /takes one kind; run it for docker and podman by themselves/],
    [['docker', ...proxy, '--dir', 'x'], /--dir: no such flag/],
    [['docker', ...proxy, '--force'], /--force: .*write --directory ROOT/],
    [['podman', ...proxy, '--drop-in'], /--drop-in: is for docker/],
    [['docker', '--proxy', 'http://a:b@c@gw:443'], /write http:\/\/a:b%40c@gw:443, or give/],
    [['docker', ...proxy, '--no-proxy', '*'], /--no-proxy "\*": \* is every host/],
    [['docker', ...proxy, '--password-file', file('word')], /needs --user NAME/],
    [['docker', '--proxy', 'http://a@gw:443', '--user', 'b'], /has a user already; give it once/],
    [['docker', ...proxy, '--user', 'a:b'], /has a colon/],
    [['docker', ...proxy, '--user', 'a', '--password-file', file('open')], /may be read by others; write chmod 600 /],
    [['docker', ...proxy, '--user', 'a', '--password-file', file('empty')], /is empty; write the password into it/],
    [['docker', ...proxy, '--user', 'a', '--password-file', file('lines')], /has several lines/],
    [['docker', ...proxy, '--user', 'a', '--password-file', file('bad')], /control character/],
    [['docker', ...proxy, '--user', 'a', '--password-file', file('none')], /does not exist/],
    [['iotedge', '--proxy', 'https://gw.example:443'], /always speaks http:\/\/ to its proxy/],
    [['docker', '--proxy', 'https://gw.example:443', '--ca', file('word')], /not the certificate of an authority/],
  ]
  for (const [argv, message] of table) {
    await t.rejects(run(...argv), { name: 'UsageError', message }, argv.join(' '))
  }
})

t.test('the bytes of a URL that is refused reach no terminal as they are', async (t) => {
  await t.rejects(run('docker', '--proxy', 'http://\u001B[31m:x@gw:443'), { message: /^[\x20-\x7E]*$/ })
})

t.test('what leads past the gateway, and what a password is for, is warned of', async (t) => {
  const folder = t.testdir({ password: 'p@ss word\n' })
  chmodSync(join(folder, 'password'), 0o600)
  const { stdout, stderr } = await run('containerd', ...proxy, '--user', 'edge', '--password-file', join(folder, 'password'),
    '--no-proxy', '.svc,contoso.azurecr.io')
  t.match(stdout, 'Environment="HTTPS_PROXY=http://edge:p%%40ss%%20word@gw.example:443"')
  t.match(stdout, 'NO_PROXY=localhost,127.0.0.1,::1,.svc,contoso.azurecr.io')
  t.match(stderr, /warning: --no-proxy contoso\.azurecr\.io leads clients past the gateway/)
  t.match(stderr, /warning: the gateway asks for a password only if its configuration has clients\.passwordFile/)
})

t.test('an authority is taken from a file, and nothing but certificates of it', async (t) => {
  const now = new Date()
  const authority = await issueAuthority({ commonName: 'x', validDays: 1, now })
  const server = await issueServerCertificate({ authority, hosts: ['gw.example'], validDays: 1, now })
  const folder = t.testdir({
    'ca.crt': `# mine\n${authority.certificatePem}`,
    'server.crt': server.chainPem,
    'both.pem': authority.certificatePem + authority.keyPem,
  })
  const https = ['docker', '--proxy', 'https://gw.example:443', '--ca'] as const
  const { stdout } = await run(...https, join(folder, 'ca.crt'), '--json')
  t.equal(JSON.parse(stdout).files.at(-1).content.trim(), authority.certificatePem.trim().replaceAll('\r', ''))
  await t.rejects(run(...https, join(folder, 'server.crt')), { message: /not the certificate of an authority/ })
  await t.rejects(run(...https, join(folder, 'both.pem')), { message: /private key in it, which no client may have/ })
})

t.test('--directory writes the files below it, and says what became of each', async (t) => {
  const root = join(t.testdir(), 'new', 'root')
  const first = await run('docker', ...proxy, '--directory', root)
  t.equal(first.code, 0)
  t.match(first.stdout, `wrote     ${root}/etc/docker/daemon.json\n`)
  t.same(readdirSync(join(root, 'etc')), ['docker'], 'one of the two forms')
  const second = await run('docker', ...proxy, '--directory', root)
  t.match(second.stdout, `unchanged ${root}/etc/docker/daemon.json\n`)
  const older = await run('docker', ...proxy, '--directory', root, '--drop-in')
  t.match(older.stdout, `wrote     ${root}/etc/systemd/system/docker.service.d/http-proxy.conf\n`)
  t.equal(statSync(join(root, 'etc/docker/daemon.json')).mode & 0o777, 0o644)
})

t.test('what is there is kept, and what says otherwise is left alone with the lines to add', async (t) => {
  const root = t.testdir({ etc: { docker: { 'daemon.json': '{\n    "debug": true\n}\n' } } })
  const file = join(root, 'etc/docker/daemon.json')
  const merged = await run('docker', ...proxy, '--directory', root)
  t.match(merged.stdout, `changed   ${file}\n`)
  const proxies = { 'https-proxy': 'http://gw.example:443', 'no-proxy': 'localhost,127.0.0.1,::1' }
  t.equal(readFileSync(file, 'utf8'), `${JSON.stringify({ debug: true, proxies }, null, 4)}\n`)
  const refused = await run('docker', '--proxy', 'http://other.example:443', '--directory', root)
  t.equal(refused.code, 1)
  t.equal(refused.stdout, '')
  t.match(refused.stderr, `${file}: has proxies.https-proxy with another value; put that right, or write --force to replace it\n    {\n`)
  t.match(refused.stderr, /\nNothing was written\.\n$/)
  const forced = await run('docker', '--proxy', 'http://other.example:443', '--directory', root, '--force')
  t.equal(forced.code, 0)
  t.match(readFileSync(file, 'utf8'), 'http://other.example:443')
})

t.test('one file that is refused keeps the others from being written', async (t) => {
  const root = t.testdir({ etc: { aziot: { 'config.toml': '[agent]\nname = "edgeAgent"\n' } } })
  const refused = await run('iotedge', ...proxy, '--directory', root)
  t.equal(refused.code, 1)
  t.match(refused.stderr, /has no section \[agent\.env\].*\n {4}\[agent\.env\]\n {4}"https_proxy" = /)
  t.same(readdirSync(join(root, 'etc')), ['aziot'])
  writeFileSync(join(root, 'etc/aziot/config.toml'), '[agent]\nname = "edgeAgent"\n[agent.env]\n')
  const { code, stdout } = await run('iotedge', ...proxy, '--directory', root)
  t.equal(code, 0)
  t.match(stdout, `changed   ${root}/etc/aziot/config.toml`)
  t.equal(readFileSync(join(root, 'etc/aziot/config.toml'), 'utf8'),
    '[agent]\nname = "edgeAgent"\n[agent.env]\n"https_proxy" = "http://gw.example:443"\n"UpstreamProtocol" = "AmqpWs"\n')
})

t.test('a config.toml that is not there yet is not made of three lines, but left to the person', async (t) => {
  const root = t.testdir()
  const { code, stdout } = await run('iotedge', ...proxy, '--directory', root)
  t.equal(code, 0)
  t.match(stdout, /Not there yet is \/etc\/aziot\/config\.toml; when it is, add:\n\n {4}\[agent\.env\]\n/)
  t.same(readdirSync(join(root, 'etc')), ['systemd'])
  const { stdout: json } = await run('iotedge', ...proxy, '--directory', root, '--json')
  t.same(JSON.parse(json).files.map(({ result }: { result: string }) => result), ['same', 'same', 'same', 'left'])
})

t.test('what cannot be read or written is said, with what to do', async (t) => {
  const root = t.testdir({ file: '' })
  mkdirSync(join(root, 'etc/docker/daemon.json'), { recursive: true })
  const folder = await run('docker', ...proxy, '--directory', root)
  t.equal(folder.code, 2)
  t.match(folder.stderr, 'daemon.json: is a directory')
  const under = await run('docker', ...proxy, '--directory', join(root, 'file'))
  t.equal(under.code, 2)
  t.match(under.stderr, /cannot be written \(ENOTDIR\); see that its folder is there and yours to write/)
})
