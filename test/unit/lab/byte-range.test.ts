import t from 'tap'
import { parseRange } from '../../../src/lab/byte-range.ts'

t.test('a range is read against the size of the content', async t => {
  const table: ReadonlyArray<readonly [string | undefined, number, unknown]> = [
    ['bytes=0-0', 10, { start: 0, end: 0 }],
    ['bytes=3-5', 10, { start: 3, end: 5 }],
    ['bytes=3-', 10, { start: 3, end: 9 }],
    ['bytes=3-99', 10, { start: 3, end: 9 }],
    ['bytes=-4', 10, { start: 6, end: 9 }],
    ['bytes=-99', 10, { start: 0, end: 9 }],
    ['bytes=10-', 10, 'unsatisfiable'],
    ['bytes=10-12', 10, 'unsatisfiable'],
    ['bytes=-0', 10, 'unsatisfiable'],
    [undefined, 10, undefined],
    ['', 10, undefined],
    ['bytes=-', 10, undefined],
    ['bytes=5-3', 10, undefined],
    ['bytes=0-1,3-4', 10, undefined],
    ['items=0-1', 10, undefined],
    ['bytes=a-b', 10, undefined],
  ]
  for (const [header, size, expected] of table) t.strictSame(parseRange(header, size), expected, header ?? 'no header')
})
