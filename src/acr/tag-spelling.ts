/**
 * The words that the regions in Microsoft's names of service tags are made of, as they are written there: EastUS2,
 * SoutheastAsia, USGovVirginia. Read from the files of the three clouds, 2025-10 and 2026-07.
 */
const words = [
  'North', 'South', 'East', 'West', 'Central', 'Northeast', 'Northwest', 'Southeast', 'Southwest',
  'US', 'UK', 'UAE', 'EUAP', 'STG', 'Stage', 'Gov', 'DoD', 'Africa', 'Arizona', 'Asia', 'Australia', 'Austria', 'Belgium',
  'Brazil', 'Canada', 'Chile', 'China', 'Denmark', 'Europe', 'Finland', 'France', 'Germany', 'Greece', 'India', 'Indonesia',
  'Israel', 'Italy', 'Japan', 'Jio', 'Korea', 'Malaysia', 'Mexico', 'New', 'Norway', 'Poland', 'Qatar', 'Saudi', 'Arabia',
  'Spain', 'Sweden', 'Switzerland', 'Taiwan', 'Texas', 'Virginia', 'Zealand',
] as const

const spelling = new Map<string, string>(words.map((word) => [word.toLowerCase(), word]))
// The longest first: southeast is one word.
const word = [...spelling.keys()].sort((a, b) => b.length - a.length).join('|')
const region = new RegExp(`^(?:${word}|[0-9]+)+$`)
const part = new RegExp(`${word}|[0-9]+`, 'g')

/**
 * A service tag's name with its region as Microsoft spells it: `Storage.eastus2` is `Storage.EastUS2`. A region of
 * other words stays as it is. Azure takes a tag however it is capitalised, but its portal shows only the right ones.
 */
export function spellTag (name: string): string {
  const dot = name.indexOf('.')
  const suffix = name.slice(dot + 1)
  if (dot === -1 || !region.test(suffix)) return name
  return name.slice(0, dot + 1) + suffix.replace(part, (text) => spelling.get(text) ?? text)
}
