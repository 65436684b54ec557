import t from 'tap'
import { type Listed, enlist, strike } from '../../../src/net/roster.ts'

t.test('who has been taken off is gone, whichever it is, and all others are there', async (t) => {
  for (const leaving of [0, 1, 2]) {
    const roster: Listed[] = []
    const all = [0, 1, 2].map(() => ({ index: -1 }))
    for (const one of all) enlist(roster, one)
    const gone = all[leaving] as Listed
    t.equal(strike(roster, gone), true)
    t.equal(strike(roster, gone), false, 'and is not taken off twice')
    t.strictSame(new Set(roster), new Set(all.filter((one) => one !== gone)))
    for (const one of roster) t.equal(roster[one.index], one, 'each knows where it is')
    for (const one of [...roster]) t.equal(strike(roster, one), true)
    t.equal(roster.length, 0)
  }
})
