import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram, readVersion } from './peer.js'

const source = new URL('../native/relay-loop.c', import.meta.url).pathname
const binary = join(tmpdir(), `acr-egress-bench-relay-loop-${process.pid}`)
let outcome

/** Compiles the loops once; returns why that does not work. */
function compile () {
  outcome ??= { problem: findProgram('cc') === undefined ? 'no C compiler (Debian: gcc libc6-dev)' : runCompiler() }
  return outcome.problem
}

function runCompiler () {
  process.once('exit', () => { rmSync(binary, { force: true }) })
  const { status, stderr } = spawnSync('cc', ['-O2', '-o', binary, source], { encoding: 'utf8', timeout: 60_000 })
  if (status !== 0) return `cc failed (Debian: gcc libc6-dev): ${(stderr ?? '').split('\n', 1)[0]}`
}

/** The references: what the kernel alone costs, with and without copying. */
export const cLoops = ['splice', 'copy'].map((mode) => ({
  name: `C loop, ${mode}`,
  splices: mode === 'splice',
  missing: compile,
  version: () => readVersion('cc', '--version'),
  command: ({ listen, source: { address, port } }) =>
    [binary, mode, listen.address, String(listen.port), address, String(port)],
}))
