import fc from 'fast-check'
import t from 'tap'
import { createTally } from '../../../src/net/tally.ts'
import { measureHeapGrowth } from '../../support/heap.ts'

t.test('what was added and not taken away is counted, by its key', async () => {
  const step = fc.record({ key: fc.constantFrom('a', 'b', 'c'), isAdded: fc.boolean() })
  fc.assert(fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
    const tally = createTally()
    const plain: Record<string, number> = {}
    for (const { key, isAdded } of steps) {
      const count = plain[key] ?? 0
      if (!isAdded && count === 0) continue
      plain[key] = isAdded ? count + 1 : count - 1
      if (isAdded) tally.add(key)
      else tally.remove(key)
    }
    return ['a', 'b', 'c'].every((key) => tally.count(key) === (plain[key] ?? 0))
  }))
})

t.test('keys of which there are none are dropped in the end, and no others', async (t) => {
  const tally = createTally()
  const grown = measureHeapGrowth(() => {
    tally.add('stays')
    for (let index = 0; index < 300_000; index++) {
      tally.add(`key ${index}`)
      tally.remove(`key ${index}`)
    }
  })
  t.ok(grown < 2 * 1024 * 1024, `the heap grew by ${grown} bytes`)
  t.equal(tally.count('stays'), 1)
  t.equal(tally.count('key 299999'), 0)
})
