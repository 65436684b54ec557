/** Numbers for a reader: three digits that count, and no more. */
export function formatNumber (value) {
  const size = Math.abs(value)
  if (size >= 1000) return Math.round(value).toLocaleString('en')
  if (size >= 100) return value.toFixed(0)
  if (size >= 10) return value.toFixed(1)
  return value.toFixed(size >= 1 || size === 0 ? 2 : 3)
}

/** A median, and how far the repeats went apart. */
export function formatSpread ({ median, min, max, count }, format) {
  const text = format(median)
  return count === 1 ? text : `${text} (${format(min)}–${format(max)})`
}
