import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { watchFiles } from '../../../src/host/file-watch.ts'
import { absentStamp, readStamp } from '../../../src/host/text-file.ts'
import { waitUntil } from '../../support/wait-until.ts'

const never = 3_600_000

/** A watch that looks only when it is told to, and what it has told of. */
async function watch (t: Test, file: string, onChange = async (): Promise<void> => {}) {
  const told: string[] = []
  const { look, close } = watchFiles({
    files: [{ file, stamp: await readStamp(file) }],
    intervalMs: never,
    onChange: async () => {
      told.push(await readStamp(file))
      await onChange()
    },
  })
  t.teardown(close)
  return { told, look }
}

/** Looks twice, and gives what was told of meanwhile. */
async function lookTwice ({ told, look }: Awaited<ReturnType<typeof watch>>): Promise<string[]> {
  const before = told.length
  await look()
  await look()
  return told.slice(before)
}

t.test('a file that stays as it is is not told of', async (t) => {
  const file = join(t.testdir({ a: 'first' }), 'a')
  const watched = await watch(t, file)
  t.same(await lookTwice(watched), [])
  t.same(await lookTwice(watched), [])
})

t.test('a file written in place is told of at the second look, once', async (t) => {
  const file = join(t.testdir({ a: 'first' }), 'a')
  const watched = await watch(t, file)
  await writeFile(file, 'the second')
  await watched.look()
  t.same(watched.told, [], 'it may still be being written')
  await watched.look()
  t.same(watched.told, [await readStamp(file)])
  t.same(await lookTwice(watched), [])
})

t.test('a file renamed over is told of', async (t) => {
  const folder = t.testdir({ a: 'first', b: 'other' })
  const watched = await watch(t, join(folder, 'a'))
  await rename(join(folder, 'b'), join(folder, 'a'))
  t.same(await lookTwice(watched), [await readStamp(join(folder, 'a'))])
})

t.test('a file behind a link that is swapped, as Kubernetes does it, is told of', async (t) => {
  const folder = t.testdir({
    '..2026_11_24': { 'tags.json': 'same' },
    '..2026_11_25': { 'tags.json': 'same' },
    '..data': t.fixture('symlink', '..2026_11_24'),
    'tags.json': t.fixture('symlink', '..data/tags.json'),
  })
  const watched = await watch(t, join(folder, 'tags.json'))
  t.same(await lookTwice(watched), [])
  await symlink('..2026_11_25', join(folder, '..data_tmp'))
  await rename(join(folder, '..data_tmp'), join(folder, '..data'))
  await rm(join(folder, '..2026_11_24'), { recursive: true })
  t.same(await lookTwice(watched), [await readStamp(join(folder, '..2026_11_25/tags.json'))])
})

t.test('a file that goes and comes back is told of both times, even as it was', async (t) => {
  const folder = t.testdir({ a: 'first' })
  const file = join(folder, 'a')
  const stamp = await readStamp(file)
  const watched = await watch(t, file)
  await rename(file, join(folder, 'away'))
  t.same(await lookTwice(watched), [absentStamp])
  t.same(await lookTwice(watched), [])
  await rename(join(folder, 'away'), file)
  t.same(await lookTwice(watched), [stamp])
})

t.test('a file that was not there, and a folder in its place, are states like others', async (t) => {
  const file = join(t.testdir({}), 'a')
  const watched = await watch(t, file)
  t.same(await lookTwice(watched), [])
  await mkdir(file)
  t.same(await lookTwice(watched), [await readStamp(file)])
})

t.test('a state that lasts for one look only is not told of', async (t) => {
  const folder = t.testdir({ a: 'first', b: 'other' })
  const file = join(folder, 'a')
  const watched = await watch(t, file)
  for (const text of ['1', '22', '333', '4444']) {
    await writeFile(file, text)
    await watched.look()
  }
  t.same(watched.told, [])
  await watched.look()
  t.same(watched.told, [await readStamp(file)], 'the last one stays')
})

t.test('a file that is back as it was before anybody was told, has not changed', async (t) => {
  const folder = t.testdir({ a: 'first' })
  const file = join(folder, 'a')
  const watched = await watch(t, file)
  await rename(file, join(folder, 'away'))
  await watched.look()
  await rename(join(folder, 'away'), file)
  t.same(await lookTwice(watched), [])
})

t.test('there is one look at a time, and it lasts until what it told of has been seen to', async (t) => {
  const file = join(t.testdir({ a: 'first' }), 'a')
  let finish = (): void => {}
  const seeing = new Promise<void>((resolve) => { finish = resolve })
  const watched = await watch(t, file, () => seeing)
  await writeFile(file, 'the second')
  await watched.look()
  let ended = 0
  const looks = [1, 2, 3].map(() => watched.look().then(() => { ended++ }))
  await waitUntil(() => watched.told.length === 1, 'the change to be told of')
  await writeFile(file, 'and the third')
  looks.push(watched.look().then(() => { ended++ }))
  t.equal(ended, 0)
  finish()
  await Promise.all(looks)
  t.equal(ended, 4)
  t.equal(watched.told.length, 1, 'what changed meanwhile is for the next look')
  t.same(await lookTwice(watched), [await readStamp(file)])
})

t.test('it looks by itself until it is closed', async (t) => {
  const file = join(t.testdir({ a: 'first' }), 'a')
  const told: string[] = []
  const { close, look } = watchFiles({
    files: [{ file, stamp: await readStamp(file) }],
    intervalMs: 2,
    onChange: async () => { told.push(await readStamp(file)) },
  })
  t.teardown(close)
  await writeFile(file, 'the second')
  await waitUntil(() => told.length === 1, 'the change to be told of')
  close()
  await writeFile(file, 'and the third')
  await look()
  await look()
  t.equal(told.length, 1, 'nothing is told any more')
})

t.test('of several files, a state is told of when all of them are still', async (t) => {
  const folder = t.testdir({ a: 'first', b: 'first' })
  const [a, b] = [join(folder, 'a'), join(folder, 'b')]
  const files = await Promise.all([a, b].map(async (file) => ({ file, stamp: await readStamp(file) })))
  let told = 0
  const { look, close } = watchFiles({ files, intervalMs: never, onChange: async () => { told++ } })
  t.teardown(close)
  await writeFile(a, 'the second')
  await look()
  await writeFile(b, 'the second')
  await look()
  t.equal(told, 0, 'the other one has only just changed')
  await look()
  await look()
  t.equal(told, 1)
})

t.test('what was told of is told of again when asked for, once', async (t) => {
  const file = join(t.testdir({ a: 'first' }), 'a')
  let told = 0
  const { look, close, tellAgain } = watchFiles({
    files: [{ file, stamp: await readStamp(file) }],
    intervalMs: never,
    onChange: async () => {
      told++
      if (told === 1) tellAgain()
    },
  })
  t.teardown(close)
  await writeFile(file, 'the second')
  await look()
  await look()
  t.equal(told, 1)
  await look()
  await look()
  t.equal(told, 2)
})
