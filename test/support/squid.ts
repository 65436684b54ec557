import { spawn, spawnSync } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from './debian-parts.ts'
import { findFreePort } from './free-port.ts'
import { waitUntil } from './wait-until.ts'

/** Debian's squid over a configuration. */
export interface Squid {
  /** On 127.0.0.1. */
  readonly port: number
  /** What `squid -k parse` says of the configuration, without what it only notes. */
  readonly complaints: readonly string[]
  /** The status of the answer to a request, and of a 200 what came behind the head. */
  ask (head: string): Promise<{ readonly status: number, readonly body: string }>
  close (): Promise<void>
}

export interface SquidOptions {
  /** The configuration for a port, and for a folder with the files. */
  readonly render: (port: number, folder: string) => string
  /** Files that the configuration names. */
  readonly files?: Readonly<Record<string, string>>
  /** Addresses of names, which Squid asks nobody for. */
  readonly hosts: Readonly<Record<string, string>>
}

/** Starts Squid on loopback, with its files in a folder of its own, and connections that cannot leave the host. */
export async function startSquid ({ render, files = {}, hosts }: SquidOptions): Promise<Squid> {
  const program = findProgram('squid') ?? 'squid'
  // Its worker gives up root, so the folder is open; a fixture's parents may be closed to it.
  const folder = await mkdtemp(join(tmpdir(), 'acr-egress-squid-'))
  await chmod(folder, 0o777)
  const port = await findFreePort()
  const config = join(folder, 'squid.conf')
  await writeFile(join(folder, 'hosts'), Object.entries(hosts).map(([name, address]) => `${address} ${name}\n`).join(''))
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
  await writeFile(config, render(port, folder) + [
    `hosts_file ${folder}/hosts`,
    'pid_filename none',
    'access_log none',
    `cache_log ${folder}/cache.log`,
    `coredump_dir ${folder}`,
    'shutdown_lifetime 1 seconds',
    'pinger_enable off',
    // From a loopback address the system connects to loopback only.
    'acl to_ipv6 dst ipv6',
    'tcp_outgoing_address ::1 to_ipv6',
    'tcp_outgoing_address 127.0.0.1',
    '',
  ].join('\n'))
  const parsed = spawnSync(program, ['-k', 'parse', '-f', config], { encoding: 'utf8' })
  const complaints = parsed.stderr.split('\n').filter((line) => /WARNING|ERROR|FATAL/.test(line))
  const child = spawn(program, ['-N', '-n', `test${port}`, '-f', config], { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => { child.once('exit', () => resolve()) })
  const close = async (): Promise<void> => {
    child.kill()
    await ended
    await rm(folder, { recursive: true })
  }
  try {
    await waitUntil(async () => await isListening(port), `squid at port ${port}`)
  } catch (error) {
    await close()
    throw error
  }
  return { port, complaints, ask: async (head) => await askSquid(port, head), close }
}

async function isListening (port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const isOpen = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
  })
  socket.destroy()
  return isOpen
}

const answerTimeoutMs = 20_000

async function askSquid (port: number, head: string): Promise<{ status: number, body: string }> {
  const socket = connect(port, '127.0.0.1')
  socket.setEncoding('latin1').setTimeout(answerTimeoutMs, () => socket.destroy(new Error(`squid is silent after ${head}`)))
  socket.write(head)
  let text = ''
  const readStatus = (): string | undefined => /^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1]
  for await (const chunk of socket) {
    text += String(chunk)
    // After a refusal Squid waits for the next request.
    if (readStatus() !== '200' && text.includes('\r\n\r\n')) break
  }
  const status = readStatus()
  return { status: Number(status), body: text.slice(text.indexOf('\r\n\r\n') + 4) }
}
