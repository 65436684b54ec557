/** The known word that a mistyped one most likely stands for: within two edits, and not another word altogether. */
export function findNearest (word: string, known: readonly string[]): string | undefined {
  return known
    .map((name) => ({ name, distance: editDistance(word.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, distance }) => distance <= 2 && distance < name.length)
    .sort((a, b) => a.distance - b.distance)[0]?.name
}

/** Words of a configuration or a command line are short; a longer one is no slip of the hand, and costs its square. */
const maxLength = 64

/** Levenshtein's distance. */
function editDistance (a: string, b: string): number {
  if (a.length > maxLength || b.length > maxLength) return Infinity
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
