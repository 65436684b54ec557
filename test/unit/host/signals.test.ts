import { once } from 'node:events'
import t from 'tap'
import { createStops } from '../../../src/host/signals.ts'

function countListeners (): number {
  return process.listenerCount('SIGINT') + process.listenerCount('SIGTERM')
}

t.test('each signal is for one who took it, in order, and then the system has them again', async (t) => {
  // Waiting for a signal does not keep a process alive.
  const awake = setInterval(() => {}, 1000)
  t.teardown(() => { clearInterval(awake) })
  const before = countListeners()
  const stops = createStops(() => t.fail('the process is not to end'))
  t.equal(countListeners(), before, 'nothing is taken before it is asked for')
  const [first, second] = [stops.take(), stops.take()]
  for (const [signal, taken] of [['SIGTERM', first], ['SIGINT', second]] as const) {
    const aborted = once(taken, 'abort')
    process.kill(process.pid, signal)
    await aborted
    t.equal(second.aborted, taken === second)
  }
  t.equal(countListeners(), before)
  const third = stops.take()
  t.equal(countListeners(), before + 2)
  const aborted = once(third, 'abort')
  process.kill(process.pid, 'SIGINT')
  await aborted
  t.equal(countListeners(), before)
})
