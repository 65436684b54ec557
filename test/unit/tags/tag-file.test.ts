import { rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { readStamp } from '../../../src/host/text-file.ts'
import { readAnyTagFile, readTagFile } from '../../../src/tags/tag-file.ts'
import { writeTagFile } from '../../support/service-tags.ts'
import { missingFiles, publishedFiles } from '../../support/service-tag-files.ts'

const acr = 'AzureContainerRegistry'
const need = { cloud: 'Public', names: [acr, 'Storage'] }
const good = writeTagFile({ [acr]: ['20.1.0.0/24'], Storage: ['20.2.0.0/16'], Sql: ['20.3.0.0/16'] })
const advice = 'fetch it with acr-egress tags refresh, or from Microsoft\'s download page for this cloud'

/** When a file is dated, in the form of a day or a time. */
async function readDate (file: string): Promise<string> {
  const reading = await readTagFile(file, need)
  return reading.ok ? new Date(reading.tagFile.datedAt).toISOString() : reading.message
}

t.test('a file is read with the tags that are needed, however they are written, and with no others', async (t) => {
  const file = join(t.testdir({ 'tags.json': good }), 'tags.json')
  const reading = await readTagFile(file, { cloud: 'Public', names: ['azurecontainerregistry', 'STORAGE'] })
  t.match(reading, { ok: true, tagFile: { file, stamp: await readStamp(file), serviceTags: { cloud: 'Public' } } })
  t.same(reading.ok && reading.tagFile.serviceTags.tags.map(({ name }) => name), [acr, 'Storage'])
  t.ok(reading.ok && Object.isFrozen(reading.tagFile))
  const any = await readAnyTagFile(file, (name) => name === 'Sql')
  t.same(any.ok && any.tagFile.serviceTags.tags.map(({ name }) => name), ['Sql'])
})

t.test('a byte order mark and CRLF are no hindrance', async (t) => {
  const file = join(t.testdir({ 'tags.json': `\ufeff${good.replaceAll('\n', '\r\n')}` }), 'tags.json')
  t.match(await readTagFile(file, need), { ok: true })
})

t.test('a file is of the day in its name, and otherwise of the time when it was written', async (t) => {
  const folder = t.testdir({})
  const written = '2026-11-24T10:00:00.000Z'
  const table = [
    ['ServiceTags_Public_20251028.json', '2025-10-28T00:00:00.000Z'],
    ['mine_20240229.json', '2024-02-29T00:00:00.000Z'],
    ['ServiceTags_Public.json', written],
    ['ServiceTags_Public_20251399.json', written],
    ['ServiceTags_Public_2025102.json', written],
    ['ServiceTags_Public_20251028.json.new', written],
    ['20251028.json', written],
    ['tags.json', written],
  ] as const
  for (const [name, date] of table) {
    const file = join(folder, name)
    await writeFile(file, good)
    await utimes(file, new Date(written), new Date(written))
    t.equal(await readDate(file), date, name)
  }
})

t.test('behind a link it is the name of the file itself that counts', async (t) => {
  const folder = t.testdir({
    kept: { 'ServiceTags_Public_20251028.json': good, 'tags.json': good },
    'tags.json': t.fixture('symlink', 'kept/ServiceTags_Public_20251028.json'),
    'ServiceTags_Public_20200101.json': t.fixture('symlink', 'kept/tags.json'),
    'chain.json': t.fixture('symlink', 'tags.json'),
  })
  const written = '2026-11-24T10:00:00.000Z'
  await utimes(join(folder, 'kept/tags.json'), new Date(written), new Date(written))
  t.equal(await readDate(join(folder, 'tags.json')), '2025-10-28T00:00:00.000Z')
  t.equal(await readDate(join(folder, 'chain.json')), '2025-10-28T00:00:00.000Z')
  t.equal(await readDate(join(folder, 'ServiceTags_Public_20200101.json')), written)
  await rename(join(folder, 'kept/ServiceTags_Public_20251028.json'), join(folder, 'kept/ServiceTags_Public_20251103.json'))
  await rm(join(folder, 'tags.json'))
  await symlink('kept/ServiceTags_Public_20251103.json', join(folder, 'tags.json'))
  t.equal(await readDate(join(folder, 'chain.json')), '2025-11-03T00:00:00.000Z')
})

t.test('a file that cannot serve is refused with what to do', async (t) => {
  const folder = t.testdir({})
  const file = join(folder, 'tags.json')
  const table: ReadonlyArray<readonly [text: string, problem: string]> = [
    ['', `is not JSON, or only a part of it; ${advice}`],
    [good.slice(0, -2), `is not JSON, or only a part of it; ${advice}`],
    ['[]', `is JSON, but has no cloud and values as a file of service tags has; ${advice}`],
    [good.replace('20.1.0.0/24', '20.1.0.1/24'), `has "20.1.0.1/24" in the tag ${acr}, which is no prefix; ${advice}`],
    [writeTagFile({ [acr]: ['20.1.0.0/24'], Storage: ['20.2.0.0/16'] }, 'China'), `is for the cloud China, and the registries are in Public; ${advice}`],
    [writeTagFile({ [acr]: ['20.1.0.0/24'] }), `has no prefixes for Storage; ${advice}`],
    [writeTagFile({ [acr]: [], Storage: [] }), `has no prefixes for ${acr}, Storage; ${advice}`],
  ]
  for (const [text, message] of table) {
    await writeFile(file, text)
    t.same(await readTagFile(file, need), { ok: false, isAbsent: false, message })
  }
  await writeFile(file, good.replace('20.3.0.0/16', 'nonsense'))
  t.match(await readTagFile(file, need), { ok: true }, 'what is not needed is not looked at')
})

t.test('what is no file that can be read is told as what it is', async (t) => {
  const folder = t.testdir({ 'huge.json': '' })
  await truncate(join(folder, 'huge.json'), 32 * 1024 * 1024 + 1)
  t.match(await readTagFile(join(folder, 'absent.json'), need), { ok: false, isAbsent: true, message: /^does not exist; see/ })
  t.match(await readTagFile(folder, need), { ok: false, isAbsent: false, message: /^is a directory; name/ })
  t.match(await readTagFile(join(folder, 'huge.json'), need), { ok: false, isAbsent: false, message: /^is longer than 32768 KiB; see/ })
})

t.test('each published file serves for its own cloud and for no other', { skip: missingFiles }, async (t) => {
  const dates = ['2025-07-14', '2025-07-21', '2025-10-28', '2026-07-20']
  for (const [index, file] of Object.values(publishedFiles).entries()) {
    const isPublic = file.includes('Public')
    const clouds = isPublic ? ['Public', 'AzureGovernment'] : ['AzureGovernment', 'Public']
    const [own, other] = await Promise.all(clouds.map((cloud) => readTagFile(file, { ...need, cloud })))
    t.match(own, { ok: true, tagFile: { datedAt: Date.parse(dates[index] ?? ''), serviceTags: { cloud: clouds[0] } } })
    t.match(other, { ok: false, message: /^is for the cloud \w+, and the registries are in \w+; fetch it with/ })
  }
})
