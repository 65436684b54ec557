/**
 * The processor time of a call, in nanoseconds, which others on the machine do not add to. The calls are doubled until
 * they take at least `minMs`, so that slow ones are bounded by time, and what comes before the last round has warmed it
 * up. Throws when an answer is not `isFound`, for which each answer has to be looked at: V8 cannot leave the calls out.
 */
export function timeCalls (call, inputs, { minMs, isFound }) {
  for (let count = 16; ; count *= 2) {
    const before = process.cpuUsage()
    const found = countFound(call, inputs, count)
    const { user, system } = process.cpuUsage(before)
    if (found !== (isFound ? count : 0)) throw new Error(`${found} of ${count} addresses were found, which is wrong`)
    if (user + system >= minMs * 1000) return (user + system) * 1000 / count
  }
}

/** Goes through the inputs again and again. */
function countFound (call, inputs, count) {
  let found = 0
  let at = 0
  for (let left = count; left > 0; left--) {
    if (call(inputs[at])) found++
    if (++at === inputs.length) at = 0
  }
  return found
}
