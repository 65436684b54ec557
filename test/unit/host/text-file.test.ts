import { execFile } from 'node:child_process'
import { chmod, rename, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { absentStamp, readStamp, readTextFile } from '../../../src/host/text-file.ts'

const maxBytes = 2048

t.test('a file is read with what is known of it', async (t) => {
  const file = join(t.testdir({ 'a.txt': 'grün 💡\r\n\0' }), 'a.txt')
  await chmod(file, 0o640)
  await utimes(file, 1_700_000_000, 1_700_000_000)
  t.same(await readTextFile(file, maxBytes), {
    ok: true,
    text: 'grün 💡\r\n\0',
    mode: 0o640,
    stamp: await readStamp(file),
    writtenAt: 1_700_000_000_000,
  })
})

t.test('a byte order mark is dropped, once and at the beginning only', async (t) => {
  const folder = t.testdir({ one: '\ufeff{}', two: '\ufeff\ufeff{}', later: '{}\ufeff', empty: '' })
  for (const [name, text] of [['one', '{}'], ['two', '\ufeff{}'], ['later', '{}\ufeff'], ['empty', '']] as const) {
    t.match(await readTextFile(join(folder, name), maxBytes), { ok: true, text }, name)
  }
})

t.test('a file may be as long as it is allowed to be, and no longer', async (t) => {
  const file = join(t.testdir({ a: 'x'.repeat(maxBytes) }), 'a')
  t.match(await readTextFile(file, maxBytes), { ok: true, text: /^x{2048}$/ })
  await writeFile(file, 'x'.repeat(maxBytes + 1))
  t.same(await readTextFile(file, maxBytes), {
    ok: false, isAbsent: false, isBinary: false, message: 'is longer than 2 KiB; see that it is the right file',
  })
  await truncate(file, 2 ** 40)
  t.match(await readTextFile(file, maxBytes), { message: /^is longer/ }, 'however long it is')
})

t.test('what is no text, no file, or not there is told apart, with what to do', async (t) => {
  const folder = t.testdir({ binary: Buffer.of(0x7b, 0xff), cut: Buffer.from('ü').subarray(0, 1), plain: '', loop: t.fixture('symlink', 'loop'), dangling: t.fixture('symlink', 'nowhere') })
  const table: ReadonlyArray<readonly [file: string, isAbsent: boolean, message: RegExp]> = [
    [join(folder, 'binary'), false, /^is not UTF-8 text; save it as UTF-8$/],
    [join(folder, 'cut'), false, /^is not UTF-8 text;/],
    [folder, false, /^is a directory; name a file in it$/],
    ['/dev/zero', false, /^is not an ordinary file; name one$/],
    [join(folder, 'loop'), false, /^cannot be read \(ELOOP\); see/],
    [join(folder, 'x'.repeat(300)), false, /^cannot be read \(ENAMETOOLONG\); see/],
    [`${folder}/\0`, false, /^cannot be read \(ERR_INVALID_ARG_VALUE\); see/],
    [join(folder, 'dangling'), true, /^does not exist; see that the path is right$/],
    [join(folder, 'absent'), true, /^does not exist;/],
    [join(folder, 'plain/file'), true, /^does not exist;/],
  ]
  for (const [file, isAbsent, message] of table) {
    const isBinary = message.source.includes('UTF-8')
    t.match(await readTextFile(file, maxBytes), { ok: false, isAbsent, isBinary, message }, file.slice(folder.length))
  }
})

t.test('a file that may not be read is no absent one', async (t) => {
  const file = join(t.testdir({ a: 'x' }), 'a')
  await chmod(file, 0)
  // Root may read everything, so that it has to be somebody else for a moment.
  const isRoot = process.geteuid?.() === 0
  if (isRoot) process.seteuid?.(65534)
  const reading = await readTextFile(file, maxBytes)
  if (isRoot) process.seteuid?.(0)
  t.match(reading, { ok: false, isAbsent: false, message: /^may not be read by this user; give the user/ })
})

t.test('a pipe is read to its end', async (t) => {
  const folder = t.testdir({})
  const pipe = join(folder, 'pipe')
  await promisify(execFile)('mkfifo', [pipe])
  const [reading] = await Promise.all([readTextFile(pipe, maxBytes), writeFile(pipe, 'through a pipe')])
  t.match(reading, { ok: true, text: 'through a pipe' })
})

t.test('a stamp stays as long as the file does, and changes with whatever is written, put in its place, or let read it', async (t) => {
  const folder = t.testdir({ a: 'first', other: 'first', link: t.fixture('symlink', 'a') })
  const file = join(folder, 'a')
  const stamps = [await readStamp(file)]
  t.equal(await readStamp(file), stamps[0])
  t.equal(await readStamp(join(folder, 'link')), stamps[0], 'of the file, not of the link')
  await chmod(file, 0o600)
  stamps.push(await readStamp(file))
  await writeFile(file, 'longer')
  stamps.push(await readStamp(file))
  await utimes(file, 1_700_000_000, 1_700_000_000)
  stamps.push(await readStamp(file))
  await utimes(join(folder, 'other'), 1_700_000_000, 1_700_000_000)
  await writeFile(join(folder, 'other'), 'longer')
  await utimes(join(folder, 'other'), 1_700_000_000, 1_700_000_000)
  await rename(join(folder, 'other'), file)
  stamps.push(await readStamp(file))
  await rename(file, join(folder, 'away'))
  t.equal(await readStamp(file), absentStamp)
  t.equal(await readStamp(join(folder, 'link')), absentStamp, 'a link to nowhere')
  await symlink('away', file)
  t.equal(await readStamp(file), stamps[4], 'the same file at another place')
  t.equal(new Set(stamps).size, 5)
})
