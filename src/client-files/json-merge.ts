import type { JsonMap } from './client-setup.ts'
import type { Merged } from './merged.ts'

/** Puts keys into a JSON file. The other keys keep their places and values; the file keeps its indentation. */
export function mergeJson (existing: string, value: JsonMap, force: boolean): Merged {
  const parsed = parseMap(existing)
  if (parsed === undefined) return refuse('is not a JSON object, so nothing can be added to it; mend it, or add the lines below', false)
  // What JavaScript would write back as another number.
  if (/(?<![\w"])-?\d{16}/.test(existing)) return refuse('has numbers too long to be kept; add the lines below yourself', false)
  const conflict = findConflict(parsed, value, [])
  if (conflict !== undefined && !force) {
    return refuse(`has ${conflict} with another value; put that right, or write --force to replace it`, true)
  }
  const indent = /^[{][ \t]*\r?\n([ \t]+)"/.exec(existing.trimStart())?.[1] ?? 2
  const text = `${JSON.stringify(mergeMaps(parsed, value), null, indent)}\n`
  return { ok: true, text: JSON.stringify(parsed) === JSON.stringify(JSON.parse(text)) ? existing : text }
}

type OpenMap = Readonly<Record<string, unknown>>

function refuse (problem: string, canForce: boolean): Merged {
  return { ok: false, problem, canForce }
}

function parseMap (text: string): OpenMap | undefined {
  if (text.trim() === '') return {}
  try {
    const parsed: unknown = JSON.parse(text)
    return isMap(parsed) ? parsed : undefined
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return undefined
  }
}

function isMap (value: unknown): value is OpenMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The first key that is there with another value, as `proxies.https-proxy`. */
function findConflict (there: OpenMap, value: JsonMap, path: readonly string[]): string | undefined {
  for (const [key, wanted] of Object.entries(value)) {
    const found = Object.hasOwn(there, key) ? there[key] : undefined
    if (found === undefined || found === wanted) continue
    const here = [...path, key]
    if (typeof wanted === 'string' || !isMap(found)) return here.join('.')
    const below = findConflict(found, wanted, here)
    if (below !== undefined) return below
  }
  return undefined
}

function mergeMaps (there: OpenMap, value: JsonMap): OpenMap {
  const merged: Record<string, unknown> = { ...there }
  for (const [key, wanted] of Object.entries(value)) {
    const found = merged[key]
    merged[key] = typeof wanted === 'string' ? wanted : mergeMaps(isMap(found) ? found : {}, wanted)
  }
  return merged
}
