import fc from 'fast-check'
import t from 'tap'
import { formatDuration, guessDuration, parseDuration } from '../../../src/config/duration.ts'

t.test('a duration is a whole number and one unit', async (t) => {
  const good = { '0s': 0, '500ms': 500, '10s': 10_000, '15m': 900_000, '1h': 3_600_000, '14d': 1_209_600_000 }
  for (const [text, durationMs] of Object.entries(good)) t.equal(parseDuration(text), durationMs, text)
  for (const text of ['', '10', 's', '010s', '-1s', '+1s', '1.5s', '1h30m', '10 s', '10S', 'PT10S', '10s\n', '1e3s', '1234567890s']) {
    t.equal(parseDuration(text), undefined, JSON.stringify(text))
  }
})

t.test('whatever is formatted is read as the same duration', async (t) => {
  const anyMs = fc.integer({ min: 0, max: 999_999_999 })
  fc.assert(fc.property(anyMs, (durationMs) => parseDuration(formatDuration(durationMs)) === durationMs))
  t.equal(formatDuration(900_000), '15m')
  t.equal(formatDuration(86_400_000), '1d')
  t.equal(formatDuration(1500), '1500ms')
  t.equal(formatDuration(0), '0s')
})

t.test('a near miss is guessed, and nothing else is', async (t) => {
  const guesses = { '10 s': '10s', '10 sec': '10s', '2 Minutes': '2m', '5min': '5m', '3 hours': '3h', '1 day': '1d', '20msec': '20ms', '007': '7s' }
  for (const [text, guess] of Object.entries(guesses)) t.equal(guessDuration(text), guess, text)
  t.equal(guessDuration(10), '10s')
  for (const found of ['2 months', '1h30m', 'soon', -1, 1.5, NaN, null, undefined, true, []]) t.equal(guessDuration(found), undefined, String(found))
})
