import t from 'tap'
import type { Libc } from '../../../src/host/libc.ts'
import { type PacedFlow, createPace, createReadThresholds } from '../../../src/relay/splice/read-thresholds.ts'

const mebibyte = 1024 * 1024

/** The thresholds, one flow, and what was asked of its socket; time and bytes are the test's. */
function startFlow () {
  const asked: number[] = []
  const libc = { setReadThreshold: (_fd: number, bytes: number) => asked.push(bytes) } as unknown as Libc
  const thresholds = createReadThresholds<PacedFlow>(libc)
  const flow = { from: { fd: 9, readable: false }, bytes: 0, isDone: false, pace: createPace() }
  return {
    asked,
    flow,
    thresholds,
    /** So many bytes come before the socket is empty. */
    bring (bytes: number, now: number, isAlone = true) {
      flow.bytes += bytes
      thresholds.note(flow, now, isAlone)
    },
  }
}

t.test('a flow that brings much three times in a row has a threshold from then on', async (t) => {
  const { asked, bring } = startFlow()
  bring(mebibyte, 1)
  bring(mebibyte, 2)
  t.strictSame(asked, [])
  bring(mebibyte, 3)
  t.strictSame(asked, [mebibyte])
  bring(mebibyte, 4)
  t.strictSame(asked, [mebibyte], 'and is not given it again')
})

t.test('a flow that brings less, or beside others, has none', async (t) => {
  const slow = startFlow()
  for (let now = 0; now < 10; now++) slow.bring(mebibyte - 1, now)
  t.strictSame(slow.asked, [])
  const crowded = startFlow()
  for (let now = 0; now < 10; now++) crowded.bring(mebibyte, now, now % 3 !== 0)
  t.strictSame(crowded.asked, [])
})

t.test('a threshold that is not reached within a millisecond is given up', async (t) => {
  const { asked, bring, flow, thresholds } = startFlow()
  for (const now of [1, 2, 3]) bring(mebibyte, now)
  t.equal(thresholds.nextCheckAt, 4)
  t.strictSame(thresholds.takeOverdue(3.5), [])
  t.equal(thresholds.nextCheckAt, 4)
  t.strictSame(thresholds.takeOverdue(4), [flow])
  t.strictSame(asked, [mebibyte, 1])
  t.equal(thresholds.nextCheckAt, Infinity)
  bring(10, 4)
  bring(mebibyte, 5)
  bring(mebibyte, 6)
  t.strictSame(asked, [mebibyte, 1], 'it has to prove itself again')
})

t.test('a flow that woke with less, as with the last bytes before FIN, has no threshold any more', async (t) => {
  const { asked, bring, thresholds } = startFlow()
  for (const now of [1, 2, 3]) bring(mebibyte, now)
  bring(10, 3.5)
  t.strictSame(asked, [mebibyte, 1])
  t.strictSame(thresholds.takeOverdue(100), [])
})

t.test('a flow that still has bytes to read, or has ended, is never overdue', async (t) => {
  const { bring, flow, thresholds } = startFlow()
  for (const now of [1, 2, 3]) bring(mebibyte, now)
  flow.from.readable = true
  t.strictSame(thresholds.takeOverdue(100), [])
  flow.from.readable = false
  thresholds.forget(flow)
  t.strictSame(thresholds.takeOverdue(100), [])
})
