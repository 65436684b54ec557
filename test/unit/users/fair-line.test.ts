import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { createFairLine } from '../../../src/users/fair-line.ts'

/** Work that is written down when it begins, and ends when it is told to. */
function createWork () {
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  return {
    begun,
    make: (name: string) => async (): Promise<string> => {
      begun.push(name)
      await new Promise<void>((resolve) => { ends.set(name, resolve) })
      return name
    },
    async end (name: string): Promise<void> {
      ends.get(name)?.()
      await setImmediate()
    },
  }
}

t.test('a source has one piece of work at a time, and sources take turns', async (t) => {
  const line = createFairLine({ maxRunning: 2, maxWaiting: 100, maxWaitingPerSource: 10 })
  const { begun, make, end } = createWork()
  const names = ['a1', 'a2', 'a3', 'b1', 'c1', 'b2']
  const results = names.map(async (name) => await line.run(name.slice(0, 1), make(name)))
  await setImmediate()
  t.same(begun, ['a1', 'b1'], 'a2 waits for a1 although there is room')
  await end('a1')
  t.same(begun, ['a1', 'b1', 'c1'], 'c came before a had its turn again')
  await end('b1')
  t.same(begun.slice(3), ['a2'])
  await end('a2')
  t.same(begun.slice(4), ['b2'])
  await end('b2')
  t.same(begun.slice(5), ['a3'])
  await end('c1')
  await end('a3')
  t.same(await Promise.all(results), names)
})

t.test('one that floods the line puts another back by one turn', async (t) => {
  const line = createFairLine({ maxRunning: 1, maxWaiting: 100, maxWaitingPerSource: 50 })
  const { begun, make, end } = createWork()
  for (let index = 0; index < 40; index++) void line.run('flood', make(`flood${index}`))
  void line.run('other', make('other'))
  await end('flood0')
  t.same(begun, ['flood0', 'other'])
})

t.test('a line that is full takes nothing in, by source and in all', async (t) => {
  const line = createFairLine({ maxRunning: 1, maxWaiting: 4, maxWaitingPerSource: 2 })
  const { make, end } = createWork()
  for (const name of ['a1', 'a2', 'a3']) t.ok(line.run('a', make(name)), name)
  t.equal(line.run('a', make('a4')), undefined, 'one runs and two wait')
  for (const name of ['b1', 'c1']) t.ok(line.run(name, make(name)), name)
  t.equal(line.run('d', make('d1')), undefined, 'four wait')
  await end('a1')
  t.ok(line.run('d', make('d1')), 'there is room again')
})

t.test('work that fails, also before it has begun, holds nobody up', async (t) => {
  const line = createFairLine({ maxRunning: 1, maxWaiting: 4, maxWaitingPerSource: 4 })
  const failed = line.run('a', async () => { throw new TypeError('late') })
  const broken = line.run('a', () => { throw new TypeError('at once') })
  const done = line.run('a', async () => 'done')
  await t.rejects(failed ?? Promise.resolve(), { message: 'late' })
  await t.rejects(broken ?? Promise.resolve(), { message: 'at once' })
  t.equal(await done, 'done')
})
