import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** The built command, as a user runs it; `npm test` builds it first. */
export const builtCommand = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

/** A line of the daemon's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly event: string }

/** The daemon in a process of its own. */
export interface Daemon {
  /** Where clients connect, `IP:PORT`. */
  readonly proxy: { readonly host: string, readonly port: number }
  readonly admin: string
  readonly lines: readonly LogLine[]
  /** Resident memory, in bytes. */
  residentBytes (): number
  descriptorCount (): number
  /** Sends the signal, and resolves with the exit code. */
  stop (signal?: NodeJS.Signals): Promise<number | null>
}

/**
 * Node with the built command, free of what the test runner puts into the environment of every child, whatever
 * environment is given: a command must run as it would for a user.
 */
export const builtCommandWords = ['env', '-u', 'NODE_OPTIONS', process.execPath, builtCommand] as const

/** The environment without what the test runner adds for itself. */
export function cleanEnvironment (): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TAP') && !name.startsWith('_TAP')))
}

/**
 * Starts `acr-egress serve` with the flags and waits until it listens. The caller stops it. `wrapper` is a command that
 * becomes the one behind it, like `prlimit`.
 */
export async function startDaemon (
  flags: readonly string[], env: NodeJS.ProcessEnv = {}, wrapper: readonly string[] = [],
): Promise<Daemon> {
  if (!existsSync(builtCommand)) throw new Error(`${builtCommand} is not there: run npm run build first`)
  const [program = '', ...words] = [...wrapper, ...builtCommandWords]
  const child = spawn(program, [...words, 'serve', ...flags], {
    env: { ...cleanEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const errors: string[] = []
  child.stderr.on('data', (chunk: Buffer) => { errors.push(chunk.toString()) })
  const lines: LogLine[] = []
  const started = await new Promise<LogLine>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`serve ended with ${code}: ${errors.join('')}`)))
    createInterface(child.stdout).on('line', (text) => {
      const line = JSON.parse(text) as LogLine
      lines.push(line)
      if (line.event === 'gateway_started') resolve(line)
    })
  })
  return {
    proxy: splitAddress(String(started['proxy'])),
    admin: `http://${String(started['admin'])}`,
    lines,
    residentBytes: () => readResidentBytes(child),
    descriptorCount: () => readdirSync(`/proc/${child.pid}/fd`).length,
    async stop (signal = 'SIGTERM') {
      if (child.exitCode !== null) return child.exitCode
      const exited = once(child, 'exit')
      child.kill(signal)
      const [code] = await exited as [number | null]
      return code
    },
  }
}

function splitAddress (text: string): Daemon['proxy'] {
  const colon = text.lastIndexOf(':')
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) }
}

function readResidentBytes ({ pid }: ChildProcess): number {
  const kilobytes = /^VmRSS:\s+([0-9]+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) * 1024
}
