import { readdirSync } from 'node:fs'
import t from 'tap'
import { loadLibc } from '../../../src/host/libc.ts'
import { createPipePool, largePipeBytes, smallPipeBytes } from '../../../src/relay/splice/pipe-pool.ts'

const loaded = loadLibc()
const skip = 'libc' in loaded ? false : `needs the C library: ${loaded.problem}`
const countDescriptors = (): number => readdirSync('/proc/self/fd').length

t.test('pipes of the system', { skip }, async (t) => {
  if (!('libc' in loaded)) return
  const { libc } = loaded

  t.test('the first half of the bytes is in large pipes, the rest in small ones, and then there is none', async (t) => {
    const before = countDescriptors()
    const pool = createPipePool({ libc, maxBytes: 4 * largePipeBytes })
    const pipes = []
    for (let pipe = pool.take(); pipe !== undefined; pipe = pool.take()) pipes.push(pipe)
    const sizes = pipes.map(({ bytes }) => bytes)
    const smallCount = 2 * largePipeBytes / smallPipeBytes
    t.strictSame(sizes, [largePipeBytes, largePipeBytes, ...Array<number>(smallCount).fill(smallPipeBytes)])
    t.strictSame([pool.lent, pool.idle], [sizes.length, 0])
    t.equal(countDescriptors() - before, 2 * sizes.length)
    for (const pipe of pipes) pool.give(pipe)
    t.equal(pool.take()?.bytes, largePipeBytes, 'of those that wait, a large one goes first')
    t.strictSame([pool.lent, pool.idle], [1, sizes.length - 1])
    pool.trim()
    t.equal(countDescriptors() - before, 2, 'what waits is closed, what is lent is not')
  })

  t.test('a pipe that is scrapped makes room for another', async (t) => {
    const before = countDescriptors()
    const pool = createPipePool({ libc, maxBytes: smallPipeBytes })
    const first = pool.take()
    t.equal(pool.take(), undefined)
    if (first !== undefined) pool.scrap(first)
    const second = pool.take()
    t.equal(second?.bytes, smallPipeBytes)
    if (second !== undefined) pool.scrap(second)
    t.strictSame([pool.lent, pool.idle, countDescriptors() - before], [0, 0, 0])
  })

  t.test('a pipe that the system makes smaller than asked for is not kept', async (t) => {
    const before = countDescriptors()
    const pool = createPipePool({ libc: { ...libc, setPipeSize: () => 8192 }, maxBytes: 4 * largePipeBytes })
    t.equal(pool.take(), undefined)
    t.equal(countDescriptors(), before)
  })
})
