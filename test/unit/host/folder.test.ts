import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { makeFolder } from '../../../src/host/folder.ts'

t.test('a folder is made with those above it, and what is there stays as it is', async (t) => {
  const folder = t.testdir()
  await mkdir(join(folder, 'there'), { mode: 0o755 })
  await makeFolder(join(folder, 'there/a/b'), 0o700)
  await makeFolder(join(folder, 'there/a/b'), 0o755)
  for (const [name, mode] of [['there', 0o755], ['there/a', 0o700], ['there/a/b', 0o700]] as const) {
    t.equal((await stat(join(folder, name))).mode & 0o777, mode, name)
  }
})

t.test('where nothing can be made it rejects with the system\'s error', async (t) => {
  const folder = t.testdir()
  await writeFile(join(folder, 'file'), '')
  await t.rejects(makeFolder(join(folder, 'file/a'), 0o755), { code: 'ENOTDIR' })
  await t.rejects(makeFolder('/proc/none/a/b', 0o755), { code: 'ENOENT' })
})
