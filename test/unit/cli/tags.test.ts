import { chmod, readFile, readlink, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { type ServerResponse, createServer } from 'node:http'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { UsageError } from '../../../src/cli/args.ts'
import { tagsCommand } from '../../../src/cli/tags.ts'
import { listenOnLoopback } from '../../../src/lab/loopback.ts'
import { countResources } from '../../support/resources.ts'
import { runHere } from '../../support/command-run.ts'

async function run (...argv: string[]): ReturnType<typeof runHere> {
  return await runHere(tagsCommand, argv)
}

type Tags = Readonly<Record<string, readonly string[]>>

/** A file of service tags in Microsoft's form. */
function writeTags (tags: Tags, cloud = 'Public'): string {
  const values = Object.entries(tags).map(([name, addressPrefixes]) => {
    const region = name.split('.')[1]?.toLowerCase() ?? ''
    return { name, id: name, properties: { changeNumber: 7, region, addressPrefixes, networkFeatures: null } }
  })
  return JSON.stringify({ changeNumber: 1, cloud, values }, null, 2)
}

const tenPrefixes = Array.from({ length: 10 }, (_, index) => `20.1.${index}.0/24`)
const old = writeTags({ AzureContainerRegistry: tenPrefixes, Storage: ['20.2.0.0/16'], 'Storage.WestEurope': ['20.2.1.0/24'] })
const young = writeTags({ AzureContainerRegistry: [...tenPrefixes.slice(1), '2603:1030::/48'], Storage: ['20.2.0.0/16'] })
const shrunk = writeTags({ AzureContainerRegistry: tenPrefixes.slice(3), Storage: ['20.2.0.0/16'] })

interface Mirror {
  readonly origin: string
  readonly asked: readonly string[]
}

type Page = string | ((response: ServerResponse) => void)

/** An HTTP server on loopback with these paths; others are 404. */
async function startMirror (t: Test, pages: Readonly<Record<string, Page>>): Promise<Mirror> {
  const asked: string[] = []
  const server = createServer(({ url = '' }, response) => {
    asked.push(url)
    const page = pages[url]
    if (typeof page === 'function') page(response)
    else response.writeHead(page === undefined ? 404 : 200).end(page)
  })
  const { port, close } = await listenOnLoopback(server)
  t.teardown(close)
  return { origin: `http://127.0.0.1:${port}`, asked }
}

/** Refreshes a file that holds the old tags, from what a mirror has under /tags.json. */
async function refresh (t: Test, text: Page, ...flags: string[]) {
  const folder = t.testdir({ 'tags.json': old })
  const file = join(folder, 'tags.json')
  const { origin } = await startMirror(t, { '/tags.json': text })
  const result = await run('refresh', '--file', file, '--from', `${origin}/tags.json`, ...flags)
  return { ...result, file, origin, now: await readFile(file, 'utf8') }
}

t.test('show prints a tag, in any case of its name, or all of them', async (t) => {
  const file = join(t.testdir({ 'tags.json': old }), 'tags.json')
  const one = await run('show', 'storage.westeurope', '--file', file)
  t.same([one.code, one.stdout], [0, 'Storage.WestEurope: region westeurope, 1 IPv4 and 0 IPv6 prefixes, change 7\n20.2.1.0/24\n'])
  const all = await run('show', '--file', file)
  t.equal(all.stdout, 'AzureContainerRegistry 10\nStorage 1\nStorage.WestEurope 1\n')
  const json = JSON.parse((await run('show', 'Storage', '--file', file, '--json')).stdout)
  t.same(json, { tag: 'Storage', region: '', changeNumber: 7, ipv4: 1, ipv6: 0, prefixes: ['20.2.0.0/16'] })
  const wrong = await run('show', 'Storag', '--file', file)
  t.same([wrong.code, wrong.stdout], [1, ''])
  t.match(wrong.stderr, /^"Storag": no such tag in this file; did you mean Storage\?\nacr-egress tags show lists them\n$/)
})

t.test('show and refresh find the file in the configuration, also when it is not there yet', async (t) => {
  const folder = t.testdir({
    'config.yaml': 'registries: [{loginServer: contoso.azurecr.us, regions: [usgovvirginia]}]\naddresses: {serviceTagsFile: tags.json}\n',
    'none.yaml': 'registries: [{loginServer: contoso.azurecr.io, regions: [eastus]}]\n',
    'bad.yaml': 'registries: []\n',
  })
  const config = join(folder, 'config.yaml')
  const absent = await run('show', '--config', config)
  t.same([absent.code, absent.stderr], [2, `${join(folder, 'tags.json')} does not exist; see that the path is right\n`])
  const text = writeTags({ AzureContainerRegistry: ['20.1.0.0/24'], Storage: ['20.2.0.0/16'] }, 'AzureGovernment')
  const { origin } = await startMirror(t, { '/tags.json': text })
  const made = await run('refresh', '--config', config, '--from', `${origin}/tags.json`)
  t.same([made.code, made.stdout], [0, `${join(folder, 'tags.json')} was made from ${origin}/tags.json\n`])
  t.equal((await run('show', '--config', config)).stdout, 'AzureContainerRegistry 1\nStorage 1\n')
  await t.rejects(run('show', '--config', join(folder, 'none.yaml')), new UsageError('the configuration names no file of service ' +
    'tags; write addresses: {serviceTagsFile: FILE} there, or --file FILE'))
  t.match(await run('refresh', '--config', join(folder, 'bad.yaml')), { code: 2, stderr: /bad\.yaml:1:13: registries: the list is empty/ })
})

t.test('diff tells what two files have different', async (t) => {
  const folder = t.testdir({ 'old.json': old, 'young.json': young, 'gov.json': writeTags({ Storage: [] }, 'AzureGovernment') })
  const [before, after, gov] = ['old', 'young', 'gov'].map((name) => join(folder, `${name}.json`)) as [string, string, string]
  const { code, stdout, stderr } = await run('diff', before, after)
  t.same([code, stderr], [0, ''])
  t.equal(stdout, 'AzureContainerRegistry: 1 added, 1 removed\n  + 2603:1030::/48\n  - 20.1.0.0/24\n')
  t.equal((await run('diff', before, before)).stdout, 'No difference in AzureContainerRegistry, Storage.\n')
  t.match((await run('diff', before, after, '--all')).stdout, /Storage\.WestEurope: 0 added, 1 removed\n {2}- 20\.2\.1\.0\/24\n$/)
  t.equal((await run('diff', before, after, '--tag', 'storage.westeurope')).stdout, 'Storage.WestEurope: 0 added, 1 removed\n  - 20.2.1.0/24\n')
  t.same(JSON.parse((await run('diff', before, after, '--json')).stdout), [
    { tag: 'AzureContainerRegistry', added: ['2603:1030::/48'], removed: ['20.1.0.0/24'] },
  ])
  t.match(await run('diff', before, gov), { code: 0, stderr: 'warning: the first file is for Public, the second for AzureGovernment\n' })
  t.match(await run('diff', before, after, '--tag', 'Sql'), { code: 1, stderr: /^Sql: in neither file; / })
  t.match(await run('diff', before, join(folder, 'no.json')), { code: 2, stderr: /no\.json does not exist; / })
  await t.rejects(run('diff', before), new UsageError('tags diff takes two files; write acr-egress tags diff OLD NEW'))
})

t.test('refresh puts a new file in the place of the old one, and says what is different', async (t) => {
  const { code, stdout, stderr, now, file, origin } = await refresh(t, young)
  t.same([code, stderr], [0, ''])
  t.equal(stdout, `AzureContainerRegistry: 1 added, 1 removed\n  + 2603:1030::/48\n  - 20.1.0.0/24\n${file} is now that of ${origin}/tags.json\n`)
  t.equal(now, young)
})

t.test('a file that must not take the place of the old one does not', async (t) => {
  const table: ReadonlyArray<readonly [text: Page, problem: RegExp]> = [
    [shrunk, /not taken: it takes away 3 of the 10 prefixes of AzureContainerRegistry; if that is right, write --force/],
    [writeTags({ AzureContainerRegistry: [], Storage: ['20.2.0.0/16'] }), /it has no prefixes for AzureContainerRegistry;/],
    [writeTags({ AzureContainerRegistry: tenPrefixes }), /it has no prefixes for Storage;/],
    [writeTags({ AzureContainerRegistry: tenPrefixes, Storage: ['20.2.0.0/16'] }, 'China'), /it is for the cloud China, and the registries are in Public;/],
    [young.slice(0, 300), /it is not JSON, or only a part of it;/],
    ['{}', /it is JSON, but has no cloud and values/],
    ['<html>nothing</html>', /links to no file of service tags for this cloud;/],
    [(response) => response.writeHead(503).end(), /was answered with 503; try again later, or fetch the file elsewhere/],
    [(response) => response.writeHead(302, { location: 'http://mirror.example/tags.json' }).end(), /^acr-egress tags refresh: http:\/\/mirror\.example\/tags\.json, where the address leads, is not https;/],
    [(response) => response.writeHead(302, { location: '/tags.json' }).end(), /was answered with too many redirects/],
    [(response) => { response.writeHead(200, { 'content-length': 1000 }).write('{'); setImmediate(() => response.destroy()) }, /cannot be reached \(/],
    [(response) => { response.writeHead(200); response.end(Buffer.alloc(33 * 2 ** 20, ' ')) }, /is longer than 32 MiB;/],
  ]
  for (const [text, problem] of table) {
    const { code, stderr, now } = await refresh(t, text)
    t.match(stderr, problem)
    t.equal(code, 1)
    t.equal(now, old, 'the old one stays')
  }
})

t.test('--force takes a file that takes much away, --dry-run takes none', async (t) => {
  const forced = await refresh(t, shrunk, '--force')
  t.same([forced.code, forced.now], [0, shrunk])
  const dry = await refresh(t, young, '--dry-run')
  t.same([dry.code, dry.now], [0, old])
  t.match(dry.stdout, /AzureContainerRegistry: 1 added, 1 removed\n.*tags\.json would be that of .*; nothing was written\n$/s)
})

t.test('--json is one document', async (t) => {
  const { stdout, file, origin } = await refresh(t, young, '--json')
  const changes = [{ tag: 'AzureContainerRegistry', added: ['2603:1030::/48'], removed: ['20.1.0.0/24'] }]
  t.same(JSON.parse(stdout), { result: 'replaced', file, url: `${origin}/tags.json`, changes })
  t.match(JSON.parse((await refresh(t, shrunk, '--json')).stdout), { result: 'refused', problem: /^it takes away 3 of the 10/ })
  const failed = await refresh(t, (response) => response.writeHead(503).end(), '--json')
  t.match(JSON.parse(failed.stdout), { result: 'failed', file: failed.file, problem: /was answered with 503; try again/, changes: [] })
  t.equal(failed.code, 1)
})

t.test('when the file is the newest already its age is that of the look', async (t) => {
  const file = join(t.testdir({ 'tags.json': old }), 'tags.json')
  await utimes(file, new Date(0), new Date(0))
  const { origin } = await startMirror(t, { '/tags.json': old })
  const { code, stdout } = await run('refresh', '--file', file, '--from', `${origin}/tags.json`)
  t.same([code, stdout], [0, `${file} is the newest already, ${origin}/tags.json\n`])
  t.ok(Date.now() - (await stat(file)).mtimeMs < 60_000)
})

t.test('a dry run over the newest file says that it is the newest, and leaves its age alone', async (t) => {
  const file = join(t.testdir({ 'tags.json': old }), 'tags.json')
  await utimes(file, new Date(0), new Date(0))
  const { origin } = await startMirror(t, { '/tags.json': old })
  const { code, stdout } = await run('refresh', '--dry-run', '--file', file, '--from', `${origin}/tags.json`)
  t.same([code, stdout], [0, `${file} is the newest already, ${origin}/tags.json\n`])
  t.equal((await stat(file)).mtimeMs, 0)
})

t.test('a link to a file with a day in its name is not followed, because the day would be wrong', async (t) => {
  const folder = t.testdir({ 'ServiceTags_Public_20250714.json': old })
  const link = join(folder, 'tags.json')
  await symlink('ServiceTags_Public_20250714.json', link)
  await t.rejects(run('refresh', '--file', link), { name: 'UsageError', message: /leads to a file that has, which would be wrong/ })
})

t.test('a file that lacks a tag which is in use since is still what the new one is judged against', async (t) => {
  const file = join(t.testdir({ 'tags.json': writeTags({ AzureContainerRegistry: tenPrefixes }) }), 'tags.json')
  const { origin } = await startMirror(t, { '/tags.json': shrunk })
  const { code, stderr } = await run('refresh', '--file', file, '--from', `${origin}/tags.json`)
  t.equal(code, 1)
  t.match(stderr, /takes away 3 of the 10 prefixes of AzureContainerRegistry; if that is right, write --force/)
})

t.test('a file that is spoilt, or is for another cloud, is replaced without more ado', async (t) => {
  for (const text of ['{', writeTags({ AzureContainerRegistry: ['20.9.0.0/24'], Storage: ['20.8.0.0/24'] }, 'China')]) {
    const file = join(t.testdir({ 'tags.json': text }), 'tags.json')
    const { origin } = await startMirror(t, { '/tags.json': young })
    t.equal((await run('refresh', '--file', file, '--from', `${origin}/tags.json`)).code, 0)
    t.equal(await readFile(file, 'utf8'), young)
  }
})

t.test('a configuration for two clouds, and none at all, lead to --file', async (t) => {
  const folder = t.testdir({
    'two.yaml': 'registries: [{loginServer: a12345.azurecr.io}, {loginServer: b12345.azurecr.us}]\n' +
      'addresses: {serviceTagsFile: x.json, mode: off}\n',
  })
  await t.rejects(run('refresh', '--config', join(folder, 'two.yaml')), {
    name: 'UsageError', message: /^a file is for one cloud, and the registries are in Public and AzureGovernment; write --file/,
  })
  const none = await run('refresh', '--config', join(folder, 'none.yaml'))
  t.equal(none.code, 2)
  t.match(none.stderr, /none\.yaml: does not exist; .*\nacr-egress tags needs no configuration with --file FILE/s)
})

t.test('what a file says does not steer the terminal', async (t) => {
  const file = join(t.testdir({ 'tags.json': writeTags({ 'Sto\u001b[2Jrage': ['20.2.0.0/16'] }) }), 'tags.json')
  t.equal((await run('show', '--file', file)).stdout, 'Sto\\u001b[2Jrage 1\n')
  const { stderr } = await refresh(t, writeTags({ Storage: ['\u009b2J'] }))
  t.match(stderr, /it has "\\u009b2J" in the tag Storage, which is no prefix/)
})

t.test('the file keeps its mode, and a link leads to the new one', async (t) => {
  const folder = t.testdir({ there: { 'tags.json': old } })
  await symlink('there/tags.json', join(folder, 'link.json'))
  await chmod(join(folder, 'there/tags.json'), 0o640)
  const { origin } = await startMirror(t, { '/tags.json': young })
  await run('refresh', '--file', join(folder, 'link.json'), '--from', `${origin}/tags.json`)
  t.equal(await readlink(join(folder, 'link.json')), 'there/tags.json')
  t.equal(await readFile(join(folder, 'there/tags.json'), 'utf8'), young)
  t.equal((await stat(join(folder, 'there/tags.json'))).mode & 0o777, 0o640)
})

t.test('a page leads to the newest of its links that works, and to no other host', async (t) => {
  const link = (day: string, host = ''): string => `<a href="${host}/d/ServiceTags_Public_${day}.json">x</a>`
  const page = [
    link('20250707'), link('20250721'), link('20250714'), link('20250714'), link('20260101', 'https://other.example'),
    link('20260101').replace('Public', 'China'),
  ].join('\n')
  const { origin, asked } = await startMirror(t, { '/page': page, '/d/ServiceTags_Public_20250714.json': young })
  const file = join(t.testdir({}), 'tags.json')
  const { code, stdout } = await run('refresh', '--file', file, '--from', `${origin}/page`)
  t.same([code, stdout], [0, `${file} was made from ${origin}/d/ServiceTags_Public_20250714.json\n`])
  t.same(asked, ['/page', '/d/ServiceTags_Public_20250721.json', '/d/ServiceTags_Public_20250714.json'])
})

t.test('a file that cannot be written is told', async (t) => {
  const { origin } = await startMirror(t, { '/tags.json': young })
  const { code, stderr } = await run('refresh', '--file', join(t.testdir({}), 'no/tags.json'), '--from', `${origin}/tags.json`)
  t.equal(code, 1)
  t.match(stderr, /no\/tags\.json cannot be written \(ENOENT\); see that its folder is there and yours to write\n$/)
})

t.test('nothing is left running', async (t) => {
  const before = countResources()
  await refresh(t, young)
  await refresh(t, (response) => { response.writeHead(200, { 'content-length': 10 }).write('{'); setImmediate(() => response.destroy()) })
  // The two mirrors that this test's end closes.
  t.ok(countResources() <= before + 4, `${countResources()} after ${before}`)
})

t.test('wrong words are told with the right ones', async (t) => {
  const file = join(t.testdir({}), 'x.json')
  const table: ReadonlyArray<readonly [argv: string[], message: RegExp]> = [
    [[], /^tags: say what to do; write acr-egress tags show, diff or refresh$/],
    [['refrsh'], /^tags refrsh: no such action; did you mean refresh\?$/],
    [['toString'], /no such action/],
    [['show', 'a', 'b'], /^tags show takes one TAG$/],
    [['refresh', 'x'], /^x: tags refresh takes flags only; write --file FILE$/],
    [['refresh', '--from', 'x', '--file', file], /^--from x: is no address;/],
    [['refresh', '--file', file, '--cloud', 'public'], /^--cloud public: write Public, AzureGovernment, China; did you mean Public\?$/],
    [['refresh', '--cloud', 'Public'], /^--cloud goes with --file;/],
    [['refresh', '--file', 'ServiceTags_Public_20251028.json'], /has a day in its name, .*; name the file service-tags\.json/],
    [['refresh', '--file', file, '--from', 'http://mirror.example/x'], /^--from http:\/\/mirror\.example\/x: is not https; write/],
    [['refresh', '--file', file, '--from', 'ftp://mirror.example/x'], /is not https; write an address that begins with https/],
  ]
  for (const [argv, message] of table) await t.rejects(run(...argv), { name: 'UsageError', message })
  await writeFile(file, '')
})
