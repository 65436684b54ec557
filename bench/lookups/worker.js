/**
 * One candidate in a process of its own: `node --expose-gc worker.js JOB`, where JOB is JSON. It says `ready`, waits
 * for a line on standard input, and prints what it found as one JSON line.
 */
import { readSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { median } from '../statistics.js'
import { openCandidate } from './candidates.js'
import { listPrefixes, readTagText } from './prefixes.js'
import { drawSample } from './sample.js'
import { timeCalls } from './timing.js'

const jobs = { find: timeLookups, load: timeLoads, bytes: measureBytes }
const { kind, candidate: key, ...job } = JSON.parse(process.argv[2])
const candidate = await openCandidate(key)
process.stdout.write('ready\n')
readSync(0, Buffer.alloc(16))
process.stdout.write(`${JSON.stringify(await jobs[kind](candidate, job))}\n`)

/** Nanoseconds of a lookup, by family and by whether there is something to be found. */
function timeLookups ({ load, toInput, contains, families = [4, 6] }, { tags, size, addresses, rounds, minMs }) {
  const text = readTagText(tags)
  const call = contains(load(text, size))
  const prefixes = listPrefixes(text, size)
  const cases = families.flatMap((family) => {
    const { hits, misses } = drawSample(prefixes, family, addresses)
    return [
      { name: `ipv${family}Hit`, inputs: hits.map(toInput), isFound: true, times: [] },
      { name: `ipv${family}Miss`, inputs: misses.map(toInput), isFound: false, times: [] },
    ]
  })
  // The first round is not counted: V8 sees every kind of input, and has the loop compiled.
  for (let round = 0; round <= rounds; round++) {
    for (const { inputs, isFound, times } of cases) {
      const time = timeCalls(call, inputs, { minMs, isFound })
      if (round > 0) times.push(time)
    }
  }
  return Object.fromEntries(cases.map(({ name, times }) => [name, median(times)]))
}

/** Milliseconds from the text of the file: the first time, as at a start, and later on; and those of its JSON alone. */
function timeLoads ({ load }, { tags, size, rounds }) {
  const text = readTagText(tags)
  const time = (make) => {
    const startedAt = performance.now()
    const made = make()
    const ms = performance.now() - startedAt
    if (made === undefined) throw new Error('nothing was made')
    return ms
  }
  const first = time(() => load(text, size))
  const repeat = (make) => median(Array.from({ length: rounds }, () => time(make)))
  return { first, later: repeat(() => load(text, size)), json: repeat(() => JSON.parse(text)) }
}

/** The bytes of what was loaded, when everything else of the file has gone: the mean of some that are kept. */
async function measureBytes ({ load, isOutsideHeap = false }, { tags, size, copies }) {
  if (isOutsideHeap) return {}
  const loadOnce = () => load(readTagText(tags), size)
  // What the engine keeps of running it the first times is not what is looked for.
  loadOnce()
  loadOnce()
  const before = await readLiveBytes()
  const kept = Array.from({ length: copies }, loadOnce)
  const bytes = await readLiveBytes() - before
  return { bytes: bytes / kept.length }
}

/** What is in use on the heap and in array buffers. */
async function readLiveBytes () {
  // V8 lets go of code that was not run between some collections, and of other things in a later turn.
  for (let round = 0; round < 10; round++) {
    globalThis.gc()
    await nextTurn()
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
