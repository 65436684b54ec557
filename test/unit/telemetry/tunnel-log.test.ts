import fc from 'fast-check'
import t from 'tap'
import { type Reason, refuse } from '../../../src/refusal/reasons.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { type TunnelRecord, createTunnelLog } from '../../../src/telemetry/tunnel-log.ts'
import { metricsOptions } from '../../support/metrics-options.ts'

const client = '10.0.0.5:40000'
const rule = { registry: 'contoso.azurecr.io', class: 'login', region: '' }
const authority = { host: 'contoso.azurecr.io', port: 443 }

/** A log with a clock that stands until it is moved, and what came out of it. */
function createTestLog (level = 'info') {
  const clock = { now: Date.UTC(2026, 10, 22) }
  const lines: Array<Record<string, unknown>> = []
  const logger = createLogger(level, { write (line) { lines.push(JSON.parse(line) as Record<string, unknown>) } })
  const metrics = createMetrics(metricsOptions)
  const log = createTunnelLog({ logger, metrics, now: () => clock.now })
  return { clock, lines, metrics, log }
}

/** The one line there is, without the time that the logger put on it. */
function onlyLine (lines: ReadonlyArray<Record<string, unknown>>): Record<string, unknown> {
  const [{ time: _time, ...line } = {}, ...others] = lines
  if (others.length > 0) throw new RangeError(`${lines.length} lines`)
  return line
}

t.test('a tunnel is one line at its end, with all there is to say of it', async (t) => {
  const { clock, lines, log, metrics } = createTestLog()
  const record = log.open(client, 'Contoso.azurecr.io.:443')
  t.equal(record.target, 'Contoso.azurecr.io.:443')
  record.judged({ authority, rule })
  const bytes = { fromClient: 0, fromUpstream: 0 }
  clock.now += 25
  record.answered({ address: '20.62.128.4:443' })
  record.established(bytes)
  t.same(lines, [], 'nothing is written while it runs')
  Object.assign(bytes, { fromClient: 517, fromUpstream: 1_048_576 })
  clock.now += 4_000
  record.ended('closed')
  t.same(onlyLine(lines), {
    level: 'info',
    event: 'tunnel_ended',
    tunnelId: record.id,
    client,
    target: 'contoso.azurecr.io:443',
    registry: 'contoso.azurecr.io',
    class: 'login',
    region: '',
    address: '20.62.128.4:443',
    setupMs: 25,
    durationMs: 4_000,
    bytesFromClient: 517,
    bytesFromUpstream: 1_048_576,
    end: 'closed',
  })
  const { tunnels, tunnelsActive, bytesFromClient } = metrics.totals()
  t.same({ tunnels, tunnelsActive, bytesFromClient }, { tunnels: 1, tunnelsActive: 0, bytesFromClient: 517 })
})

t.test('a refusal is one line, one count, and one of the recent refusals', async (t) => {
  const { clock, lines, log, metrics } = createTestLog()
  const record = log.open(client, 'Evil.example:443')
  record.judged({ authority: { host: 'evil.example', port: 443 } })
  clock.now += 3
  record.refused(refuse('host_not_allowed', 'evil.example is not an endpoint', 'Ask.'))
  t.same(onlyLine(lines), {
    level: 'warn',
    event: 'tunnel_refused',
    tunnelId: record.id,
    client,
    target: 'evil.example:443',
    setupMs: 3,
    reason: 'host_not_allowed',
    detail: 'evil.example is not an endpoint',
  })
  t.same(log.recentRefusals, [{
    time: '2026-11-22T00:00:00.003Z',
    reason: 'host_not_allowed',
    client,
    target: 'evil.example:443',
    detail: 'evil.example is not an endpoint',
    hint: 'Ask.',
  }])
  t.same(metrics.totals().refusals, { host_not_allowed: 1 })
})

t.test('the user stands in the line once it is known who it is, printable and no longer than any', async (t) => {
  const { lines, log } = createTestLog()
  const record = log.open(client, 'contoso.azurecr.io:443')
  record.authenticated('plänt "1"')
  record.judged({ authority, rule })
  record.answered({ address: '20.62.128.4:443' })
  record.established({ fromClient: 0, fromUpstream: 0 })
  record.ended('closed')
  t.match(onlyLine(lines), { user: 'pl\\xe4nt "1"' })
  lines.length = 0
  const refused = log.open(client, 'evil.example:443')
  refused.authenticated('x'.repeat(1000))
  refused.refused(refuse('host_not_allowed', 'evil.example is not an endpoint', 'Ask.'))
  t.equal(onlyLine(lines).user, 'x'.repeat(255))
})

t.test('to be asked for a password is a step: it is counted, and hides no refusal', async (t) => {
  const { lines, log, metrics } = createTestLog()
  log.open(client, 'contoso.azurecr.io:443').refused(refuse('proxy_auth_required', 'who is it', 'Say so.'))
  t.match(onlyLine(lines), { level: 'info', event: 'tunnel_refused', reason: 'proxy_auth_required' })
  lines.length = 0
  log.open(client, 'contoso.azurecr.io:443').refused(refuse('proxy_auth_failed', 'wrong', 'Correct it.'))
  t.match(onlyLine(lines), { level: 'warn', reason: 'proxy_auth_failed' })
  t.same(log.recentRefusals.map(({ reason }) => reason), ['proxy_auth_failed'])
  t.same(metrics.totals().refusals, { proxy_auth_required: 1, proxy_auth_failed: 1 })
})

t.test('a mistake of the gateway is logged as an error, with its cause and stack', async (t) => {
  const { lines, log } = createTestLog()
  log.open(client, 'contoso.azurecr.io:443').refused(refuse('internal', 'a mistake', 'Report it.'), new TypeError('a bug'))
  const line = onlyLine(lines)
  t.equal(line.level, 'error')
  t.match(line.err, { type: 'TypeError', message: 'a bug', stack: /a bug\n +at / })
})

t.test('a client that goes before it is answered is a line, and no refusal', async (t) => {
  const { lines, log, metrics } = createTestLog()
  const record = log.open(client, 'contoso.azurecr.io:443')
  record.judged({ authority, rule })
  record.abandoned()
  t.match(onlyLine(lines), { level: 'info', event: 'tunnel_abandoned', registry: 'contoso.azurecr.io', end: 'client_gone' })
  t.same(log.recentRefusals, [])
  t.same(metrics.totals(), { tunnels: 0, tunnelsActive: 0, bytesFromClient: 0, bytesFromUpstream: 0, refusals: {} })
})

t.test('a mistake behind the 200 ends the tunnel: it does not stay among those that run', async (t) => {
  for (const close of [
    (record: TunnelRecord) => record.refused(refuse('internal', 'a mistake', 'Report it.')),
    (record: TunnelRecord) => record.abandoned(),
  ]) {
    const { clock, lines, log, metrics } = createTestLog()
    const record = log.open(client, 'contoso.azurecr.io:443')
    record.judged({ authority, rule })
    record.answered({ address: '20.62.128.4:443' })
    record.established({ fromClient: 5, fromUpstream: 6 })
    clock.now += 1_000
    close(record)
    t.match(metrics.totals(), { tunnels: 1, tunnelsActive: 0, bytesFromClient: 5, bytesFromUpstream: 6 })
    t.match(onlyLine(lines), { durationMs: 1_000, bytesFromClient: 5, bytesFromUpstream: 6 })
  }
})

t.test('whatever happens in whatever order, a record writes one line and is counted once', async () => {
  const step = fc.constantFrom<(record: TunnelRecord) => void>(
    (record) => record.judged({ authority, rule }),
  (record) => record.judged({ authority }),
  (record) => record.judged({}),
  (record) => record.ended('closed'),
  (record) => record.ended('idle'),
  (record) => record.refused(refuse('dns_failed', 'no', 'Look.')),
  (record) => record.refused(refuse('internal', 'no', 'Look.'), new Error('a bug')),
  (record) => record.abandoned(),
  )
  fc.assert(fc.property(fc.array(step, { maxLength: 8 }), fc.boolean(), (steps, isEstablished) => {
    const { lines, log, metrics } = createTestLog()
    const record = log.open(client, 'contoso.azurecr.io:443')
    if (isEstablished) {
      record.judged({ authority, rule })
      record.answered({ address: '20.62.128.4:443' })
      record.established({ fromClient: 1, fromUpstream: 1 })
    }
    for (const take of steps) take(record)
    record.ended('stopped')
    const refusals = Object.values(metrics.totals().refusals).reduce((sum, count) => sum + count, 0)
    return lines.length === 1 && metrics.totals().tunnelsActive === 0 &&
      refusals === log.recentRefusals.length && refusals === (lines[0]?.event === 'tunnel_refused' ? 1 : 0)
  }), { numRuns: 300 })
})

t.test('a hostile target reaches neither a log nor the page with its bytes', async (t) => {
  const { lines, log } = createTestLog()
  const record = log.open(client, 'a\u001b[31m\r\n\0\x7f\x85é:443')
  record.judged({})
  record.refused(refuse('bad_request', 'no', 'Check.'))
  const printable = 'a\\x1b[31m\\x0d\\x0a\\x00\\x7f\\x85\\xe9:443'
  t.equal(onlyLine(lines).target, printable)
  t.equal(log.recentRefusals[0]?.target, printable)
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 2_000 }), (target) => {
    const shown = log.open(client, target).target
    return /^[\x20-\x7e]*$/.test(shown) && shown.length <= 300 * '\\xffff'.length
  }))
})

t.test('recent refusals are the last twenty, newest first', async (t) => {
  const { log, clock } = createTestLog()
  for (let count = 1; count <= 50; count++) {
    clock.now += 1_000
    log.open(client, `host-${count}.example:443`).refused(refuse('host_not_allowed', 'no', 'Ask.'))
  }
  const targets = log.recentRefusals.map(({ target }) => target)
  t.equal(targets.length, 20)
  t.equal(targets[0], 'host-50.example:443')
  t.equal(targets.at(-1), 'host-31.example:443')
})

t.test('each record has an id of its own, also after a restart', async (t) => {
  const first = createTestLog()
  const second = createTestLog()
  second.clock.now += 1_000
  const restarted = createTunnelLog({ logger: createLogger('silent'), metrics: second.metrics, now: () => second.clock.now })
  const ids = [first.log, first.log, restarted, restarted].map((log) => log.open(client, 'a:443').id)
  t.equal(new Set(ids).size, 4)
  for (const id of ids) t.match(id, /^[a-z0-9]+-[a-z0-9]+$/)
})

t.test('the level of the log decides over lines, not over counts', async (t) => {
  const { lines, log, metrics } = createTestLog('error')
  log.open(client, 'evil.example:443').refused(refuse('host_not_allowed' satisfies Reason, 'no', 'Ask.'))
  t.same(lines, [])
  t.same(metrics.totals().refusals, { host_not_allowed: 1 })
})

t.test('what is remembered by name is told once at the 200 or the refusal, and once at the end', async (t) => {
  const told: string[] = []
  const log = createTunnelLog({
    logger: createLogger('silent'),
    metrics: createMetrics(metricsOptions),
    sightings: {
      opened ({ client: from, host, labels, wouldRefuse }) {
        told.push(`opened ${from} ${host} ${labels?.class} ${wouldRefuse}`)
        return (bytes) => { told.push(`ended ${bytes}`) }
      },
      refused: ({ host, labels }, reason) => { told.push(`refused ${host} ${labels?.class} ${reason}`) },
    },
  })
  const unlisted = { authority: { host: 'a.example', port: 443 }, rule: { registry: '', class: 'unlisted', region: '' } }
  const opened = log.open(client, 'A.example:443')
  opened.judged({ ...unlisted, reported: { reason: 'host_not_allowed' } })
  opened.answered({ address: '20.1.2.3:443' })
  opened.established({ fromClient: 1, fromUpstream: 42 })
  opened.ended('closed')
  opened.refused(refuse('internal', 'late', 'Nothing.'))
  const refused = log.open(client, 'b.example:443')
  refused.judged({ authority: { host: 'b.example', port: 443 } })
  refused.refused(refuse('host_not_allowed', 'it is not', 'Add it.'))
  log.open(client, '\u001b:443').refused(refuse('bad_request', 'it is none', 'Check it.'))
  log.open(client, 'c.example:443').abandoned()
  t.same(told, ['opened 10.0.0.5:40000 a.example unlisted host_not_allowed', 'ended 42', 'refused b.example undefined host_not_allowed'])
})
