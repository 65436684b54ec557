import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { readSecretFile } from '../../../src/host/secret-file.ts'

t.test('a secret is what stands in its file, without one newline at the end', async (t) => {
  const files = { plain: 'a b:ü', newline: 'secret\n', windows: 'secret\r\n', spaces: ' secret ' }
  const folder = t.testdir(files)
  const secrets: Record<keyof typeof files, string> = { plain: 'a b:ü', newline: 'secret', windows: 'secret', spaces: ' secret ' }
  for (const [name, secret] of Object.entries(secrets)) {
    for (const mode of [0o600, 0o640]) {
      await chmod(join(folder, name), mode)
      t.same(await readSecretFile(join(folder, name)), { ok: true, secret }, name)
    }
  }
})

t.test('a file that others may read, or that holds no secret, is refused, with what to do and without the secret', async (t) => {
  const folder = t.testdir({ open: 'secret', empty: '', newline: '\n', lines: 'secret\n\n', long: 's'.repeat(70_000), folder: {} })
  const table: ReadonlyArray<readonly [name: string, mode: number, message: RegExp]> = [
    ['open', 0o604, /^may be read by others; write chmod 600 .*\/open$/], ['open', 0o602, /others/],
    ['empty', 0o600, /^is empty; write/], ['newline', 0o600, /^is empty; write/], ['lines', 0o600, /^has several lines; write/],
    ['long', 0o600, /^is longer than 64 KiB/], ['none', 0, /^does not exist/], ['folder', 0o700, /^is a directory/],
  ]
  for (const [name, mode, message] of table) {
    if (mode > 0) await chmod(join(folder, name), mode)
    const read = await readSecretFile(join(folder, name))
    t.match(read, { ok: false, message }, name)
    t.notMatch(JSON.stringify(read), /secret"|secret\\n/)
  }
})
