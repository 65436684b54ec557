import t from 'tap'
import { createProgress, formatBytes } from '../../../src/cli/progress.ts'

/** A terminal or a file that keeps what is written, and a clock that a test moves. */
function createBench (isTTY: boolean) {
  const written: string[] = []
  const clock = { nowMs: 0 }
  const progress = createProgress({
    output: { isTTY, write: (text) => written.push(text) },
    label: 'Pulled',
    now: () => clock.nowMs,
  })
  return { written, clock, progress }
}

const megabyte = 1_000_000

t.test('on a terminal one line is drawn over and over, at most ten times a second', (t) => {
  const { written, clock, progress } = createBench(true)
  for (; clock.nowMs <= 1000; clock.nowMs++) progress.update(clock.nowMs * megabyte / 10, 100 * megabyte)
  t.equal(written.length, 11)
  t.ok(written.every((text) => text.startsWith('\rPulled [') && text.endsWith('\u001b[K')))
  t.equal(written[5], '\rPulled [###############...............]  50 %  50 MB of 100 MB, 100 MB/s\u001b[K')
  t.end()
})

t.test('on a terminal the end leaves the last state, however soon it comes', (t) => {
  const { written, clock, progress } = createBench(true)
  progress.update(1, 100)
  clock.nowMs = 50
  progress.update(100, 100)
  progress.end()
  t.strictSame(written.slice(1), [`\rPulled [${'#'.repeat(30)}] 100 %  100 B of 100 B, 2.0 kB/s\u001b[K\n`])
  t.end()
})

t.test('elsewhere there is a line for each quarter, and the last one says 100 %', (t) => {
  const { written, clock, progress } = createBench(false)
  for (let done = 0; done <= 100; done++) {
    clock.nowMs += 10
    progress.update(done, 100)
  }
  progress.update(100, 100)
  progress.end()
  t.strictSame(written.map((line) => /(\d+) %/.exec(line)?.[1]), ['25', '50', '75', '100'])
  t.ok(written.every((line) => /^[ -~]+\n$/.test(line)))
  t.end()
})

t.test('a leap over several quarters is one line', (t) => {
  const { written, progress } = createBench(false)
  progress.update(80, 100)
  progress.update(100, 100)
  t.equal(written.length, 2)
  t.end()
})

t.test('without an update nothing is written', (t) => {
  for (const isTTY of [true, false]) {
    const { written, progress } = createBench(isTTY)
    progress.end()
    t.strictSame(written, [])
  }
  t.end()
})

t.test('bytes are written in the largest unit that leaves a digit before the point', (t) => {
  const table: ReadonlyArray<readonly [number, string]> = [
    [0, '0 B'], [1, '1 B'], [99.6, '100 B'], [999, '999 B'], [999.7, '1.0 kB'], [1000, '1.0 kB'],
    [1049, '1.0 kB'], [9949, '9.9 kB'], [9960, '10 kB'], [12_345, '12 kB'], [99_400, '99 kB'], [99_600, '100 kB'],
    [100_000, '100 kB'], [999_499, '999 kB'], [999_500, '1.0 MB'], [300_000_000, '300 MB'], [2_000_000_000, '2.0 GB'],
    [5e12, '5.0 TB'], [5e15, '5000 TB'],
  ]
  for (const [bytes, text] of table) t.equal(formatBytes(bytes), text)
  t.end()
})
