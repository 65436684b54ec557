/** Programs that a benchmark starts: what they cost, and how they end. */
import { execFile, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** Most descriptors that a process may have here, whatever the shell's own limit is. */
export const maxDescriptors = Number(/^Max open files +\S+ +([0-9]+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))[1])

/** Where programs are looked for: Debian puts daemons where only root's own path leads. */
export const searchPath = `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/local/sbin:/usr/sbin:/sbin`

// The first half ends what is left when the benchmark itself is killed.
const wrapper = ['setpriv', '--pdeathsig', 'KILL', 'prlimit', `--nofile=${maxDescriptors}:${maxDescriptors}`]

const environment = { ...process.env, PATH: searchPath }

/** Groups that have not ended, for a benchmark that ends without having stopped them. */
const groups = new Set()
process.on('exit', () => { for (const pid of groups) killGroup(pid) })

/**
 * Starts a command in a process group of its own: Ctrl-C reaches the benchmark alone, and what the command starts ends
 * with it. `prefix` puts it into a network namespace.
 */
export function startProcess (command, { prefix = [], stdio }) {
  const [program, ...args] = [...prefix, ...wrapper, ...command]
  const child = spawn(program, args, { stdio, detached: true, env: environment })
  if (child.pid !== undefined) groups.add(child.pid)
  let hasEnded = false
  const gone = new Promise((resolve) => {
    const end = () => { hasEnded = true; resolve() }
    child.once('exit', end)
    child.once('error', end)
  })
  return {
    child,
    pid: child.pid,
    /** Resolves when it has ended, or could not be started. */
    gone,
    hasEnded: () => hasEnded,
    async stop () {
      killGroup(child.pid)
      await gone
      groups.delete(child.pid)
    },
  }
}

function killGroup (pid) {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // All of it has ended.
  }
}

/** Starts a program that goes on until it is stopped. What it prints goes to `logFile`. */
export function startProgram ({ command, prefix, logFile }) {
  const log = openSync(logFile, 'a')
  const program = startProcess(command, { prefix, stdio: ['ignore', log, log] })
  closeSync(log)
  return { ...program, readLog: () => readQuietly(logFile).slice(-2000) }
}

/** Resolves when a program accepts connections; rejects with the end of its log if it ends before. */
export async function untilListening (program, address, port, prefix = []) {
  for (let attempt = 0; attempt < 200; attempt++) {
    // Asked first: a port may be open because it is another's.
    const accepted = await accepts(address, port, prefix)
    if (program.hasEnded()) break
    if (accepted) return
    await sleep(50)
  }
  throw new Error(`nothing listens at ${address}:${port}\n${program.readLog()}`)
}

async function accepts (address, port, prefix) {
  if (prefix.length > 0) {
    // From outside a namespace its ports cannot be tried; the kernel's list of listeners inside says enough.
    const [program, ...args] = [...prefix, 'cat', '/proc/net/tcp']
    const { stdout } = await execute(program, args, { env: environment, timeout: 10_000 })
    return stdout.includes(`:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`)
  }
  return await new Promise((resolve) => {
    const socket = connect(port, address)
    socket.once('connect', () => { socket.destroy(); resolve(true) })
    socket.once('error', () => resolve(false))
  })
}

/** A process and all that descend from it. */
export function listTree (root) {
  const children = new Map()
  for (const name of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(name)) continue
    const parent = readParent(name)
    if (parent !== undefined) children.set(parent, [...children.get(parent) ?? [], Number(name)])
  }
  const tree = [root]
  for (const pid of tree) tree.push(...children.get(pid) ?? [])
  return tree
}

function readParent (pid) {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')[1])
  } catch {
    return undefined
  }
}

/** Seconds of CPU that a program and its descendants have had, those that ended too, in ticks of 1/100 s. */
export function readCpuSeconds (root) {
  let ticks = 0
  for (const pid of listTree(root)) {
    // utime, stime, and those of children that were waited for: fields 14 to 17 of proc(5).
    const fields = readQuietly(`/proc/${pid}/stat`).split(') ')[1]?.split(' ') ?? []
    for (const field of fields.slice(11, 15)) ticks += Number(field)
  }
  return ticks / 100
}

/** Seconds for which the processors of the machine were busy, in ticks of 1/100 s. */
export function readMachineSeconds () {
  const [, ...fields] = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0].split(/ +/)
  const [user, nice, system, , , irq, softirq] = fields.map(Number)
  return (user + nice + system + irq + softirq) / 100
}

/**
 * Resident bytes of a program and its descendants, what they share counted once. Without the pages of files: those are
 * its code, and their share depends on who else runs the same program or library just now.
 */
export function readResidentBytes (root) {
  let kilobytes = 0
  for (const pid of listTree(root)) {
    const text = readQuietly(`/proc/${pid}/smaps_rollup`)
    for (const [, own] of text.matchAll(/^Pss_(?:Anon|Shmem): +([0-9]+)/gm)) kilobytes += Number(own)
  }
  return kilobytes * 1024
}

function readQuietly (path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
