import { EventEmitter, once } from 'node:events'
import { chmod } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import { loadConfiguration } from '../../src/config/load.ts'
import { formatProblem } from '../../src/config/problem.ts'
import { type Gateway, type GatewayOptions, createGateway } from '../../src/gateway.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { waitUntil } from './wait-until.ts'

/** One line of a gateway's log, as far as every line has it. */
export interface LogLine extends Readonly<Record<string, unknown>> {
  readonly event: string
}

/** A gateway that runs in this process, and all that can be seen of it from outside. */
export interface TestGateway {
  readonly gateway: Gateway
  /** Where clients go. */
  readonly proxy: { readonly host: string, readonly port: number }
  /** Where the admin listener is, `IP:PORT`. */
  readonly admin: string
  /** All lines of the log, parsed, oldest first. */
  readonly lines: readonly LogLine[]
  /** Those that tell of requests and tunnels. */
  readonly tunnelLines: readonly LogLine[]
  /** Resolves with one of those lines, counted from 0, as soon as it has been written. */
  tunnelLine (index: number): Promise<LogLine>
  /** GETs a path of the admin listener. */
  ask (path: string): Promise<{ readonly status: number, readonly body: string }>
  /** The sum of a metric's samples that have these labels; 0 when there is none. */
  readMetric (name: string, labels?: Readonly<Record<string, string>>): Promise<number>
  /** Resolves when no client is connected and no tunnel is left; rejects after four seconds. */
  settle (): Promise<void>
}

/**
 * Starts a gateway from the text of a configuration file, and files that it names, which lie beside it; both ports are
 * free ones on loopback, unless `listen` says which. Unless the text says otherwise bytes go through streams: a relay
 * thread takes two seconds to start where TypeScript is compiled as it is loaded. The test's end closes it.
 */
export async function startGateway (
  t: Test, yaml: string, files: Readonly<Record<string, string>> = {}, options: Pick<GatewayOptions, 'now'> = {},
  listen = '127.0.0.1:0',
): Promise<TestGateway> {
  const relay = /^relay:/m.test(yaml) ? '' : '\nrelay: { engine: stream }\n'
  const folder = t.testdir({ 'config.yaml': yaml + relay, ...files })
  for (const name of Object.keys(files)) await chmod(join(folder, name), 0o600)
  const loaded = await loadConfiguration({ file: join(folder, 'config.yaml'), listen, admin: '127.0.0.1:0' })
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join('\n'))
  const lines: LogLine[] = []
  const tunnelLines: LogLine[] = []
  const written = new EventEmitter()
  const logger = createLogger(loaded.configuration.log.level, {
    write (line) {
      const record = JSON.parse(line) as LogLine
      lines.push(record)
      if (!record.event.startsWith('tunnel_')) return
      tunnelLines.push(record)
      written.emit('line')
    },
  })
  const gateway = createGateway({ configuration: loaded.configuration, logger, version: '0.0.0-test', ...options })
  t.teardown(() => gateway.close())
  const started = await gateway.start()
  const [host = '', port = ''] = started.proxy.split(':')

  async function ask (path: string): Promise<{ status: number, body: string }> {
    const question = request(`http://${started.admin}${path}`, { agent: false }).end()
    const [answer] = await once(question, 'response')
    return { status: answer.statusCode, body: await text(answer) }
  }

  async function readMetric (name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const { body } = await ask('/metrics')
    return sumSamples(body, name, labels)
  }

  return {
    gateway,
    proxy: { host, port: Number(port) },
    admin: started.admin,
    lines,
    tunnelLines,
    async tunnelLine (index) {
      for (;;) {
        const line = tunnelLines[index]
        if (line !== undefined) return line
        await once(written, 'line', { signal: AbortSignal.timeout(5000) })
      }
    },
    ask,
    readMetric,
    settle: () => waitUntil(async () => {
      return gateway.tunnelCount === 0 && await readMetric('acr_egress_client_connections_active') === 0
    }, 'every client to be gone'),
  }
}

/** Reads the Prometheus text format, as far as counters and gauges need it. */
function sumSamples (exposition: string, name: string, labels: Readonly<Record<string, string>>): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  let sum = 0
  for (const line of exposition.split('\n')) {
    const [, series, own = '', value] = /^([a-z_]+)(?:\{(.*)\})? ([^ ]+)$/.exec(line) ?? []
    if (series === name && wanted.every((label) => own.split(',').includes(label))) sum += Number(value)
  }
  return sum
}
