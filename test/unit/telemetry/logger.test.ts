import t from 'tap'
import { createLogger } from '../../../src/telemetry/logger.ts'

t.test('a line is one JSON document: level as a word, time in ISO form, event', async (t) => {
  const written: string[] = []
  const logger = createLogger('info', { write (text) { written.push(text) } })
  logger.info({ tunnels: 3 }, 'gateway_draining')
  logger.debug('not_asked_for')
  t.equal(written.length, 1)
  t.match(written[0], /^\{.*\}\n$/)
  const { time, ...line } = JSON.parse(written[0] ?? '') as Record<string, unknown>
  t.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  t.same(line, { level: 'info', tunnels: 3, event: 'gateway_draining' })
})

t.test('a cause is written with its stack', async (t) => {
  const written: string[] = []
  createLogger('info', { write (text) { written.push(text) } }).error({ err: new TypeError('a bug') }, 'tunnel_refused')
  t.match(JSON.parse(written[0] ?? ''), { level: 'error', err: { type: 'TypeError', message: 'a bug', stack: /logger\.test/ } })
})
