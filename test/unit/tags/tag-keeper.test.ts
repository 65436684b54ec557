import { execFile } from 'node:child_process'
import { copyFile, open, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { readTagFile } from '../../../src/tags/tag-file.ts'
import { type TagKeeper, type TagUpdate, createTagKeeper, tagUpdateResults } from '../../../src/tags/tag-keeper.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { type WrittenTags, writeTagFile } from '../../support/service-tags.ts'
import { missingFiles, publishedFiles } from '../../support/service-tag-files.ts'

const acr = 'AzureContainerRegistry'
const need = { cloud: 'Public', names: [acr, 'Storage'] }
const firstTags: WrittenTags = {
  [acr]: ['20.1.0.0/24', '20.1.1.0/24', '20.1.2.0/24', '20.1.3.0/24'],
  Storage: ['20.2.0.0/16'],
}
const first = writeTagFile(firstTags)
const second = writeTagFile({ ...firstTags, [acr]: ['20.1.0.0/24', '20.1.1.0/24', '20.1.2.0/24', '20.9.0.0/24'] })
const never = 3_600_000

interface Kept {
  readonly file: string
  readonly keeper: TagKeeper
  /** Looks twice, and gives what came of it. */
  lookTwice (): Promise<readonly TagUpdate[]>
  /** The prefixes of the registries' tag that are in force. */
  listBlocks (): readonly string[]
}

/** A keeper of a file that looks only when it is told to, unless an interval is given. */
async function keep (t: Test, file: string, intervalMs = never): Promise<Kept> {
  const reading = await readTagFile(file, need)
  if (!reading.ok) throw new Error(reading.message)
  const updates: TagUpdate[] = []
  const { tagFile } = reading
  const keeper = createTagKeeper({ tagFile, need, intervalMs, onUpdate: (update) => updates.push(update) })
  t.teardown(keeper.close)
  return {
    file,
    keeper,
    async lookTwice () {
      const before = updates.length
      await keeper.look()
      await keeper.look()
      return updates.slice(before)
    },
    listBlocks: () => keeper.current.serviceTags.find(acr)?.blocks.blocks.map(({ text }) => text) ?? [],
  }
}

async function keepText (t: Test, text = first): Promise<Kept> {
  return await keep(t, join(t.testdir({ 'tags.json': text }), 'tags.json'))
}

/** Sees that an update was not taken, that the first tags stay, and that the next good file is taken all the same. */
async function seeRefusal (t: Test, kept: Kept, result: 'refused' | 'missing', problem: RegExp): Promise<void> {
  const before = kept.keeper.current
  t.match(await kept.lookTwice(), [{ result, problem }])
  t.match(kept.keeper.problem, problem)
  t.match(kept.keeper.problem, /; \w+/, 'what is wrong; what to do')
  t.equal(kept.keeper.current, before)
  t.same(await kept.lookTwice(), [], 'it is told once')
  await rm(kept.file, { force: true })
  await writeFile(kept.file, second)
  t.match(await kept.lookTwice(), [{ result: 'applied' }])
  t.equal(kept.keeper.problem, undefined)
  t.ok(kept.listBlocks().includes('20.9.0.0/24'))
}

t.test('a pipe in the place of the file holds nothing up', async (t) => {
  const kept = await keepText(t)
  await rm(kept.file)
  await promisify(execFile)('mkfifo', [kept.file])
  await seeRefusal(t, kept, 'refused', /^is not an ordinary file; name one$/)
})

t.test('nothing is told after the end, also when the file was being read', async (t) => {
  const kept = await keepText(t)
  await writeFile(kept.file, second)
  await kept.keeper.look()
  const reading = kept.lookTwice()
  kept.keeper.close()
  t.same(await reading, [])
})

t.test('a new file is taken whole, with what has changed', async (t) => {
  const kept = await keepText(t)
  t.same(await kept.lookTwice(), [], 'the file that is known is no news')
  await writeFile(kept.file, second)
  const [update, ...more] = await kept.lookTwice()
  t.same(more, [])
  t.match(update, {
    result: 'applied',
    changes: [{ tag: acr, added: [{ text: '20.9.0.0/24' }], removed: [{ text: '20.1.3.0/24' }] }],
  })
  t.equal(update?.result === 'applied' && update.tagFile, kept.keeper.current)
  t.same(kept.listBlocks(), ['20.1.0.0/24', '20.1.1.0/24', '20.1.2.0/24', '20.9.0.0/24'])
  t.same(tagUpdateResults, ['applied', 'refused', 'missing'])
})

t.test('the same prefixes once more are taken for their age', async (t) => {
  const kept = await keepText(t)
  const later = new Date('2030-01-01T00:00:00Z')
  await writeFile(kept.file, writeTagFile(firstTags, 'Public', 376))
  await utimes(kept.file, later, later)
  t.match(await kept.lookTwice(), [{ result: 'applied', changes: [] }])
  t.equal(kept.keeper.current.datedAt, later.getTime())
  t.equal(kept.keeper.current.serviceTags.changeNumber, 376)
})

t.test('a change number that goes backwards is no hindrance', async (t) => {
  const kept = await keepText(t)
  await writeFile(kept.file, writeTagFile({ ...firstTags, Storage: ['20.2.0.0/15'] }, 'Public', 1))
  t.match(await kept.lookTwice(), [{ result: 'applied', changes: [{ tag: 'Storage' }] }])
})

t.test('a file that is read in the middle of its writing is refused, and taken when it is whole', async (t) => {
  const kept = await keepText(t)
  const handle = await open(kept.file, 'w')
  t.teardown(() => handle.close())
  await handle.write(second.slice(0, second.length / 2))
  t.match(await kept.lookTwice(), [{ result: 'refused', problem: /^is not JSON, or only a part of it; fetch it with/ }])
  t.equal(kept.listBlocks().length, 4)
  await handle.write(second.slice(second.length / 2))
  t.match(await kept.lookTwice(), [{ result: 'applied', changes: [{ tag: acr }] }])
  t.equal(kept.keeper.problem, undefined)
})

t.test('a file may be swapped by renaming, or through a link', async (t) => {
  const folder = t.testdir({
    'ServiceTags_Public_20251020.json': first,
    'ServiceTags_Public_20251028.json': second,
    'tags.json': t.fixture('symlink', 'ServiceTags_Public_20251020.json'),
  })
  const kept = await keep(t, join(folder, 'tags.json'))
  t.equal(kept.keeper.current.datedAt, Date.UTC(2025, 9, 20))
  await symlink('ServiceTags_Public_20251028.json', join(folder, 'new'))
  await rename(join(folder, 'new'), kept.file)
  t.match(await kept.lookTwice(), [{ result: 'applied', changes: [{ tag: acr }] }])
  t.equal(kept.keeper.current.datedAt, Date.UTC(2025, 9, 28))
  await rename(join(folder, 'ServiceTags_Public_20251020.json'), kept.file)
  t.match(await kept.lookTwice(), [{ result: 'applied', changes: [{ tag: acr }] }])
  t.ok(kept.listBlocks().includes('20.1.3.0/24'))
})

t.test('a file that is gone is missed, and what was in it stays', async (t) => {
  const kept = await keepText(t)
  await rm(kept.file)
  await seeRefusal(t, kept, 'missing', /^does not exist; see that the path is right$/)
})

t.test('a link to nowhere is a file that is gone', async (t) => {
  const kept = await keepText(t)
  await rm(kept.file)
  await symlink('nowhere', kept.file)
  await seeRefusal(t, kept, 'missing', /^does not exist; see/)
})

/** Each is what a file may become, and what is said of it. */
const refused: Record<string, readonly [text: string, problem: RegExp]> = {
  'an empty file': ['', /^is not JSON, or only a part of it; fetch/],
  'an answer that was no file': ['<html>Sign in</html>', /^is not JSON, or only a part of it; fetch/],
  'other JSON': ['{"error": "not found"}', /^is JSON, but has no cloud and values .*; fetch/],
  'a file of another cloud': [writeTagFile(firstTags, 'AzureGovernment'), /^is for the cloud AzureGovernment, and the registries are in Public; fetch/],
  'a file that empties a tag in use': [writeTagFile({ ...firstTags, Storage: [] }), /^has no prefixes for Storage; fetch/],
  'a file without a tag in use': [writeTagFile({ Storage: ['20.2.0.0/16'] }), /^has no prefixes for AzureContainerRegistry; fetch/],
  'a file with a bad prefix': [first.replace('20.1.3.0/24', '20.1.3.0/23'), /^has "20\.1\.3\.0\/23" in the tag AzureContainerRegistry, which is no prefix; fetch/],
  'a file with a list in place of a prefix': [
    first.replace('"20.1.3.0/24"', `${'['.repeat(100_000)}${']'.repeat(100_000)}`), /^has a prefix in the tag AzureContainerRegistry that is no text; fetch/,
  ],
  'a file that takes more than a quarter away': [
    writeTagFile({ ...firstTags, [acr]: ['20.1.0.0/24', '20.1.1.0/24'] }),
    /^takes away 2 of the 4 prefixes of AzureContainerRegistry; if that is right, restart the gateway/,
  ],
}
for (const [name, [text, problem]] of Object.entries(refused)) {
  t.test(`${name} is refused, what was before stays, and a good one is taken later`, async (t) => {
    const kept = await keepText(t)
    await writeFile(kept.file, text)
    await seeRefusal(t, kept, 'refused', problem)
  })
}

t.test('the old file put back after a bad one is taken, without a change', async (t) => {
  const kept = await keepText(t)
  await copyFile(kept.file, `${kept.file}.old`)
  await writeFile(kept.file, 'bad')
  t.match(await kept.lookTwice(), [{ result: 'refused' }])
  await rename(`${kept.file}.old`, kept.file)
  t.match(await kept.lookTwice(), [{ result: 'applied', changes: [] }])
  t.equal(kept.keeper.problem, undefined)
})

t.test('losses are counted from what is in force, not from what was refused', async (t) => {
  const kept = await keepText(t)
  const shrink = (count: number): string => writeTagFile({ ...firstTags, [acr]: firstTags[acr]?.slice(0, count) ?? [] })
  for (const count of [2, 1]) {
    await writeFile(kept.file, shrink(count))
    t.match(await kept.lookTwice(), [{ result: 'refused', problem: new RegExp(`^takes away ${4 - count} of the 4`) }])
  }
  await writeFile(kept.file, shrink(3))
  t.match(await kept.lookTwice(), [{ result: 'applied', changes: [{ removed: [{ text: '20.1.3.0/24' }] }] }])
})

t.test('it looks by itself, and after its end takes nothing more', async (t) => {
  const file = join(t.testdir({ 'tags.json': first }), 'tags.json')
  const { keeper, lookTwice } = await keep(t, file, 5)
  await writeFile(file, second)
  await waitUntil(() => keeper.current.serviceTags.find(acr)?.blocks.blocks.at(-1)?.text === '20.9.0.0/24', 'the new file')
  const kept = await keepText(t)
  await writeFile(kept.file, second)
  await kept.keeper.look()
  const looking = kept.keeper.look()
  kept.keeper.close()
  await looking
  t.ok(kept.listBlocks().includes('20.1.3.0/24'), 'nor what it was about to read')
  keeper.close()
  await writeFile(file, 'bad')
  t.same(await lookTwice(), [])
})

t.test('a week of published changes is taken, and half of a file is not', { skip: missingFiles }, async (t) => {
  const file = join(t.testdir({}), 'tags.json')
  await copyFile(publishedFiles.public20250714, file)
  const kept = await keep(t, file)
  t.equal(kept.listBlocks().length, 1128)
  await copyFile(publishedFiles.public20250721, file)
  const [update] = await kept.lookTwice()
  t.equal(update?.result, 'applied')
  t.same(update?.result === 'applied' && update.changes.map(({ tag, added, removed }) => [tag, added.length, removed.length]), [
    [acr, 8, 4], ['Storage', 2, 3],
  ])
  const whole = await readFile(publishedFiles.public20251028)
  await writeFile(file, whole.subarray(0, whole.length / 2))
  t.match(await kept.lookTwice(), [{ result: 'refused' }])
  t.equal(kept.listBlocks().length, 1132)
  await writeFile(file, whole)
  t.match(await kept.lookTwice(), [{ result: 'applied' }])
  t.equal(kept.listBlocks().length, 1146)
})
