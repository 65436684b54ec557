import t from 'tap'
import { type TokenBuckets, createTokenBuckets } from '../../../src/net/token-buckets.ts'

/** Takes tokens as long as there are some; how many there were. */
function drain (buckets: TokenBuckets, key: string): number {
  let taken = 0
  for (; buckets.findWaitMs(key) === 0; taken++) buckets.take(key)
  return taken
}

t.test('a bucket is full at first, fills by a token an interval, and no fuller than full', async (t) => {
  let time = 1_000_000
  const buckets = createTokenBuckets({ burst: 3, refillMs: 2000, maxKeys: 10, now: () => time })
  t.equal(drain(buckets, 'a'), 3)
  t.equal(drain(buckets, 'b'), 3, 'each key has its own')
  t.equal(buckets.findWaitMs('a'), 2000)
  time += 1999
  t.equal(buckets.findWaitMs('a'), 1)
  time += 1
  t.equal(drain(buckets, 'a'), 1)
  time += 1_000_000
  t.equal(drain(buckets, 'a'), 3)
})

t.test('a token that is taken before it is there is waited for', async (t) => {
  let time = 0
  const buckets = createTokenBuckets({ burst: 1, refillMs: 1000, maxKeys: 10, now: () => time })
  for (let taken = 0; taken < 3; taken++) buckets.take('a')
  t.equal(buckets.findWaitMs('a'), 3000)
  time += 3000
  t.equal(drain(buckets, 'a'), 1)
})

t.test('of too many buckets those that nobody looked at for longest are forgotten', async (t) => {
  const buckets = createTokenBuckets({ burst: 1, refillMs: 1000, maxKeys: 2, now: () => 0 })
  for (const key of ['a', 'b', 'a', 'c']) buckets.take(key)
  t.equal(buckets.findWaitMs('b'), 0)
  t.ok(buckets.findWaitMs('a') > 0)
  t.ok(buckets.findWaitMs('c') > 0)
})
