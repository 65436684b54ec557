/** On what a benchmark ran. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { maxDescriptors } from './processes.js'

const sysctls = ['net/ipv4/tcp_rmem', 'net/ipv4/tcp_wmem', 'net/core/somaxconn', 'fs/pipe-user-pages-soft', 'fs/pipe-max-size']

export function describeMachine () {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    commit: readCommit(),
    maxDescriptors,
    // Something else that ran when it began.
    loadAtStart: loadavg()[0],
    sysctls: Object.fromEntries(sysctls.map((name) => [name.replaceAll('/', '.'), readSysctl(name)])),
  }
}

function readSysctl (name) {
  try {
    return readFileSync(`/proc/sys/${name}`, 'utf8').trim().replaceAll('\t', ' ')
  } catch {
    return 'unknown'
  }
}

/** The commit that is checked out, with a plus when there are changes to it; nothing outside of a clone. */
function readCommit () {
  const git = (...args) => execFileSync('git', args, {
    cwd: import.meta.dirname, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'],
  }).trim()
  try {
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : '+'}`
  } catch {
    return undefined
  }
}
