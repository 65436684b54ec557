import { once } from 'node:events'
import t from 'tap'
import { watchSetup } from '../../../src/proxy/setup-watch.ts'
import { openPlainPair } from '../../support/socket-pair.ts'

const longMs = 3_600_000

t.test('when the time is up the signal is aborted, and the client is still there', async (t) => {
  const { near } = await openPlainPair(t)
  const watch = watchSetup(near.stream, 20)
  await once(watch.signal, 'abort')
  t.notOk(watch.isClientGone())
  watch.done()
})

t.test('when the client goes the signal is aborted at once', async (t) => {
  const { near, far } = await openPlainPair(t)
  const watch = watchSetup(near.stream, longMs)
  near.stream.resume()
  far.socket.resetAndDestroy()
  await once(watch.signal, 'abort')
  t.ok(watch.isClientGone())
  watch.done()
})

t.test('a client that has gone before is noticed at once', async (t) => {
  const { near } = await openPlainPair(t)
  near.stream.destroy()
  await once(near.stream, 'close')
  const watch = watchSetup(near.stream, longMs)
  t.ok(watch.signal.aborted)
  t.ok(watch.isClientGone())
  watch.done()
})

t.test('a client that has only half-closed still waits for its answer', async (t) => {
  const { near, far } = await openPlainPair(t)
  const watch = watchSetup(near.stream, longMs)
  near.stream.resume()
  far.stream.end()
  await once(near.stream, 'end')
  t.notOk(watch.signal.aborted)
  t.notOk(watch.isClientGone())
  watch.done()
})

t.test('once it is done, nothing aborts the signal, and neither timer nor listener is left', async (t) => {
  const { near } = await openPlainPair(t)
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const timersBefore = timers()
  const listenersBefore = near.stream.listenerCount('close')
  const watch = watchSetup(near.stream, longMs)
  watch.done()
  watch.done()
  t.equal(timers(), timersBefore)
  t.equal(near.stream.listenerCount('close'), listenersBefore)
  near.stream.destroy()
  await once(near.stream, 'close')
  t.notOk(watch.signal.aborted)
})
