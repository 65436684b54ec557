import { once } from 'node:events'
import { chmod, chown, lstat, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { NotAFileError, describeWriteFailure, replaceFile, replaceFiles } from '../../../src/host/replace-file.ts'

t.test('a file is replaced whole, and its permissions stay', async (t) => {
  const folder = t.testdir({ file: 'old' })
  const file = join(folder, 'file')
  await writeFile(join(folder, 'secret'), 'old', { mode: 0o600 })
  await replaceFile(file, 'new')
  await replaceFile(join(folder, 'secret'), 'new')
  await replaceFile(join(folder, 'fresh'), Buffer.from('new'), 0o640)
  for (const [name, mode] of [['secret', 0o600], ['fresh', 0o640]] as const) {
    t.equal((await stat(join(folder, name))).mode & 0o777, mode)
    t.equal(await readFile(join(folder, name), 'utf8'), 'new')
  }
  t.strictSame((await readdir(folder)).sort(), ['file', 'fresh', 'secret'])
})

t.test('a secret is its owner\'s, and its group\'s if that was so', async (t) => {
  const folder = t.testdir({})
  const table = [[0o644, 0o640], [0o640, 0o640], [0o600, 0o600], [0o777, 0o770], [undefined, 0o600]] as const
  for (const [index, [before, after]] of table.entries()) {
    const file = join(folder, String(index))
    if (before !== undefined) {
      await writeFile(file, 'old')
      await chmod(file, before)
    }
    await replaceFiles([{ file, content: 'new', isSecret: true }])
    t.equal((await stat(file)).mode & 0o777, after)
    t.equal(await readFile(file, 'utf8'), 'new')
  }
})

t.test('who may give files away leaves a file to its owner', {
  skip: process.getuid?.() === 0 ? false : 'only root may give files away',
}, async (t) => {
  const folder = t.testdir({ file: 'old', secret: 'old' })
  for (const name of ['file', 'secret']) await chown(join(folder, name), 65_534, 65_533)
  await replaceFile(join(folder, 'file'), 'new')
  await replaceFiles([{ file: join(folder, 'secret'), content: 'new', isSecret: true }])
  for (const name of ['file', 'secret']) t.match(await stat(join(folder, name)), { uid: 65_534, gid: 65_533 })
})

t.test('through a link the file behind it is replaced', async (t) => {
  const folder = t.testdir({ there: { file: 'old' } })
  await symlink('there/file', join(folder, 'link'))
  await replaceFile(join(folder, 'link'), 'new')
  t.ok((await lstat(join(folder, 'link'))).isSymbolicLink())
  t.equal(await readFile(join(folder, 'there/file'), 'utf8'), 'new')
})

t.test('a failure leaves what was there, and nothing else', async (t) => {
  const folder = t.testdir({ taken: { inside: '' } })
  await t.rejects(replaceFile(join(folder, 'no/file'), 'new'), { code: 'ENOENT' })
  await t.rejects(replaceFile(join(folder, 'taken'), 'new'), { code: 'EISDIR' })
  t.strictSame(await readdir(folder), ['taken'])
})

t.test('of files that go together none is replaced when one cannot be written', async (t) => {
  const folder = t.testdir({ key: 'old', certificate: 'old' })
  const files = ['key', 'certificate', 'no/file'].map((name) => ({ file: join(folder, name), content: 'new' }))
  await t.rejects(replaceFiles(files), { code: 'ENOENT' })
  t.strictSame(await readdir(folder), ['certificate', 'key'])
  for (const name of ['key', 'certificate']) t.equal(await readFile(join(folder, name), 'utf8'), 'old')
  await replaceFiles(files.slice(0, 2))
  for (const name of ['key', 'certificate']) t.equal(await readFile(join(folder, name), 'utf8'), 'new')
})

t.test('what is no file stays what it is', async (t) => {
  const folder = t.testdir({})
  const socket = createServer().listen(join(folder, 'socket'))
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  await symlink('socket', join(folder, 'link'))
  for (const name of ['socket', 'link']) {
    const error: unknown = await replaceFile(join(folder, name), 'new').catch((reason: unknown) => reason)
    t.type(error, NotAFileError)
    t.match(describeWriteFailure(error), /; write the path of a file$/)
    t.ok((await stat(join(folder, name))).isSocket())
  }
  t.strictSame((await readdir(folder)).sort(), ['link', 'socket'])
})
