/** The percentiles of some times, in their own unit; sorts them. */
export function summarize (times) {
  times.sort()
  const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))]
  return { count: times.length, p50: at(0.5), p99: at(0.99), max: times.at(-1) }
}
