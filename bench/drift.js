/** Whether the machine stayed the same while something was measured. */
import { median } from './statistics.js'
import { directName, referenceName } from './turns.js'

const largestDeviation = 0.10

/**
 * How far the references went apart over the repeats of a measurement: largest over smallest, and for the C loop the
 * largest distance from the median. A measurement is void when that is over a tenth; `undefined` of a single repeat.
 *
 * @typedef {{
 *   directRate?: number, loopRate?: number, loopCpu?: number, loopCpuDeviation?: number, isVoid: boolean,
 * }} Drift
 * @returns {Drift | undefined}
 */
export function findDrift (results, id) {
  const valuesOf = (name, figure) => {
    const references = results.figuresOf(id, name, figure, { isReference: true })
    return (references.length > 0 ? references : results.figuresOf(id, name, figure)).map(({ value }) => value)
  }
  const directRates = valuesOf(directName, 'gigabytesPerSecond')
  if (directRates.length < 2) return undefined
  const loopCpu = valuesOf(referenceName, 'cpuSecondsPerGigabyte')
  const deviation = findDeviation(loopCpu)
  return {
    directRate: findStretch(directRates),
    loopRate: findStretch(valuesOf(referenceName, 'gigabytesPerSecond')),
    loopCpu: findStretch(loopCpu),
    loopCpuDeviation: deviation,
    // A quick run is too short for its references to be exact.
    isVoid: results.data.plan.reference !== undefined && deviation !== undefined && deviation > largestDeviation,
  }
}

function findStretch (values) {
  return values.length < 2 ? undefined : Math.max(...values) / Math.min(...values)
}

function findDeviation (values) {
  if (values.length < 2) return undefined
  const middle = median(values)
  return Math.max(...values.map((value) => Math.abs(value / middle - 1)))
}
