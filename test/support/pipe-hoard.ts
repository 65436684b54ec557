import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { cleanEnvironment } from './daemon.ts'

const libcModule = fileURLToPath(new URL('../../dist/host/libc.js', import.meta.url))
const hoard = `
const { loadLibc } = await import(process.argv[1])
const { libc } = loadLibc()
const ends = new Int32Array(2)
for (let left = Number(process.argv[2]); left > 0; left--) {
  libc.pipe(ends)
  if (libc.setPipeSize(ends[1], 1048576) < 1048576) throw new Error('no pipe')
}
console.log('held')
setInterval(() => {}, 1000)
`

/** A process that holds so many pipes of 1 MiB until the test ends, as the user that `wrapper` makes it. */
export async function startPipeHoard (t: Test, pipes: number, wrapper: readonly string[]): Promise<void> {
  const [program = '', ...words] = [...wrapper, 'env', '-u', 'NODE_OPTIONS', process.execPath]
  const child = spawn(program, [...words, '--input-type=module', '-e', hoard, '--', libcModule, String(pipes)], {
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => { child.kill() })
  await once(child.stdout, 'data')
}
