import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { type Configuration } from '../../../src/config/configuration.ts'
import { createJsonSchema, listKeys } from '../../../src/config/key-list.ts'
import { loadConfiguration } from '../../../src/config/load.ts'
import { createReference } from '../../../src/config/reference.ts'

const root = new URL('../../../', import.meta.url)
const example = await readFile(new URL('config/example.yaml', root), 'utf8')

async function load (text: string): Promise<Configuration> {
  const folder = await mkdtemp(join(tmpdir(), 'acr-egress-'))
  t.teardown(async () => { await rm(folder, { recursive: true }) })
  await writeFile(join(folder, 'config.yaml'), text)
  const result = await loadConfiguration({ file: join(folder, 'config.yaml') })
  t.match(result, { ok: true })
  if (!result.ok) throw new Error('the example is refused')
  // The file of service tags is not there, so that the keys beside it have no effect.
  t.same(result.warnings.filter(({ key }) => !key.startsWith('addresses.')), [])
  return result.configuration
}

t.test('config/schema.json is what the schema says; if not, npm run generate', async (t) => {
  t.same(JSON.parse(await readFile(new URL('config/schema.json', root), 'utf8')), JSON.parse(JSON.stringify(createJsonSchema())))
})

t.test('docs/configuration.md is what the schema says; if not, npm run generate', async (t) => {
  t.equal(await readFile(new URL('docs/configuration.md', root), 'utf8'), createReference())
})

t.test('the reference page has a row for each key that holds a value, and each row a meaning', async (t) => {
  const page = createReference()
  const keys = listKeys()
  for (const { path, description } of keys) {
    t.not(description, '', path)
    const isSection = keys.some((other) => other.path.startsWith(`${path}.`) || other.path.startsWith(`${path}[]`))
    if (!isSection) t.ok(page.includes(`| \`${path}\` |`), path)
  }
})

t.test('the example loads, and what is commented out in it is the default', async (t) => {
  // A # before a key, or before two spaces, hides a setting; a # and one space begin a remark.
  const withDefaults = example.replace(/^( *)#(?=[a-z]| {2})/gm, '$1')
  t.not(withDefaults, example)
  // Of a section that is absent unless it is written, the defaults are no part of the file.
  const inForce = listKeys().filter(({ path, default: value }) => value !== undefined && !path.startsWith('upstreamProxy.'))
  for (const key of inForce) {
    const name = key.path.split('.').at(-1) ?? ''
    t.match(withDefaults, new RegExp(`^ *${name}: `, 'm'), `${key.path} is shown at its default`)
  }
  t.same(await load(withDefaults), await load(example))
})

t.test('the examples in the example are good too, and with them it shows every key', async (t) => {
  const uncomment = (text: string) => text.replace(/^( *)#(?=[a-z#]| {2})/gm, '$1')
  const everything = uncomment(uncomment(uncomment(example)))
    // The certificates are nobody's.
    .replace(/^( *)tls:\n(?:\1 .*\n)+/m, (block) => block.replace(/^/gm, '# '))
    // And these files are not here.
    .replace(/^( *)((?:serviceTagsFile|passwordFile): .*)$/gm, '$1# $2')
  for (const { path } of listKeys()) t.match(everything, new RegExp(`\\b${path.split('.').at(-1)?.replace('[]', '') ?? ''}:`), path)
  const configuration = await load(everything)
  t.equal(configuration.dns.servers?.length, 2)
  t.equal(configuration.dns.hosts.size, 1)
  t.same(configuration.extraHosts, ['packages.example.com'])
})
