import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Configuration } from '../../../src/config/configuration.ts'
import { describeConfiguration } from '../../../src/config/effective.ts'
import { type LoadOptions, loadConfiguration } from '../../../src/config/load.ts'
import { formatProblem } from '../../../src/config/problem.ts'

const folder = t.testdir({
  'small.yaml': 'registries: [{loginServer: Contoso.azurecr.io., regions: [eastus]}]\nlisten: {address: 10.0.0.1, port: 8443}\n',
  'full.yaml': `
registries:
  - loginServer: contoso.azurecr.io
    regions: [eastus, westeurope]
    regionalEndpoints: true
    storage: [account1, '123']
    privateEndpoints: [10.1.2.0/24, 'fd00::/64', 127.0.0.1]
  - loginServer: fabrikam-abc123.azurecr.us
    storage: any
extraHosts: [Packages.Example.com.]
listen: {address: '::', port: 0, headTimeout: 1500ms, proxyProtocol: [10.0.0.4, 'fd00::/120']}
clients: {allow: [100.64.0.0/10]}
tunnel: {connectTimeout: 3s, idleTimeout: 1h, maxTunnels: 7, maxTunnelsPerClient: 3, maxSetupsPerSecondPerClient: 2}
dns:
  servers: [10.0.0.53, '10.0.0.54:5353', 'fd00::53', '[fd00::54]:5353']
  timeout: 1s
  minTtl: 2s
  maxTtl: 2s
  negativeTtl: 1s
  hosts: {contoso.azurecr.io: [127.0.0.1:5000, 10.1.2.4], lab: ['[::1]:5000', '::1']}
admin: {address: 127.0.0.2, port: 0, names: [gateway]}
log: {level: debug}
shutdown: {drainTimeout: 0s}
`,
})
const absent = join(folder, 'absent.yaml')

async function load (options: LoadOptions): Promise<Configuration> {
  const result = await loadConfiguration(options)
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'))
  return result.configuration
}

async function listProblems (options: LoadOptions): Promise<string[]> {
  const result = await loadConfiguration(options)
  return result.ok ? [] : result.problems.map(formatProblem)
}

async function listWarnings (options: LoadOptions): Promise<string[]> {
  const result = await loadConfiguration(options)
  return result.ok ? result.warnings.map(formatProblem) : []
}

t.test('a registry is a whole configuration; the rest has defaults', async (t) => {
  const configuration = await load({ file: join(folder, 'small.yaml') })
  t.match(configuration, {
    registries: [{
      loginServer: { host: 'contoso.azurecr.io' },
      regions: ['eastus'],
      regionalEndpoints: false,
      storage: 'none',
      privateEndpoints: [],
    }],
    extraHosts: [],
    listen: { address: '10.0.0.1', port: 8443, headTimeoutMs: 10_000, proxyProtocol: [], tls: undefined },
    tunnel: {
      connectTimeoutMs: 10_000,
      idleTimeoutMs: 900_000,
      maxTunnels: 10_000,
      maxTunnelsPerClient: 1000,
      maxSetupsPerSecondPerClient: 100,
    },
    dns: { servers: undefined, timeoutMs: 2000, minTtlMs: 1000, maxTtlMs: 300_000, negativeTtlMs: 5000 },
    admin: { address: '127.0.0.1', port: 9180, names: [] },
    log: { level: 'info' },
    shutdown: { drainTimeoutMs: 600_000 },
  })
  t.equal(configuration.dns.hosts.size, 0)
  t.notOk(configuration.clients.allow.some(({ text }) => text === '100.64.0.0/10'), 'a carrier\'s customers are strangers')
})

t.test('every key arrives, in the program\'s own units', async (t) => {
  const { dns, clients, registries, extraHosts, ...rest } = await load({ file: join(folder, 'full.yaml') })
  t.match(rest, {
    listen: { address: '::', port: 0, headTimeoutMs: 1500, proxyProtocol: [{ text: '10.0.0.4/32' }, { text: 'fd00::/120' }] },
    tunnel: {
      connectTimeoutMs: 3000,
      idleTimeoutMs: 3_600_000,
      maxTunnels: 7,
      maxTunnelsPerClient: 3,
      maxSetupsPerSecondPerClient: 2,
    },
    admin: { address: '127.0.0.2', port: 0, names: ['gateway'] },
    log: { level: 'debug' },
    shutdown: { drainTimeoutMs: 0 },
  })
  t.same(registries.map(({ storage }) => storage), [['account1', '123'], 'any'])
  t.same(registries[0]?.privateEndpoints.map(({ text }) => text), ['10.1.2.0/24', 'fd00::/64', '127.0.0.1/32'])
  t.same(extraHosts, ['packages.example.com'])
  t.same(clients.allow.map(({ text }) => text), ['100.64.0.0/10'])
  t.same(dns.servers?.map(({ address, port }) => [address.text, port]), [
    ['10.0.0.53', 53], ['10.0.0.54', 5353], ['fd00::53', 53], ['fd00::54', 5353],
  ])
  const hosts = [...dns.hosts].map(([name, addresses]) => {
    return [name, addresses.map(({ address, port }) => [address.text, port])]
  })
  t.same(hosts, [
    ['contoso.azurecr.io', [['127.0.0.1', 5000], ['10.1.2.4', undefined]]],
    ['lab', [['::1', 5000], ['::1', undefined]]],
  ])
})

t.test('the value is frozen, all the way down', async (t) => {
  const configuration = await load({ file: join(folder, 'full.yaml') })
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    t.ok(Object.isFrozen(value))
    for (const part of value instanceof Map ? value.values() : Object.values(value)) visit(part)
  }
  visit(configuration)
})

t.test('the effective configuration, read again, makes the same configuration', async (t) => {
  for (const name of ['small.yaml', 'full.yaml']) {
    const first = await load({ file: join(folder, name) })
    const again = join(folder, 'again.yaml')
    await writeFile(again, JSON.stringify(describeConfiguration(first)))
    t.same(await load({ file: again }), first, name)
  }
})

t.test('flags alone are a whole configuration', async (t) => {
  const flags = {
    registries: ['contoso.azurecr.io', 'fabrikam.azurecr.cn'],
    regions: ['eastus', 'westus'],
    defaultFile: absent,
  }
  const result = await loadConfiguration(flags)
  t.match(result, { ok: true, source: 'flags', warnings: [] })
  const { registries } = await load(flags)
  t.same(registries.map(({ loginServer, regions }) => [loginServer.host, regions]), [
    ['contoso.azurecr.io', ['eastus', 'westus']],
    ['fabrikam.azurecr.cn', ['eastus', 'westus']],
  ])
})

t.test('flags win over the file, which is read where it is looked for', async (t) => {
  const file = join(folder, 'small.yaml')
  t.match(await loadConfiguration({ defaultFile: file }), { ok: true, source: file })
  t.match(await loadConfiguration({ file, defaultFile: absent }), { ok: true, source: file })
  const flags = { registries: ['fabrikam.azurecr.io'], regions: [], listen: ':9443', admin: '[::1]:0', defaultFile: file }
  t.match(await loadConfiguration(flags), { ok: true, source: `${file} and flags` })
  const { registries, listen, admin } = await load(flags)
  t.same(registries.map(({ loginServer, regions }) => [loginServer.host, regions]), [['fabrikam.azurecr.io', []]])
  t.match(listen, { address: '10.0.0.1', port: 9443, headTimeoutMs: 10_000 }, 'a port alone keeps the address of the file')
  t.match(admin, { address: '::1', port: 0 })
})

t.test('ADDR:PORT is read in each of its forms', async (t) => {
  const forms = { '127.0.0.1:80': ['127.0.0.1', 80], '[::]:443': ['::', 443], ':8443': ['0.0.0.0', 8443], 0: ['0.0.0.0', 0] }
  for (const [text, [address, port]] of Object.entries(forms)) {
    const { listen } = await load({ registries: ['contoso.azurecr.io'], listen: text, defaultFile: absent })
    t.match(listen, { address, port }, text)
  }
  for (const text of ['127.0.0.1', '::1', '::1:443', '[::1', 'localhost:443', '1.2.3.4:x', '1.2.3.4:65536', ':', '', '*:443', '[1.2.3.4]:1', '01']) {
    const problems = await listProblems({ registries: ['contoso.azurecr.io'], listen: text, defaultFile: absent })
    t.equal(problems.length, 1, text)
    t.match(problems[0], /^--listen: .*; write --listen 127\.0\.0\.1:8443/, text)
  }
})

t.test('a problem of a flag names the flag, once', async (t) => {
  t.same(await listProblems({ registries: ['contoso'], defaultFile: absent }), ['--registry: \'contoso\' is not a login server; write contoso.azurecr.io'])
  t.same(await listProblems({ registries: ['contoso.azurecr.io', 'fabrikam.azurecr.io'], regions: ['East US'], defaultFile: absent }), [
    '--region: "East US" is not an Azure region; write eastus',
  ])
  t.same(await listProblems({ registries: ['contoso.azurecr.io', 'CONTOSO.azurecr.io'], defaultFile: absent }), [
    '--registry: contoso.azurecr.io is given twice; write it once, with all its regions',
  ])
  t.match(await listProblems({ file: join(folder, 'small.yaml'), regions: ['eastus'] }), [/^--region: goes with --registry only; write/])
})

t.test('all problems come at once, of the flags and of the file, the flags\' first', async (t) => {
  const listen = /^--listen: "foo" is not ADDR:PORT; write/
  const admin = /^--admin: "99999" is not ADDR:PORT; write/
  const name = /^--registry: 'foo' is not a login server; write/
  const region = /^--region: "East US" is not an Azure region; write eastus$/
  const flags = { registries: ['foo'], regions: ['East US'], listen: 'foo', admin: '99999' }
  t.match(await listProblems({ ...flags, defaultFile: absent }), [listen, admin, name, region])
  const file = join(folder, 'twice.yaml')
  await writeFile(file, 'log: {level: loud}\nlog: {}\nregistries: []\n')
  t.match(await listProblems({ ...flags, file }), [listen, admin, name, region, /:1:14: log\.level: /, /:2:1: "log" is given twice/],
    'the registries of the file are not looked at when there are flags for them')
  t.match(await listProblems({ file, listen: 'foo', regions: ['eastus'] }), [
    /^--region: goes with --registry only; write/, listen, /:1:14: log\.level: /, /:2:1: "log" is given twice/, /:3:13: registries: /,
  ])
})

t.test('flags are looked at also when the file cannot be; what it would have said is not guessed at', async (t) => {
  const broken = join(folder, 'broken.yaml')
  await writeFile(broken, 'listen: {port: "8443}\n')
  const flags = { registries: ['foo'], listen: '9180', admin: 'x:1' }
  const ofFlags = [/^--admin: "x:1" is not ADDR:PORT; write/, /^--registry: 'foo' is not a login server; write/]
  for (const [file, problem] of [[absent, /absent\.yaml: does not exist;/], [broken, /broken\.yaml:\d+:\d+: /]] as const) {
    const problems = await listProblems({ ...flags, file })
    t.equal(problems.length, 3, problems.join(' | '))
    for (const expected of [...ofFlags, problem]) t.ok(problems.some((line) => expected.test(line)), String(expected))
  }
  t.match(await listProblems({ defaultFile: absent, listen: 'foo' }), [/^--listen: "foo" is not/, /^there is no configuration/])
})

t.test('without a file and without flags, both ways to begin are named', async (t) => {
  const [problem, ...more] = await listProblems({ defaultFile: absent })
  t.equal(more.length, 0)
  t.match(problem, /--registry contoso\.azurecr\.io --region eastus/)
  t.match(problem, /--config FILE/)
  t.match(await listProblems({ defaultFile: absent, listen: '8443' }), [/^there is no configuration/], 'a port lets nobody through')
})

t.test('a default file that is there and bad is not passed over', async (t) => {
  const problems = await listProblems({ defaultFile: folder, registries: ['contoso.azurecr.io'] })
  t.same(problems, [`${folder}: is a directory; name a file in it`])
})

t.test('what is allowed and probably not meant is a warning', async (t) => {
  const file = join(folder, 'odd.yaml')
  await writeFile(file, `registries:
  - loginServer: contoso.azurecr.io
  - loginServer: fabrikam.azurecr.us
    storage: any
    regionalEndpoints: true
clients: {allow: [10.0.0.0/8, 0.0.0.0/0]}
`)
  t.match(await listWarnings({ file }), [
    /:2:5: registries\[0\]: manifests of contoso\.azurecr\.io can be pulled, but no layers; write its regions .* --name contoso /,
    /:4:14: registries\[1\]\.storage: opens \*\.blob\.core\.usgovcloudapi\.net, .*; turn on dedicated data endpoints and write regions/,
    /:5:24: registries\[1\]\.regionalEndpoints: has no effect without regions; write/,
    /:6:31: clients\.allow\[1\]: 0\.0\.0\.0\/0 is everybody .*; write/,
  ])
  t.same(await listWarnings({ file: join(folder, 'small.yaml') }), [])
})

t.test('that unlisted hosts are only reported on is a warning that says when to end it', async (t) => {
  const file = join(folder, 'report.yaml')
  await writeFile(file, 'registries: [{loginServer: contoso.azurecr.io, regions: [eastus]}]\npolicy: {mode: report}\n')
  t.match(await listWarnings({ file }), [
    /report\.yaml:2:16: policy\.mode: lets clients through to every public host at port 443, .*; write enforce when acr-egress explain --would-refuse /,
  ])
})

t.test('what was seen is kept in the file that is named, or in the folder that systemd gives', async (t) => {
  const file = join(folder, 'state.yaml')
  const registries = 'registries: [{loginServer: contoso.azurecr.io, regions: [eastus]}]\n'
  const stateDirectory = '/var/lib/acr-egress:/var/lib/other'
  await writeFile(file, `${registries}state: {file: seen/here.json}\n`)
  t.same((await load({ file, stateDirectory })).state, { file: join(folder, 'seen/here.json') })
  await writeFile(file, registries)
  t.same((await load({ file, stateDirectory })).state, { file: '/var/lib/acr-egress/sightings.json' })
  t.same((await load({ file, stateDirectory: '' })).state, {})
})

t.test('a file that the gateway would overwrite is refused as the place for what was seen', async (t) => {
  const file = join(folder, 'state.yaml')
  const registries = 'registries: [{loginServer: contoso.azurecr.io, regions: [eastus]}]\n'
  await writeFile(file, `${registries}state: {file: state.yaml}\n`)
  t.match(await listProblems({ file }), [/:2:15: state\.file: .* its name must end in \.json; write a path like/])
  await writeFile(file, `${registries}state: {file: tags.json}\naddresses: {mode: off, serviceTagsFile: tags.json}\n`)
  t.match(await listProblems({ file }), [/:2:15: state\.file: is the file of service tags, which the gateway would overwrite; write/])
})
