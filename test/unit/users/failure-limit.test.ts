import t from 'tap'
import { createFailureLimit } from '../../../src/users/failure-limit.ts'

t.test('so many failures may come at once, and then one after each interval', async (t) => {
  let time = 1_000_000
  const limit = createFailureLimit({ burst: 3, refillMs: 2000, now: () => time })
  for (let attempt = 0; attempt < 3; attempt++) {
    t.equal(limit.findWait('a'), undefined)
    limit.countFailure('a')
  }
  t.equal(limit.findWait('a'), 2)
  t.equal(limit.findWait('b'), undefined, 'another address has a bucket of its own')
  time += 1999
  t.equal(limit.findWait('a'), 1, 'seconds are rounded up')
  time += 1
  t.equal(limit.findWait('a'), undefined)
  limit.countFailure('a')
  t.equal(limit.findWait('a'), 2)
  time += 6000
  for (let attempt = 0; attempt < 3; attempt++) {
    t.equal(limit.findWait('a'), undefined, 'it is full again, and no fuller')
    limit.countFailure('a')
  }
  t.equal(limit.findWait('a'), 2)
})

t.test('by itself it is 20 failures, and 20 more in a minute', async (t) => {
  let time = 0
  const limit = createFailureLimit({ now: () => time })
  let failures = 0
  for (; time < 60_000; time += 100) {
    while (limit.findWait('a') === undefined) {
      limit.countFailure('a')
      failures++
    }
  }
  t.equal(failures, 20 + 19)
})

t.test('only so many addresses are remembered, those that failed last', async (t) => {
  const limit = createFailureLimit({ burst: 1, maxSources: 2, now: () => 0 })
  for (const source of ['a', 'b', 'a', 'c']) limit.countFailure(source)
  t.equal(limit.findWait('b'), undefined)
  t.ok(limit.findWait('a'))
  t.ok(limit.findWait('c'))
})
