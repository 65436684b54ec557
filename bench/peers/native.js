import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from './peer.js'

/**
 * A program of `native/`, compiled once, when it is first asked for. `missing` says why that does not work; the
 * `binary` goes when this process ends.
 */
export function describeNative (name, { libraries = [], packages }) {
  const source = new URL(`../native/${name}.c`, import.meta.url).pathname
  const binary = join(tmpdir(), `acr-egress-bench-${name}-${process.pid}`)
  let outcome

  function compile () {
    if (findProgram('cc') === undefined) return `no C compiler (Debian: ${packages})`
    process.once('exit', () => { rmSync(binary, { force: true }) })
    const args = ['-O2', '-o', binary, source, ...libraries.map((library) => `-l${library}`)]
    const { status, stderr } = spawnSync('cc', args, { encoding: 'utf8', timeout: 60_000 })
    if (status !== 0) return `cc failed (Debian: ${packages}): ${(stderr ?? '').split('\n', 1)[0]}`
  }

  return {
    binary,
    missing () {
      outcome ??= { problem: compile() }
      return outcome.problem
    },
  }
}
