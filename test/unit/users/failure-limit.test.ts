import t from 'tap'
import { parseAddress } from '../../../src/net/address.ts'
import { createFailureLimit, findSource } from '../../../src/users/failure-limit.ts'

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

t.test('an IPv4 address stands for itself, an IPv6 one for its /64', async (t) => {
  const sourceOf = (text: string): string => {
    const address = parseAddress(text)
    if (address === undefined) throw new TypeError(text)
    return findSource(address)
  }
  t.not(sourceOf('10.0.0.1'), sourceOf('10.0.0.2'))
  t.equal(sourceOf('2001:db8:1:2::1'), sourceOf('2001:db8:1:2:ffff:ffff:ffff:ffff'))
  t.not(sourceOf('2001:db8:1:2::1'), sourceOf('2001:db8:1:3::1'))
  t.not(sourceOf('2001:db8:1:2::1'), sourceOf('2001:db8:11:2::1'))
  t.not(sourceOf('::1'), sourceOf('0.0.0.1'))
})
