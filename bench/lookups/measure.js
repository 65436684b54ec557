/** A process of its own for one candidate and one size: `node measure.js CANDIDATE SIZE MS [FILE]`, figures as JSON. */
import { parseCidr } from '../../dist/net/cidr.js'
import { createCidrSet } from '../../dist/net/cidr-set.js'
import { candidates } from './candidates.js'
import { makeAddresses, readPrefixes } from './prefixes.js'

const addressCount = 4096
const [, , name, size, durationText, file] = process.argv
const durationMs = Number(durationText)
const { build, read, has } = candidates[name]
const prefixes = readPrefixes(file === '' ? undefined : file)[size]

/** What is alive, in bytes; needs --expose-gc. */
async function measureMemory () {
  // What the JSON was read from is let go of in a later turn.
  for (let round = 0; round < 3; round++) {
    globalThis.gc()
    await new Promise(setImmediate)
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

let found = 0

/** Nanoseconds for a look-up, over whole rounds of all addresses or as many as there is time for. */
function time (set, texts) {
  const inputs = texts.map(read)
  const run = (limitMs) => {
    const startedAt = performance.now()
    let count = 0
    do {
      // A slow candidate is asked the time more often.
      const end = Math.min(inputs.length, count === 0 ? 16 : inputs.length)
      for (let index = 0; index < end; index++) if (has(set, inputs[index])) found++
      count += end
    } while (performance.now() - startedAt < limitMs)
    return (performance.now() - startedAt) * 1e6 / count
  }
  run(durationMs / 4)
  return run(durationMs)
}

const before = await measureMemory()
const startedAt = performance.now()
const set = build(prefixes)
const buildMs = performance.now() - startedAt
const figures = { buildMs, bytes: await measureMemory() - before, prefixes: prefixes.length }
const oracle = createCidrSet(prefixes.map(parseCidr))
for (const family of [4, 6]) {
  const { hits, misses } = makeAddresses(oracle, family, addressCount)
  figures[`hit${family}`] = time(set, hits)
  figures[`miss${family}`] = time(set, misses)
}
console.log(JSON.stringify({ ...figures, found: found > 0 }))
