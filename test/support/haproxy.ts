import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import { findProgram } from './debian-parts.ts'
import { findFreePort } from './free-port.ts'
import { waitUntil } from './wait-until.ts'

/** A load balancer in front of one server. */
export interface Haproxy {
  /** Where clients go. */
  readonly host: string
  readonly port: number
  /** How its last health check of the server ended, in HAProxy's own words: `L4OK`; '' before there was one. */
  readCheck (): Promise<string>
}

export interface HaproxyOptions {
  readonly server: { readonly host: string, readonly port: number }
  /** What stands behind the server's address in its line: `send-proxy`. */
  readonly keywords: string
}

/** Starts Debian's HAProxy, which passes TCP on as it comes; the test's end ends it. */
export async function startHaproxy (t: Test, { server, keywords }: HaproxyOptions): Promise<Haproxy> {
  const port = await findFreePort()
  // The path of a socket has room for a hundred characters.
  const folder = await mkdtemp(join(tmpdir(), 'acr-egress-haproxy-'))
  const config = join(folder, 'haproxy.cfg')
  const control = join(folder, 'control')
  await writeFile(config, [
    'global',
    `  stats socket ${control} level operator`,
    'defaults',
    '  mode tcp',
    '  timeout connect 5s',
    '  timeout client 1m',
    '  timeout server 1m',
    'listen gateways',
    `  bind 127.0.0.1:${port}`,
    `  server gateway ${server.host}:${server.port} ${keywords}`,
    '',
  ].join('\n'))
  const child = spawn(findProgram('haproxy') ?? 'haproxy', ['-db', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'] })
  const complaints = text(child.stderr)
  t.teardown(async () => {
    if (child.exitCode === null) {
      child.kill()
      await once(child, 'exit')
    }
    await rm(folder, { recursive: true })
  })
  await waitUntil(async () => {
    if (child.exitCode !== null) throw new Error(await complaints)
    return await readStatistics(control) !== ''
  }, 'HAProxy')
  return {
    host: '127.0.0.1',
    port,
    async readCheck () {
      const [names, ...rows] = (await readStatistics(control)).split('\n').map((line) => line.split(','))
      const own = rows.find(([, name]) => name === 'gateway') ?? []
      return own[names?.indexOf('check_status') ?? -1] ?? ''
    },
  }
}

/** The statistics as comma-separated lines, the first with their names; '' while nobody answers. */
async function readStatistics (control: string): Promise<string> {
  const socket = connect(control)
  socket.end('show stat\n')
  return await text(socket).catch(() => '')
}
