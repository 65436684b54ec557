import t from 'tap'
import { listUnregionalBlocks, parseServiceTags } from '../../../src/acr/service-tags.ts'
import { readPublished, readTags, tagsOf, writeTagFile } from '../../support/service-tags.ts'
import { missingFiles, publishedFiles } from '../../support/service-tag-files.ts'

const acr = 'AzureContainerRegistry'
const sample = writeTagFile({
  [acr]: ['20.1.0.0/24', '2603:1020::/64'],
  [`${acr}.WestEurope`]: ['20.1.0.0/25'],
  Storage: [],
})

/** What is said of a text all of whose tags are wanted. */
function findProblem (text: string): string | undefined {
  const parsed = parseServiceTags(text, () => true)
  return parsed.ok ? undefined : parsed.problem
}

/** Each tag of a text with its region and prefixes. */
function listTags (text: string): unknown {
  return readTags(text).tags.map(({ name, region, blocks }) => [name, region, ...blocks.blocks.map((one) => one.text)])
}

t.test('a file says its cloud, its change number, and the prefixes of the tags that are wanted', async (t) => {
  const serviceTags = readTags(sample, (name) => name.startsWith(acr))
  t.equal(serviceTags.cloud, 'Public')
  t.equal(serviceTags.changeNumber, 375)
  t.same(serviceTags.tags.map(({ name, region, changeNumber, blocks }) => {
    return [name, region, changeNumber, ...blocks.blocks.map(({ text }) => text)]
  }), [
    [acr, '', 9, '20.1.0.0/24', '2603:1020::/64'],
    [`${acr}.WestEurope`, 'westeurope', 9, '20.1.0.0/25'],
  ])
  t.equal(serviceTags.find('Storage'), undefined, 'what is not wanted is not kept')
})

t.test('a tag is found by its name in any case, and by no other name', async (t) => {
  const { find, tags } = readTags(sample)
  for (const name of [`${acr}.WestEurope`, `${acr}.westeurope`, `${acr}.WestEurope`.toUpperCase(), 'azurecontainerregistry.westeurope']) {
    t.equal(find(name), tags[1], name)
  }
  for (const name of ['', acr.slice(1), `${acr}.`, `${acr}.westeurope `, '__proto__', 'constructor', 'toString']) t.equal(find(name), undefined, name)
})

t.test('a tag without prefixes is a tag', async (t) => {
  t.same(readTags(sample).find('Storage')?.blocks.blocks, [])
  t.same(readTags(writeTagFile({})).tags, [])
})

t.test('ends of lines, and keys that come and go, make no difference', async (t) => {
  const document = JSON.parse(sample) as { values: Array<{ properties: Record<string, unknown> }> }
  const write = (change: (properties: Record<string, unknown>) => void): string => {
    const copy = structuredClone(document)
    for (const { properties } of copy.values) change(properties)
    return JSON.stringify(copy)
  }
  const texts = {
    'no final newline': sample.trimEnd(),
    'a final newline': `${sample}\n`,
    CRLF: sample.replaceAll('\n', '\r\n'),
    'one line': JSON.stringify(document),
    'networkFeatures null': write((properties) => { properties['networkFeatures'] = null }),
    'no networkFeatures, no regionId': write((properties) => {
      delete properties['networkFeatures']
      delete properties['regionId']
    }),
    'keys of the future': write((properties) => { properties['more'] = { __proto__: null, a: [1] } }),
  }
  for (const [name, text] of Object.entries(texts)) {
    t.same(listTags(text), listTags(sample), name)
  }
})

t.test('the region of a tag is that of its name, not the property\'s; without the property\'s it has none', async (t) => {
  const write = (name: string, region: unknown): string => JSON.stringify({
    cloud: 'Public', values: [{ name, properties: { region, addressPrefixes: [] } }],
  })
  t.equal(readTags(write(`${acr}.FranceCentral`, 'centralfrance')).tags[0]?.region, 'francecentral')
  t.equal(readTags(write('AzureMonitor.Core', '')).tags[0]?.region, '')
  t.equal(readTags(write(acr, '')).tags[0]?.region, '')
})

t.test('a change number that is no number is shown as 0', async (t) => {
  for (const changeNumber of ['"375"', 'null', '{}', '1e999']) {
    t.equal(readTags(`{"cloud": "Public", "changeNumber": ${changeNumber}, "values": []}`).changeNumber, 0, changeNumber)
  }
})

t.test('what is not JSON, or was cut, is said to be so', async (t) => {
  const notJson = 'is not JSON, or only a part of it'
  for (const text of ['', ' ', '<!DOCTYPE html>', 'undefined', '\0', `${sample}}`, `\ufeff${sample}`, sample.slice(1)]) {
    t.equal(findProblem(text), notJson, JSON.stringify(text.slice(0, 20)))
  }
  for (let end = 0; end < sample.length; end += 7) {
    if (findProblem(sample.slice(0, end)) !== notJson) t.fail(`cut at ${end}`)
  }
})

t.test('JSON of another shape is no file of service tags', async (t) => {
  const shapeless = 'is JSON, but has no cloud and values as a file of service tags has'
  const texts = [
    'null', '1', '"Public"', 'true', '[]', '{}', '{"cloud": "Public"}', '{"values": []}', '{"cloud": 1, "values": []}',
    '{"cloud": "Public", "values": {}}', '{"cloud": "Public", "values": "x"}', '{"cloud": ["Public"], "values": []}',
    '{"__proto__": {"cloud": "Public", "values": []}}', '[{"cloud": "Public", "values": []}]',
    '{"cloud": "", "values": []}', '{"cloud": "Pub\\nlic", "values": []}', `{"cloud": "${'x'.repeat(1_000_000)}", "values": []}`,
  ]
  for (const text of texts) t.equal(findProblem(text), shapeless, text.slice(0, 60))
})

t.test('a tag without a name spoils the file, and a bad one does if it is wanted', async (t) => {
  const nameless = 'has a tag without a name'
  const table: ReadonlyArray<readonly [value: string, problem: string]> = [
    ['null', nameless],
    ['7', nameless],
    ['[]', nameless],
    ['{}', nameless],
    ['{"name": null}', nameless],
    ['{"__proto__": {"name": "A"}}', nameless],
    ['{"name": "A"}', 'has no prefixes for the tag A'],
    ['{"name": "A", "properties": null}', 'has no prefixes for the tag A'],
    ['{"name": "A", "properties": []}', 'has no prefixes for the tag A'],
    ['{"name": "A", "properties": {"addressPrefixes": {"0": "20.1.0.0/24", "length": 1}}}', 'has no prefixes for the tag A'],
    ['{"name": "A", "properties": {"__proto__": {"addressPrefixes": []}}}', 'has no prefixes for the tag A'],
  ]
  for (const [value, problem] of table) t.equal(findProblem(`{"cloud": "Public", "values": [${value}]}`), problem, value)
  t.same(readTags('{"cloud": "Public", "values": [{"name": "A"}]}', () => false).tags, [], 'nobody wants it')
})

t.test('one bad prefix spoils the file, and is named, shortly', async (t) => {
  const write = (prefix: string): string => `{"cloud": "Public", "values": [{"name": "A", "properties": {"addressPrefixes": ["20.1.0.0/24", ${prefix}]}}]}`
  for (const prefix of ['""', '"20.1.0.1/24"', '"20.1.0.0/33"', '"20.1.0.0/24 "', '"020.1.0.0/24"', '"::/129"', '"any"']) {
    t.equal(findProblem(write(prefix)), `has ${prefix} in the tag A, which is no prefix`)
  }
  const others = ['null', '1', '{}', '["20.2.0.0/24"]', '{"toJSON": 1}', `${'['.repeat(200_000)}${']'.repeat(200_000)}`]
  for (const prefix of others) t.equal(findProblem(write(prefix)), 'has a prefix in the tag A that is no text', prefix.slice(0, 20))
  const long = findProblem(write(`"${'9'.repeat(1_000_000)}"`)) ?? ''
  t.match(long, /^has "9+" in the tag A, which is no prefix$/)
  t.ok(long.length < 120)
})

t.test('a tag that is there twice spoils the file, however it is written', async (t) => {
  t.equal(findProblem(writeTagFile({ [acr]: [], azureContainerregistry: [] })), 'has the tag azureContainerregistry twice')
})

t.test('the prefixes of a service that lie in no region are listed, also those that only partly do', async (t) => {
  const serviceTags = tagsOf({
    Storage: ['20.1.0.0/24', '20.2.0.0/24', '20.3.0.0/24', '20.4.0.0/24', '20.5.0.0/24', '2603:1020::/47'],
    'Storage.WestEurope': ['20.1.0.0/24', '20.2.0.0/25', '20.3.0.0/25', '20.4.0.0/16'],
    'Storage.EastUS': ['20.2.0.128/25', '2603:1020::/48', '2603:1020:1::/48'],
    'StorageSyncService.EastUS': ['20.5.0.0/24'],
    'Other.EastUS': ['20.5.0.0/24'],
  })
  t.same(listUnregionalBlocks(serviceTags, 'Storage').map(({ text }) => text), ['20.3.0.0/24', '20.5.0.0/24'])
  t.same(listUnregionalBlocks(serviceTags, 'storage').map(({ text }) => text), ['20.3.0.0/24', '20.5.0.0/24'])
  t.same(listUnregionalBlocks(serviceTags, 'Absent'), [])
})

t.test('each published file is read, with its cloud and as many tags as it has', { skip: missingFiles }, async (t) => {
  const table = [
    [publishedFiles.public20250714, 'Public', 362, 2967],
    [publishedFiles.public20250721, 'Public', 363, 2967],
    [publishedFiles.public20251028, 'Public', 375, 3039],
    [publishedFiles.government20260720, 'AzureGovernment', 402, 299],
  ] as const
  for (const [file, cloud, changeNumber, count] of table) {
    const serviceTags = readPublished(file)
    t.same([serviceTags.cloud, serviceTags.changeNumber, serviceTags.tags.length], [cloud, changeNumber, count], file)
  }
})

t.test('the regions of published tags are named as endpoints name them', { skip: missingFiles }, async (t) => {
  const { tags } = readPublished(publishedFiles.public20251028)
  const regions = tags.filter(({ name }) => name.startsWith(`${acr}.`)).map(({ region }) => region)
  t.equal(regions.length, 69)
  for (const region of regions) t.match(region, /^[a-z]+[0-9]?[a-z]*$/)
  // Where the property has another name.
  for (const region of [
    'brazilsoutheast', 'chilecentral', 'francecentral', 'francesouth', 'germanynorth', 'germanywestcentral', 'norwayeast',
    'norwaywest', 'switzerlandnorth', 'switzerlandwest', 'eastusstg', 'southcentralusstg',
  ]) t.ok(regions.includes(region), region)
  t.same(tags.filter(({ name, region }) => name.includes('.') && region === '').map(({ name }) => name).sort(), [
    'AzureActiveDirectory.ServiceEndpoint', 'AzureFrontDoor.Backend', 'AzureFrontDoor.FirstParty', 'AzureFrontDoor.Frontend',
    'AzureFrontDoor.MicrosoftSecurity', 'AzureMonitor.Core',
  ])
})

t.test('so many prefixes of published services are outside every region', { skip: missingFiles }, async (t) => {
  const world = readPublished(publishedFiles.public20251028)
  const unregional = listUnregionalBlocks(world, acr).map(({ text }) => text)
  t.equal(unregional.length, 81)
  t.ok(unregional.includes('9.205.35.64/26') && unregional.includes('13.87.32.27/32'))
  t.equal(listUnregionalBlocks(world, 'Storage').length, 38)
  t.equal(listUnregionalBlocks(readPublished(publishedFiles.government20260720), acr).length, 1)
})
