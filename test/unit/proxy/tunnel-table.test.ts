import t from 'tap'
import type { Relay } from '../../../src/relay/ends.ts'
import { type Admission, createTunnelTable } from '../../../src/proxy/tunnel-table.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { createTunnelLog } from '../../../src/telemetry/tunnel-log.ts'
import { metricsOptions } from '../../support/metrics-options.ts'

const logger = createLogger('info', { write () {} })
const log = createTunnelLog({ logger, metrics: createMetrics(metricsOptions) })
const record = log.open('192.0.2.1:1', 'contoso.azurecr.io:443')

/** The place, or the reason why there is none. */
function outcomeOf (admission: Admission) {
  return admission.allow ? admission.place : admission.refusal.reason
}

function take (admission: Admission) {
  if (!admission.allow) throw new Error(admission.refusal.reason)
  return admission.place
}

t.test('there is room up to the limit, and again when a place has been given back', async (t) => {
  const table = createTunnelTable({ maxTunnels: 2, maxTunnelsPerClient: 2 })
  const first = take(table.admit('192.0.2.1', record))
  const second = take(table.admit('192.0.2.2', record))
  t.equal(outcomeOf(table.admit('192.0.2.3', record)), 'tunnel_limit')
  t.strictSame(table.list(), [first, second], 'the oldest comes first')
  first.release()
  t.equal(table.size, 1)
  take(table.admit('192.0.2.3', record))
  t.equal(outcomeOf(table.admit('192.0.2.4', record)), 'tunnel_limit')
})

t.test('one client has its own limit, and takes nothing from others', async (t) => {
  const table = createTunnelTable({ maxTunnels: 10, maxTunnelsPerClient: 1 })
  const place = take(table.admit('192.0.2.1', record))
  t.equal(outcomeOf(table.admit('192.0.2.1', record)), 'client_tunnel_limit')
  take(table.admit('192.0.2.2', record))
  place.release()
  take(table.admit('192.0.2.1', record))
})

t.test('when both limits are reached, the one of the gateway is told', async (t) => {
  const table = createTunnelTable({ maxTunnels: 1, maxTunnelsPerClient: 1 })
  take(table.admit('192.0.2.1', record))
  t.equal(outcomeOf(table.admit('192.0.2.1', record)), 'tunnel_limit')
})

t.test('who is refused for lack of room is told when to try again', async (t) => {
  const retryAfter = (admission: Admission) => admission.allow ? undefined : admission.refusal.retryAfterSeconds
  const table = createTunnelTable({ maxTunnels: 2, maxTunnelsPerClient: 1 })
  take(table.admit('192.0.2.1', record))
  t.equal(retryAfter(table.admit('192.0.2.1', record)), 10)
  take(table.admit('192.0.2.2', record))
  t.equal(retryAfter(table.admit('192.0.2.3', record)), 5)
  table.refuseNew()
  t.equal(retryAfter(table.admit('192.0.2.3', record)), 5)
})

t.test('a place that is given back twice is given back once', async (t) => {
  const table = createTunnelTable({ maxTunnels: 2, maxTunnelsPerClient: 2 })
  const first = take(table.admit('192.0.2.1', record))
  take(table.admit('192.0.2.1', record))
  first.release()
  first.release()
  t.equal(table.size, 1)
  take(table.admit('192.0.2.1', record))
  t.equal(outcomeOf(table.admit('192.0.2.1', record)), 'tunnel_limit')
})

t.test('a table that is closing refuses everybody, with or without room', async (t) => {
  const table = createTunnelTable({ maxTunnels: 1, maxTunnelsPerClient: 1 })
  table.refuseNew()
  t.equal(outcomeOf(table.admit('192.0.2.1', record)), 'shutting_down')
})

t.test('whoever waits is told when the last place has been given back', async (t) => {
  const table = createTunnelTable({ maxTunnels: 2, maxTunnelsPerClient: 2 })
  await table.whenEmpty()
  const places = [take(table.admit('192.0.2.1', record)), take(table.admit('192.0.2.1', record))]
  let told = 0
  const waiting = [1, 2].map(async () => {
    await table.whenEmpty()
    told++
  })
  places[0]?.release()
  await new Promise(setImmediate)
  t.equal(told, 0)
  places[1]?.release()
  await Promise.all(waiting)
  t.equal(told, 2)
  take(table.admit('192.0.2.1', record))
  const again = table.whenEmpty().then(() => 'empty')
  t.equal(await Promise.race([again, new Promise((resolve) => { setImmediate(resolve, 'full') })]), 'full')
})

t.test('all relays are stopped, and places without one are left to their owner', async (t) => {
  const table = createTunnelTable({ maxTunnels: 3, maxTunnelsPerClient: 3 })
  const stopped: number[] = []
  for (const index of [0, 1]) {
    const relay: Relay = {
      bytes: { fromClient: 0, fromUpstream: 0 },
      idleMs: () => 0,
      ended: new Promise(() => {}),
      stop: () => { stopped.push(index) },
    }
    take(table.admit('192.0.2.1', record)).relay = relay
  }
  take(table.admit('192.0.2.1', record))
  table.stopAll()
  t.strictSame(stopped, [0, 1])
  t.equal(table.size, 3)
})
