/** What is said of some repeats. */

/** The middle one, or between the two in the middle; `undefined` of none. */
export function median (values) {
  if (values.length === 0) return undefined
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** @returns {{ median: number, min: number, max: number, count: number } | undefined} `undefined` of none. */
export function spreadOf (values) {
  if (values.length === 0) return undefined
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), count: values.length }
}
