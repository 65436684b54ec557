import { once } from 'node:events'
import t from 'tap'
import { type SetupWatch, watchSetup } from '../../../src/proxy/setup-watch.ts'
import { openPlainPair } from '../../support/socket-pair.ts'

const longMs = 3_600_000

async function untilAborted (watch: SetupWatch): Promise<void> {
  await new Promise<void>((resolve) => { watch.addEventListener('abort', resolve) })
}

t.test('when the time is up it is aborted, and the client is still there', async (t) => {
  const { near } = await openPlainPair(t)
  const watch = watchSetup(near.stream, 20)
  await untilAborted(watch)
  t.notOk(watch.isClientGone())
  watch.done()
})

t.test('when the client goes it is aborted at once', async (t) => {
  const { near, far } = await openPlainPair(t)
  const watch = watchSetup(near.stream, longMs)
  near.stream.resume()
  far.socket.resetAndDestroy()
  await untilAborted(watch)
  t.ok(watch.isClientGone())
  watch.done()
})

t.test('a client that has gone before is noticed at once', async (t) => {
  const { near } = await openPlainPair(t)
  near.stream.destroy()
  await once(near.stream, 'close')
  const watch = watchSetup(near.stream, longMs)
  t.ok(watch.aborted)
  t.ok(watch.isClientGone())
  watch.done()
})

t.test('a client that has only half-closed still waits for its answer', async (t) => {
  const { near, far } = await openPlainPair(t)
  const watch = watchSetup(near.stream, longMs)
  near.stream.resume()
  far.stream.end()
  await once(near.stream, 'end')
  t.notOk(watch.aborted)
  t.notOk(watch.isClientGone())
  watch.done()
})

t.test('once it is done, nothing aborts it, and neither timer nor listener is left', async (t) => {
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
  t.notOk(watch.aborted)
})

t.test('each listener is told once, and one that was taken away is not', async (t) => {
  const { near } = await openPlainPair(t)
  const watch = watchSetup(near.stream, longMs)
  const told: string[] = []
  const tell = (who: string) => () => { told.push(who) }
  const removed = tell('removed')
  for (const listener of [tell('first'), removed, tell('second')]) watch.addEventListener('abort', listener)
  watch.removeEventListener('abort', removed)
  near.stream.destroy()
  await once(near.stream, 'close')
  t.strictSame(told, ['first', 'second'])
  watch.done()
})
