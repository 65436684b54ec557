import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes that are held behind some work and were not before it, garbage not counted. */
export function measureHeapGrowth (work: () => void): number {
  // The one way to have it for this purpose alone, without a flag on every run.
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const before = process.memoryUsage().heapUsed
  work()
  collect()
  return process.memoryUsage().heapUsed - before
}
