import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { describeConfiguration } from '../../../src/config/effective.ts'
import { type LoadResult, loadConfiguration } from '../../../src/config/load.ts'
import { formatProblem } from '../../../src/config/problem.ts'
import { missingFiles, publishedFiles } from '../../support/service-tag-files.ts'
import { writeTagFile } from '../../support/service-tags.ts'

const acr = 'AzureContainerRegistry'
const tags = {
  [acr]: ['20.1.0.0/24', '20.1.1.0/24', '20.1.2.0/24'],
  [`${acr}.EastUS`]: ['20.1.0.0/24'],
  [`${acr}.WestEurope`]: ['20.1.1.0/24'],
  Storage: ['20.2.0.0/16', '20.3.0.0/16'],
  'Storage.EastUS': ['20.2.0.0/17', '20.2.128.0/17', '20.3.0.0/24'],
}
const folder = t.testdir({
  'ServiceTags_Public_20261109.json': writeTagFile(tags),
  'china.json': writeTagFile(tags, 'China'),
  'empty.json': writeTagFile({ ...tags, Storage: [] }),
  'bad.json': '{"cloud": "Public", "values": [',
  'binary.json': Buffer.of(0xff),
  directory: {},
})
const tagFile = 'ServiceTags_Public_20261109.json'
const file = join(folder, 'config.yaml')
const now = (): number => Date.parse('2026-11-20T12:00:00Z')

const contoso = 'registries: [{loginServer: contoso.azurecr.io, regions: [eastus]}]\n'

async function load (text: string, at = now): Promise<LoadResult> {
  await writeFile(file, text)
  return await loadConfiguration({ file, now: at })
}

/** The lines of a configuration's problems, or of its warnings when it has none, without the file's name. */
async function listLines (text: string, at = now): Promise<string[]> {
  const result = await load(text, at)
  const found = result.ok ? result.warnings : result.problems
  return found.map((problem) => formatProblem(problem).replace(`${file}:`, ''))
}

t.test('a file of service tags is read from beside the configuration, with the tags that are needed', async (t) => {
  const result = await load(`${contoso}addresses: {serviceTagsFile: ${tagFile}}\n`)
  t.match(result, {
    ok: true,
    warnings: [],
    configuration: {
      addresses: {
        mode: 'enforce',
        scope: 'global',
        maxAgeMs: 14 * 86_400_000,
        tagFile: { file: join(folder, tagFile), datedAt: Date.UTC(2026, 10, 9), serviceTags: { cloud: 'Public' } },
      },
    },
  })
  t.same(result.ok && result.configuration.addresses.tagFile?.serviceTags.tags.map(({ name }) => name), [acr, 'Storage'])
})

t.test('a relative path begins at the folder of the configuration, an absolute one at the top', async (t) => {
  await mkdir(join(folder, 'etc/acr-egress'), { recursive: true })
  await writeFile(join(folder, 'etc/tags.json'), writeTagFile(tags))
  const inside = join(folder, 'etc/acr-egress/config.yaml')
  for (const path of ['../tags.json', './../tags.json', join(folder, 'etc/tags.json')]) {
    await writeFile(inside, `${contoso}addresses: {serviceTagsFile: ${path}}\n`)
    t.match(await loadConfiguration({ file: inside, now }), {
      ok: true, configuration: { addresses: { tagFile: { file: join(folder, 'etc/tags.json') } } },
    }, path)
  }
})

t.test('without a file no tags are looked at, and nothing is said of it', async (t) => {
  const result = await load(contoso)
  t.match(result, { ok: true, warnings: [], configuration: { addresses: { mode: 'enforce', scope: 'global' } } })
  t.notOk(result.ok && 'tagFile' in result.configuration.addresses)
})

t.test('a file that cannot serve is a problem, at the key that names it', async (t) => {
  const path = (name: string): string => `2:30: addresses.serviceTagsFile: ${join(folder, name)}`
  const advice = 'fetch it with acr-egress tags refresh, or from Microsoft\'s download page for this cloud'
  const table: ReadonlyArray<readonly [name: string, problem: string]> = [
    ['absent.json', 'does not exist; see that the path is right'],
    ['directory', 'is a directory; name a file in it'],
    ['binary.json', 'is not UTF-8 text; save it as UTF-8'],
    ['bad.json', `is not JSON, or only a part of it; ${advice}`],
    ['china.json', `is for the cloud China, and the registries are in Public; ${advice}`],
    ['empty.json', `has no prefixes for Storage; ${advice}`],
  ]
  for (const [name, problem] of table) {
    t.same(await listLines(`${contoso}addresses: {serviceTagsFile: ${name}}\n`), [`${path(name)} ${problem}`])
  }
  t.same(await listLines(`registries: [{loginServer: contoso.azurecr.io, regions: [uksouth]}]\naddresses: {serviceTagsFile: ${tagFile}, scope: regional}\n`), [
    `${path(tagFile)} has no prefixes for ${acr}.uksouth, Storage.uksouth; ${advice}`,
  ])
})

t.test('control characters of a path do not reach the terminal', async (t) => {
  const [line, ...more] = await listLines(`${contoso}addresses: {serviceTagsFile: "a\\e[2J\\u202e.json"}\n`)
  t.same(more, [])
  t.match(line, /a\\u001b\[2J\\u202e\.json does not exist/)
})

t.test('a key of the section that is not as it should be is told like any other', async (t) => {
  const table: ReadonlyArray<readonly [section: string, ...problems: RegExp[]]> = [
    ['mode: enforced', /^2:19: addresses\.mode: expected one of enforce, report, off, found the text "enforced"; write enforce/],
    ['mode: false', /^2:19: addresses\.mode: expected one of enforce, report, off, found false/],
    ['scope: local', /^2:20: addresses\.scope: expected one of global, regional, found the text "local"/],
    ['maxAge: 14', /^2:21: addresses\.maxAge: expected a duration like .*; write/],
    ['maxAge: 1h', /^2:21: addresses\.maxAge: 1h is out of bounds; write a duration from 1d to 365d/],
    ['maxAge: 366d', /^2:21: addresses\.maxAge: 366d is out of bounds/],
    ['serviceTagsFile: ""', /^2:30: addresses\.serviceTagsFile: expected the path of a file, found an empty text/],
    ['serviceTagsFile: 5', /^2:30: addresses\.serviceTagsFile: expected the path of a file, found the number 5/],
    ['serviceTagFile: a', /^2:13: addresses\.serviceTagFile: no such key; did you mean serviceTagsFile\?/],
    // The file is looked at whatever else is wrong.
    ['mode: x, serviceTagsFile: absent.json', /^2:19: addresses\.mode/, /^2:39: addresses\.serviceTagsFile: .* does not exist/],
    ['mode: x, serviceTagsFile: bad.json', /^2:19: addresses\.mode/, /^2:39: addresses\.serviceTagsFile: .* is not JSON/],
  ]
  for (const [section, ...problems] of table) {
    const lines = await listLines(`${contoso}addresses: {${section}}\n`)
    t.equal(lines.length, problems.length, section)
    t.match(lines, problems, section)
  }
})

t.test('a file is for one cloud', async (t) => {
  const registries = 'registries: [{loginServer: contoso.azurecr.io}, {loginServer: fabrikam.azurecr.us}]\n'
  t.match(await listLines(`${registries}addresses: {serviceTagsFile: ${tagFile}}\n`), [
    /^2:30: addresses\.serviceTagsFile: a file is for one cloud, and the registries are in AzureCloud and AzureUSGovernment; run a gateway for each cloud, or write mode: off$/,
  ])
  t.match(await listLines(`${registries}addresses: {serviceTagsFile: absent.json}\n`), [/a file is for one cloud/, /absent\.json does not exist/])
  t.match(await load(`${registries}addresses: {serviceTagsFile: absent.json, mode: off}\n`), { ok: true })
  t.match(await load(registries), { ok: true }, 'without a file')
})

t.test('registries without regions have no tags of regions', async (t) => {
  const text = `registries:
  - loginServer: contoso.azurecr.io
    regions: [eastus]
  - loginServer: fabrikam.azurecr.io
    storage: any
addresses: {scope: regional, serviceTagsFile: ${tagFile}}
`
  t.same(await listLines(text), [
    '4:5: registries[1]: has no regions, and addresses.scope is regional; write its regions, or scope: global',
  ])
  t.same(await listLines(text.replace('scope: regional, ', '')), [
    '5:14: registries[1].storage: opens *.blob.core.windows.net, the blobs of every Azure customer; turn on dedicated data endpoints and write regions, or write the names of the accounts',
  ])
})

t.test('an old file is a warning, from the moment on when it is older than it may be', async (t) => {
  const day = 86_400_000
  const dated = Date.UTC(2026, 10, 9)
  const text = `${contoso}addresses: {serviceTagsFile: ${tagFile}}\n`
  t.same(await listLines(text, () => dated + 14 * day), [])
  t.same(await listLines(text, () => dated - day), [], 'nor is one of tomorrow')
  t.same(await listLines(text, () => dated + 14 * day + 1), [
    '2:30: addresses.serviceTagsFile: the file is of 2026-11-09, which is more than 14d ago; fetch a new one with acr-egress tags refresh',
  ])
  const patient = text.replace('}\n', ', maxAge: 30d}\n')
  t.same(await listLines(patient, () => dated + 30 * day), [])
  t.match(await listLines(patient, () => dated + 31 * day), [/more than 30d ago/])
})

t.test('prefixes that lie in no region are named where only regions count', async (t) => {
  t.same(await listLines(`${contoso}addresses: {scope: regional, serviceTagsFile: ${tagFile}}\n`), [
    `2:20: addresses.scope: 1 prefix of ${acr} lies in no region, or not wholly, and an endpoint there may be refused; write global, or keep in mind 20.1.2.0/24`,
    '2:20: addresses.scope: 1 prefix of Storage lies in no region, or not wholly, and an endpoint there may be refused; write global, or keep in mind 20.3.0.0/16',
  ])
})

t.test('keys that have no effect without a file are warnings, unless the mode is off', async (t) => {
  const why = 'has no effect without a file of service tags; write serviceTagsFile: FILE (acr-egress tags refresh fetches one), or drop the key'
  t.same(await listLines(`${contoso}addresses: {mode: report, scope: regional, maxAge: 7d}\n`), [
    `2:13: addresses.mode: ${why}`, `2:27: addresses.scope: ${why}`, `2:44: addresses.maxAge: ${why}`,
  ])
  t.same(await listLines(`${contoso}addresses: {mode: off, scope: regional, maxAge: 7d}\n`), [])
  t.same(await listLines(`${contoso}addresses: {}\n`), [])
})

t.test('in mode off the file is not even opened', async (t) => {
  for (const name of ['absent.json', 'bad.json', 'directory', tagFile]) {
    const result = await load(`${contoso}addresses: {mode: off, serviceTagsFile: ${name}, scope: regional}\n`)
    t.match(result, { ok: true, warnings: [], configuration: { addresses: { mode: 'off', scope: 'regional' } } }, name)
    t.notOk(result.ok && 'tagFile' in result.configuration.addresses)
  }
})

t.test('the effective configuration, read again, makes the same one', async (t) => {
  const again = join(folder, 'again.yaml')
  const sections = [
    '',
    'addresses: {mode: off, scope: regional, maxAge: 30d}',
    `addresses: {serviceTagsFile: ${tagFile}}`,
    `addresses: {serviceTagsFile: ./${tagFile}, mode: report, maxAge: 365d}`,
  ]
  for (const section of sections) {
    const first = await load(contoso + section)
    if (!first.ok) throw new Error(first.problems.map(formatProblem).join('\n'))
    await writeFile(again, JSON.stringify(describeConfiguration(first.configuration)))
    const second = await loadConfiguration({ file: again, now })
    t.same(withoutFunctions(second.ok && second.configuration), withoutFunctions(first.configuration), section)
  }
})

/** Tags are found by a function, of which there are two when they have been read twice. */
function withoutFunctions (value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

t.test('the prefixes without a region are those of the published file', { skip: missingFiles }, async (t) => {
  const lines = await listLines(`${contoso}addresses: {scope: regional, maxAge: 365d, serviceTagsFile: ${publishedFiles.public20251028}}\n`,
    () => Date.parse('2025-11-01'))
  t.equal(lines.length, 2)
  t.match(lines[0], /: 81 prefixes of AzureContainerRegistry .*9\.205\.35\.64\/26/)
  t.match(lines[1], /: 38 prefixes of Storage /)
})
