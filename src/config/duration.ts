const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

type Unit = keyof typeof unitMs

/** A whole number and one unit: `500ms`, `10s`, `15m`, `1h`, `14d`. */
export const durationPattern = /^(?:0|[1-9][0-9]{0,8})(?:ms|s|m|h|d)$/

/** The duration in milliseconds, or `undefined` if the text is none. */
export function parseDuration (text: string): number | undefined {
  if (!durationPattern.test(text)) return undefined
  const unit = text.replace(/^[0-9]+/, '') as Unit
  return Number.parseInt(text, 10) * unitMs[unit]
}

/** The shortest text that `parseDuration` reads as these milliseconds, a whole number. */
export function formatDuration (durationMs: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (durationMs !== 0 && durationMs % unitMs[unit] === 0) return `${durationMs / unitMs[unit]}${unit}`
  }
  return durationMs === 0 ? '0s' : `${durationMs}ms`
}

/** What was probably meant by something that is no duration: `10` or `10 sec` are `10s`. */
export function guessDuration (found: unknown): string | undefined {
  if (typeof found !== 'number' && typeof found !== 'string') return undefined
  const spelled = /^([0-9]+) ?(?:(ms|msec)|(s|secs?|seconds?)?|(m|mins?|minutes?)|(h|hours?)|(d|days?))$/i.exec(String(found))
  if (spelled === null) return undefined
  const [, count, ms, , m, h, d] = spelled
  const unit = ms !== undefined ? 'ms' : m !== undefined ? 'm' : h !== undefined ? 'h' : d !== undefined ? 'd' : 's'
  const guess = `${Number(count)}${unit}`
  return parseDuration(guess) === undefined ? undefined : guess
}
