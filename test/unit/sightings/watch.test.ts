import t from 'tap'
import { beatMs, beatWatch, measureWatched, startWatch } from '../../../src/sightings/watch.ts'

const day = 86_400_000

t.test('time that was watched adds up, beat by beat', async (t) => {
  let watch = startWatch(1000)
  for (let minute = 1; minute <= 60; minute++) watch = beatWatch(watch, 1000 + minute * beatMs)
  t.equal(measureWatched(watch, 0), 60 * beatMs)
  t.equal(measureWatched(watch, 1000 + 50 * beatMs), 10 * beatMs, 'from a moment within')
  t.same(watch.gaps, [])
})

t.test('a gateway that was down, a machine that slept and a clock set forward are gaps; a restart is none', async (t) => {
  const restarted = beatWatch(startWatch(0), 4 * beatMs)
  t.equal(measureWatched(restarted, 0), 4 * beatMs)
  const slept = beatWatch(restarted, 4 * beatMs + 10 * day)
  t.same(slept.gaps, [{ from: 4 * beatMs, to: 4 * beatMs + 10 * day }])
  t.equal(measureWatched(slept, 0), 4 * beatMs)
  const later = beatWatch(slept, slept.until + beatMs)
  t.equal(measureWatched(later, 5 * day), beatMs, 'a moment within the gap')
  t.equal(measureWatched(later, later.until + day), 0, 'a moment to come')
})

t.test('a clock that was set back begins the watch anew', async (t) => {
  const watch = beatWatch(startWatch(100 * day), 100 * day + beatMs)
  t.same(beatWatch(watch, 50 * day), { since: 50 * day, until: 50 * day, gaps: [] })
  t.equal(beatWatch(watch, 100 * day).until, 100 * day + beatMs, 'by a minute it is only corrected')
})

t.test('gaps are bounded: what lies before the ones that are kept is given up', async (t) => {
  let watch = startWatch(0)
  for (let index = 1; index <= 300; index++) watch = beatWatch(beatWatch(watch, index * day), index * day + beatMs)
  t.equal(watch.gaps.length, 100)
  t.equal(measureWatched(watch, 0), 101 * beatMs)
})
