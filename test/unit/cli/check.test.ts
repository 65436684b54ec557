import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { UsageError } from '../../../src/cli/args.ts'
import { checkCommand } from '../../../src/cli/check.ts'
import { issueAuthority, issueServerCertificate } from '../../../src/tls/certificates.ts'
import { runHere } from '../../support/command-run.ts'
import { writePasswordLine } from '../../support/password-hashes.ts'

const folder = t.testdir({
  'good.yaml': `registries:
  - loginServer: contoso.azurecr.io
    regions: [eastus]
    storage: any
extraHosts: [packages.example.com]
dns: {servers: [10.0.0.53, '[fd00::53]:5353'], hosts: {contoso.azurecr.io: [10.0.0.5]}}
`,
  'bad.yaml': 'registries: [{loginServer: contoso, regions: []}]\n',
  'tls.yaml': 'registries: [{loginServer: contoso.azurecr.io, regions: [eastus]}]\nlisten: {tls: {certFile: tls.crt, keyFile: tls.key}}\n',
})

async function run (...argv: string[]): ReturnType<typeof runHere> {
  return await runHere(checkCommand, argv)
}

t.test('a good configuration is printed as the allowlist that it makes', async (t) => {
  const { code, stdout, stderr } = await run('--config', join(folder, 'good.yaml'))
  t.equal(code, 0)
  t.equal(stdout, `The configuration is good: ${join(folder, 'good.yaml')}

HOST                            PORT  CLASS        REGISTRY            REGION  FROM
contoso.azurecr.io              443   login        contoso.azurecr.io  -       registries[0].loginServer
azurecr.io                      443   certificate  -                   -       registries[0].loginServer
contoso.eastus.data.azurecr.io  443   data         contoso.azurecr.io  eastus  registries[0].regions
*.blob.core.windows.net         443   storage      contoso.azurecr.io  -       registries[0].storage
packages.example.com            443   extra        -                   -       extraHosts[0]

clients    127.0.0.0/8, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16, ::1/128, fc00::/7, fe80::/10
passwords  not asked for
listener   0.0.0.0:443, clear text only
upstream   directly
dns        10.0.0.53:53, [fd00::53]:5353; not asked for contoso.azurecr.io
addresses  any that are not private or reserved: without addresses.serviceTagsFile no service tags are looked at
state      in memory only, unless systemd gives the service a StateDirectory=
admin      127.0.0.1:9180
`)
  t.match(stderr, /^warning: .*good\.yaml:4:14: registries\[0\]\.storage: opens .*\n$/)
})

t.test('it says whether passwords are asked for, of how many users, and nothing of them', async (t) => {
  const passwords = t.testdir({
    'config.yaml': 'registries: [{loginServer: contoso.azurecr.io, regions: [eastus]}]\nclients: {passwordFile: users}\n',
  })
  const config = join(passwords, 'config.yaml')
  for (const [text, count] of [
    [writePasswordLine('edge', 'x'), '1 user'],
    [writePasswordLine('edge', 'x') + writePasswordLine('plant', 'y'), '2 users'],
  ] as const) {
    await writeFile(join(passwords, 'users'), text, { mode: 0o600 })
    const { code, stdout, stderr } = await run('--config', config)
    t.equal(code, 0)
    t.match(stdout, `\npasswords  asked for: ${count} of ${join(passwords, 'users')}\n`)
    t.match(stderr, /^warning: .*config\.yaml:2:25: clients\.passwordFile: user names and passwords come over the network/m)
    t.notMatch(stdout + stderr + (await run('--config', config, '--json')).stdout, /edge[^.]|\$2[aby]\$/)
  }
})

t.test('with a file of service tags it says which tags count, and of when they are', async (t) => {
  const tag = (name: string, ...addressPrefixes: string[]) => ({ name, properties: { region: '', addressPrefixes } })
  const values = [tag('AzureContainerRegistry', '20.1.0.0/24', '2603:1030::/48'), tag('Storage', '20.2.0.0/16'), tag('Other')]
  const tags = t.testdir({
    'config.yaml': `registries: [{loginServer: contoso.azurecr.io, regions: [eastus]}]
addresses: {serviceTagsFile: ServiceTags_Public_20251028.json}
`,
    'ServiceTags_Public_20251028.json': JSON.stringify({ changeNumber: 1, cloud: 'Public', values }),
  })
  const { code, stdout } = await run('--config', join(tags, 'config.yaml'))
  t.equal(code, 0)
  const line = /^addresses .*$/m.exec(stdout)?.[0]
  t.equal(line, `addresses  enforce, global, by ${join(tags, 'ServiceTags_Public_20251028.json')} for Public, ` +
    'of 2025-10-28; prefixes: AzureContainerRegistry 2, Storage 1')
  await writeFile(join(tags, 'config.yaml'), 'registries: [{loginServer: contoso.azurecr.io, regions: [eastus]}]\naddresses: {mode: off}\n')
  const off = await run('--config', join(tags, 'config.yaml'))
  t.match(off.stdout, /^addresses {2}any that are not private or reserved: addresses\.mode is off$/m)
})

t.test('a parent proxy is told, with who resolves and what that means for addresses', async (t) => {
  const parent = t.testdir({ word: 'xyzzy', 'config.yaml': '' })
  await chmod(join(parent, 'word'), 0o600)
  const text = (resolve: string) => `registries: [{loginServer: contoso.azurecr.io, regions: [eastus]}]
upstreamProxy: {url: 'http://robot@proxy.example:3128', passwordFile: word, resolve: ${resolve}}
`
  const show = async (resolve: string) => {
    await writeFile(join(parent, 'config.yaml'), text(resolve))
    return await run('--config', join(parent, 'config.yaml'))
  }
  const resolving = await show('parent')
  t.match(resolving.stdout, /^upstream {3}only through the parent proxy http:\/\/proxy\.example:3128, with a user, which resolves the names of registries itself: the gateway checks no address$/m)
  t.match(resolving.stdout, /^addresses {2}none is checked: the parent proxy resolves \(upstreamProxy\.resolve\)$/m)
  const judging = await show('gateway')
  t.match(judging.stdout, /^upstream {3}only through .*, which is asked for addresses that the gateway has resolved and checked; plain HTTP it resolves itself$/m)
  t.match(judging.stdout, /^addresses {2}any that are not private or reserved/m)
  t.notMatch(JSON.stringify([resolving, judging]), /xyzzy|robot/)
  const { stdout } = await run('--config', join(parent, 'config.yaml'), '--json')
  t.match(JSON.parse(stdout).configuration.upstreamProxy, { url: 'http://robot@proxy.example:3128', passwordFile: join(parent, 'word') })
  t.notMatch(stdout, /xyzzy/)
})

t.test('flags are enough', async (t) => {
  const { code, stdout, stderr } = await run('--registry', 'contoso.azurecr.io', '--region', 'eastus', '--listen', '[::1]:8443')
  t.equal(code, 0)
  t.match(stdout, /^contoso\.eastus\.data\.azurecr\.io +443 +data/m)
  t.match(stdout, /^listener {3}\[::1\]:8443, clear text only$/m)
  t.match(stdout, /^dns {8}the system's name servers$/m)
  t.equal(stderr, '')
})

t.test('a bad configuration is code 2, with every problem on its own line', async (t) => {
  const { code, stdout, stderr } = await run('--config', join(folder, 'bad.yaml'))
  t.equal(code, 2)
  t.equal(stdout, '')
  t.match(stderr.split('\n'), [/bad\.yaml:1:28: registries\[0\]\.loginServer: /, /bad\.yaml:1:46: registries\[0\]\.regions: /, ''])
})

t.test('--json prints one document, good or bad', async (t) => {
  const good = await run('--json', '--config', join(folder, 'good.yaml'))
  t.equal(good.code, 0)
  t.match(JSON.parse(good.stdout), {
    ok: true,
    problems: [],
    warnings: [{ place: { file: join(folder, 'good.yaml'), line: 4, column: 14 }, key: 'registries[0].storage', message: String }],
    allowlist: [{ host: 'contoso.azurecr.io', port: 443, class: 'login', registry: 'contoso.azurecr.io', region: '', from: 'registries[0].loginServer' }],
    configuration: { registries: [{ loginServer: 'contoso.azurecr.io', storage: 'any' }], listen: { port: 443, headTimeout: '10s' } },
  })
  const bad = await run('--json', '--config', join(folder, 'bad.yaml'))
  t.equal(bad.code, 2)
  t.match(JSON.parse(bad.stdout), { ok: false, problems: [{ key: 'registries[0].loginServer' }, {}], allowlist: [], configuration: null })
  t.match(bad.stderr, /bad\.yaml:1:28: /)
})

t.test('the certificate is shown by its path and end, and the key never', async (t) => {
  const now = new Date()
  const authority = await issueAuthority({ commonName: 'test authority', validDays: 90, now })
  const { chainPem, keyPem } = await issueServerCertificate({ authority, hosts: ['gateway.example'], validDays: 60, now })
  await writeFile(join(folder, 'tls.crt'), chainPem)
  await writeFile(join(folder, 'tls.key'), keyPem)
  await chmod(join(folder, 'tls.key'), 0o600)
  const { stdout } = await run('--config', join(folder, 'tls.yaml'))
  t.match(stdout, /^listener {3}0\.0\.0\.0:443, clear text and TLS with .*tls\.crt \(valid until \d{4}-\d\d-\d\d\)$/m)
  const json = await run('--config', join(folder, 'tls.yaml'), '--json')
  t.match(JSON.parse(json.stdout), { configuration: { listen: { tls: { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') } } } })
  const line = keyPem.split('\n')[1] ?? ''
  t.equal(line.length, 64)
  t.notOk(json.stdout.includes(line))
})

t.test('a word is a usage error that says how to name a file', async (t) => {
  await t.rejects(run('config.yaml'), new UsageError('config.yaml: check takes no words; write --config config.yaml for a file'))
})
