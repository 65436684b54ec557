import { once } from 'node:events'
import { lstat, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { NotAFileError, describeWriteFailure, replaceFile } from '../../../src/host/replace-file.ts'

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
