import t from 'tap'
import { type SetupRates, createSetupRates } from '../../../src/proxy/setup-rates.ts'
import { measureHeapGrowth } from '../../support/heap.ts'

/** How many of so many requests at once are let through. */
function countAdmitted (rates: SetupRates, client: string, asked: number): number {
  let admitted = 0
  for (let index = 0; index < asked; index++) if (rates.admit(client).allow) admitted++
  return admitted
}

t.test('an idle client may ask ten seconds\' worth at once, then as fast as the rate, and others as if it were not there', async (t) => {
  let nowMs = 5
  const rates = createSetupRates({ perSecond: 100, now: () => nowMs })
  t.equal(countAdmitted(rates, '192.0.2.1', 2000), 1000)
  nowMs += 9
  t.equal(countAdmitted(rates, '192.0.2.1', 10), 0)
  nowMs += 1
  t.equal(countAdmitted(rates, '192.0.2.1', 10), 1)
  nowMs += 1000
  t.equal(countAdmitted(rates, '192.0.2.1', 200), 100)
  t.equal(countAdmitted(rates, '192.0.2.2', 2000), 1000)
  nowMs += 60_000
  t.equal(countAdmitted(rates, '192.0.2.1', 2000), 1000, 'and a minute later it has ten seconds\' worth again, no more')
})

t.test('who asks evenly is never refused, and who asks twice as much is let through half the time', async (t) => {
  let nowMs = 0
  const rates = createSetupRates({ perSecond: 4, now: () => nowMs })
  const admitted = { even: 0, hasty: 0 }
  for (; nowMs < 1_000_000; nowMs += 250) {
    admitted.even += countAdmitted(rates, 'even', 1)
    admitted.hasty += countAdmitted(rates, 'hasty', 2)
  }
  t.strictSame(admitted, { even: 4000, hasty: 4000 + 39 })
})

t.test('a refusal says after how long there is room again, and it is so', async (t) => {
  let nowMs = 0
  const rates = createSetupRates({ perSecond: 1, now: () => nowMs })
  t.equal(countAdmitted(rates, '192.0.2.1', 20), 10)
  const admission = rates.admit('192.0.2.1')
  if (admission.allow) throw new Error('it was let through')
  t.match(admission.refusal, { reason: 'client_setup_rate', retryAfterSeconds: 1 })
  nowMs += 1000 * (admission.refusal.retryAfterSeconds ?? 0)
  t.equal(countAdmitted(rates, '192.0.2.1', 20), 1)
})

t.test('however many clients there are, memory is bounded, and the one that asks on is remembered', async (t) => {
  const rates = createSetupRates({ perSecond: 100, now: () => 0 })
  t.equal(countAdmitted(rates, 'greedy', 2000), 1000)
  const grown = measureHeapGrowth(() => {
    for (let index = 0; index < 300_000; index++) {
      rates.admit(`client ${index}`)
      if (index % 1000 === 0) rates.admit('greedy')
    }
  })
  t.ok(grown < 4 * 1024 * 1024, `the heap grew by ${grown} bytes`)
  t.equal(countAdmitted(rates, 'greedy', 10), 0)
})
