import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { UsageError } from '../../../src/cli/args.ts'
import { exportCommand } from '../../../src/cli/export.ts'
import { createSightings } from '../../../src/sightings/sightings.ts'
import { describeState } from '../../../src/sightings/state.ts'
import { type Result, runHere } from '../../support/command-run.ts'
import { writePasswordLine } from '../../support/password-hashes.ts'
import { writeTagFile } from '../../support/service-tags.ts'

const formats = ['nftables', 'squid', 'azure-firewall', 'nsg', 'cilium']
const flags = ['--registry', 'contoso.azurecr.io', '--region', 'eastus']

const tags = writeTagFile({
  AzureContainerRegistry: ['20.1.0.0/24'],
  Storage: ['20.2.0.0/16'],
  'AzureContainerRegistry.EastUS': ['20.1.0.0/25'],
  'Storage.EastUS': ['20.2.3.0/24'],
})

interface Folder {
  readonly folder: string
  readonly file: string
}

/** A folder with a configuration, and the newest file of service tags beside it. */
function writeFolder (t: Test, more: object = {}, { isAged = false } = {}): Folder {
  const name = isAged ? 'ServiceTags_Public_20250714.json' : 'service-tags.json'
  const configuration = {
    registries: [{ loginServer: 'contoso.azurecr.io', regions: ['eastus'] }],
    dns: { servers: ['10.0.0.53'] },
    addresses: { serviceTagsFile: name },
    ...more,
  }
  const folder = t.testdir({ 'config.yaml': JSON.stringify(configuration), [name]: tags })
  return { folder, file: join(folder, 'config.yaml') }
}

async function run (...argv: string[]): Promise<Result> {
  return await runHere(exportCommand, argv)
}

t.test('a Squid that asks for no password where the gateway does is warned of', async (t) => {
  const { folder, file } = writeFolder(t, { listen: { address: '127.0.0.1' }, clients: { passwordFile: 'passwords' } })
  await writeFile(join(folder, 'passwords'), writePasswordLine('edge', 'x', 10), { mode: 0o600 })
  const { code, stdout, stderr } = await run('squid', '--config', file)
  t.equal(code, 0)
  t.match(stderr, /^warning: that Squid asks for no user and password, .*; add auth_param and proxy_auth by hand\n$/)
  t.match(stdout, /^# No user and password is asked for \(clients\.passwordFile\)/m)
  t.equal((await run('nftables', '--config', file)).stderr, '', 'a packet filter never has')
})

t.test('each format is printed whole from a configuration, without a word besides', async (t) => {
  const { file } = writeFolder(t)
  for (const format of formats) {
    const { code, stdout, stderr } = await run(format, '--config', file)
    t.same([code, stderr], [0, ''], format)
    t.match(stdout, `acr-egress export ${format} --config ${file}`, 'it says how to make it anew')
    t.match(stdout, /"?contoso\.azurecr\.io|AzureContainerRegistry/)
    t.ok(stdout.endsWith('\n'))
    t.equal((await run(format, '--config', file)).stdout, stdout, 'the same again')
  }
})

t.test('flags are enough where names are, and are in the command that makes it anew', async (t) => {
  for (const format of ['squid', 'azure-firewall', 'cilium']) {
    const { code, stdout, stderr } = await run(format, ...flags)
    t.same([code, stderr], [0, ''], format)
    t.match(stdout, `acr-egress export ${format} --registry contoso.azurecr.io --region eastus`)
  }
})

t.test('nftables without addresses is code 2, and says what to set', async (t) => {
  const { code, stdout, stderr } = await run('nftables', ...flags)
  t.same([code, stdout], [2, ''])
  t.match(stderr, /^acr-egress export nftables: .*; write addresses: \{serviceTagsFile: FILE\} there .*, or privateEndpoints\n$/)
})

t.test('what nftables and a network security group leave out is told, with what to do', async (t) => {
  const registries = [{ loginServer: 'contoso.azurecr.io', regions: ['eastus'], privateEndpoints: ['10.1.2.0/24'] }]
  const alone = writeFolder(t, { registries, extraHosts: ['packages.example.com'], addresses: {}, dns: {} })
  t.equal((await run('nftables', '--config', alone.file)).stderr,
    'warning: not let through by nftables, because no addresses are known for them: packages.example.com; ' +
    'set addresses.serviceTagsFile, or add rules for their addresses by hand\n' +
    'warning: port 53 of every address is let through, because the configuration names no name servers; set dns.servers\n')
  t.equal((await run('nsg', '--config', alone.file)).stderr,
    'warning: not let through by nsg, because no addresses are known for them: packages.example.com; ' +
    'add rules for their addresses by hand\n')
  t.equal((await run('squid', '--config', alone.file)).stderr, '')
})

t.test('an old file of service tags is warned of where it counts', async (t) => {
  const { file } = writeFolder(t, {}, { isAged: true })
  await writeFile(file, (await readFile(file, 'utf8')).replace('service-tags.json', 'ServiceTags_Public_20250714.json'))
  const { code, stdout, stderr } = await run('nftables', '--config', file)
  t.equal(code, 0)
  t.match(stderr, /^warning: .*: addresses\.serviceTagsFile: the file is of 2025-07-14/)
  t.match(stdout, 'the service tags of 2025-07-14 for Public')
  t.equal((await run('cilium', '--config', file)).stderr, '')
})

t.test('names need no file of service tags, even one that is named and missing', async (t) => {
  const { file } = writeFolder(t, { addresses: { serviceTagsFile: 'missing.json' } })
  t.equal((await run('squid', '--config', file)).code, 0)
  const { code, stderr } = await run('nftables', '--config', file)
  t.equal(code, 2)
  t.match(stderr, 'missing.json')
})

t.test('with addresses.mode off the file is read all the same, and a bad one is code 2', async (t) => {
  const { folder, file } = writeFolder(t, { addresses: { serviceTagsFile: 'service-tags.json', mode: 'off', scope: 'regional' } })
  const { code, stdout } = await run('nftables', '--config', file)
  t.equal(code, 0)
  t.match(stdout, '20.1.0.0/25')
  t.notMatch(stdout, '20.1.0.0/24')
  await writeFile(join(folder, 'service-tags.json'), '{}')
  const bad = await run('nftables', '--config', file)
  t.same([bad.code, bad.stdout], [2, ''])
  t.match(bad.stderr, /^acr-egress export nftables: .*service-tags\.json is JSON, but .*; fetch it with acr-egress tags refresh/)
})

t.test('a bad configuration is code 2, with its problems', async (t) => {
  const { file } = writeFolder(t, { registries: [{ loginServer: 'contoso' }] })
  const { code, stdout, stderr } = await run('squid', '--config', file)
  t.same([code, stdout], [2, ''])
  t.match(stderr, /config\.yaml:1:\d+: registries\[0\]\.loginServer: /)
})

t.test('--output writes the file whole, and nothing when it is right already', async (t) => {
  const { folder, file } = writeFolder(t)
  const output = join(folder, 'policy.yaml')
  t.match((await run('cilium', '--config', file, '--output', '-')).stdout, 'kind: CiliumNetworkPolicy')
  const first = await run('cilium', '--config', file, '--output', output)
  t.same(first, { code: 0, stdout: `${output} is written. How to load and check it stands at its top.\n`, stderr: '' })
  t.equal(await readFile(output, 'utf8'), (await run('cilium', '--config', file)).stdout)
  const second = await run('cilium', '--config', file, '--output', output)
  t.equal(second.stdout, `${output} is as it should be already; nothing was written.\n`)
  await writeFile(output, 'longer than what is written, or another text '.repeat(300))
  t.match((await run('cilium', '--config', file, '--output', output)).stdout, 'is written')
  t.match(parse(await readFile(output, 'utf8')), { kind: 'CiliumNetworkPolicy' })
  t.same((await readdir(folder)).sort(), ['config.yaml', 'policy.yaml', 'service-tags.json'])
})

t.test('a file that cannot be written is code 2, with what to do', async (t) => {
  const { folder, file } = writeFolder(t)
  for (const output of [join(folder, 'no/file'), folder]) {
    const { code, stdout, stderr } = await run('squid', '--config', file, '--output', output)
    t.same([code, stdout], [2, ''])
    t.equal(stderr.startsWith(`acr-egress export squid: ${output} cannot be written (`), true, stderr)
  }
})

t.test('wrong words are answered with the right ones', async (t) => {
  const all = 'write acr-egress export nftables, squid, azure-firewall, nsg, cilium or storage-accounts'
  const table: ReadonlyArray<readonly [argv: readonly string[], message: string]> = [
    [[], `export: say what to do; ${all}`],
    [['nftable'], 'export nftable: no such action; did you mean nftables?'],
    [['azurefirewall'], 'export azurefirewall: no such action; did you mean azure-firewall?'],
    [['iptables'], 'export iptables: no such action; did you mean nftables?'],
    [['pf'], `export pf: no such action; ${all}`],
    [['constructor'], `export constructor: no such action; ${all}`],
    [['\x1b[2J'], `export \x1b[2J: no such action; ${all}`],
    [['squid', 'squid.conf'], 'export takes one format; write --output squid.conf for a file'],
    [['squid', '--outptu', 'x'], '--outptu: no such flag; did you mean --output?'],
  ]
  for (const [argv, message] of table) await t.rejects(run(...argv), new UsageError(message), argv.join(' '))
})

/** What a firewall reads, without what is there for people. */
function dropRemarks (text: string): unknown {
  if (!text.startsWith('{')) return text.replaceAll(/^#.*\n/gm, '')
  const { metadata, ...template } = JSON.parse(text) as Readonly<Record<string, unknown>>
  return template
}

t.test('the storage accounts are one of the exports, by word and by flag, and go where the others go', async (t) => {
  const { file } = writeFolder(t)
  const sightings = createSightings({
    registries: ['contoso.azurecr.io'],
    registrySuffixes: new Set(['azurecr.io']),
    blobSuffixes: new Set(['blob.core.windows.net']),
  })
  const client = '10.0.0.1:1'
  const labels = { registry: 'contoso.azurecr.io', class: 'login', region: '' }
  sightings.opened({ client, host: 'contoso.azurecr.io', labels, wouldRefuse: undefined })
  sightings.opened({ client, host: 'weumanaged15.blob.core.windows.net', labels: { ...labels, class: 'storage' }, wouldRefuse: undefined })
  const state = `${file}.state.json`
  await writeFile(state, JSON.stringify(describeState(sightings.read())))
  const byWord = await run('storage-accounts', '--config', file, '--state', state)
  t.equal(byWord.code, 0, byWord.stderr)
  t.match(byWord.stdout, /^ {6}- weumanaged15$/m)
  t.same(await run('--storage-accounts', '--config', file, '--state', state), byWord)
  const output = `${file}.accounts.yaml`
  t.equal((await run('storage-accounts', '--config', file, '--state', state, '--output', output)).code, 0)
  t.equal(await readFile(output, 'utf8'), byWord.stdout)
  const absent = await run('storage-accounts', '--config', file, '--state', `${file}.none`)
  t.equal(absent.code, 2)
  t.match(absent.stderr, /none does not exist/)
  await t.rejects(run('squid', '--state', state), new UsageError('--state: no such flag'))
})

t.test('no byte of a path gets out of its comment', async (t) => {
  const text = 'registries: [{loginServer: contoso.azurecr.io, privateEndpoints: [10.1.2.0/24]}]\n'
  const folder = t.testdir({ 'plain.yaml': text })
  const file = join(folder, 'a\nhttp_access allow all\n\x1b[31mb\u2028 \'c.yaml')
  await writeFile(file, text)
  for (const format of formats) {
    const odd = await run(format, '--config', file)
    const plain = await run(format, '--config', join(folder, 'plain.yaml'))
    t.equal(odd.code, 0, format)
    t.match(odd.stdout, 'http_access allow all')
    t.same(dropRemarks(odd.stdout), dropRemarks(plain.stdout), format)
    t.notMatch(odd.stdout + odd.stderr, /[^\P{Cc}\n]|\p{Zl}/u, format)
  }
})

t.test('its help has a line for each format, and an example', async (t) => {
  const { actions = {}, examples } = exportCommand.help
  t.same(Object.keys(actions), [...formats, 'storage-accounts'])
  for (const format of formats) t.ok(examples.some(({ line }) => line.startsWith(`acr-egress export ${format}`)), format)
})
