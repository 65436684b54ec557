import type { Entry } from './client-setup.ts'
import type { Merged } from './merged.ts'
import { quoteForToml } from './quoting.ts'

/**
 * Puts entries into a table of a TOML file, right behind its header, and leaves every other line as it is. Only where
 * the lines alone say what is what: strings over several lines, and a table in another spelling, are left to a person.
 */
export function mergeToml (
  existing: string, { table, entries }: { readonly table: string, readonly entries: readonly Entry[] }, force: boolean,
): Merged {
  if (/"""|'''/.test(existing)) return refuse('has strings over several lines, between which a header could be text; add the lines below yourself')
  const lines = existing.split('\n')
  const headers = lines.flatMap((line, index) => isHeader(line, table) ? [index] : [])
  const [header, second] = headers
  if (second !== undefined) return refuse(`has [${table}] twice, on lines ${headers.map((index) => index + 1).join(' and ')}; leave one`)
  if (header === undefined) {
    return refuse(`has no section [${table}]; take the comment signs away from it and from the sections it belongs to, or add the lines below`)
  }
  return putBehind(lines, header, entries, force)
}

function refuse (problem: string, canForce = false): Merged {
  return { ok: false, problem, canForce }
}

function isHeader (line: string, table: string): boolean {
  const name = table.split('.').map((part) => `(?:${part}|"${part}"|'${part}')`).join('\\s*\\.\\s*')
  return new RegExp(`^\\s*\\[\\s*${name}\\s*\\]\\s*(?:#.*)?$`).test(line)
}

function putBehind (lines: readonly string[], header: number, entries: readonly Entry[], force: boolean): Merged {
  const next = lines.findIndex((line, index) => index > header && /^\s*\[/.test(line))
  const end = next === -1 ? lines.length : next
  const merged = [...lines]
  const added: string[] = []
  const lineEnd = lines[header]?.endsWith('\r') === true ? '\r' : ''
  for (const { key, value, others = [] } of entries) {
    const wanted = `${quoteForToml(key)} = ${quoteForToml(value)}${lineEnd}`
    const index = lines.findIndex((line, at) => at > header && at < end && readEntry(line)?.key === key)
    const found = readEntry(lines[index] ?? '')?.value
    if (index === -1) {
      added.push(wanted)
    } else if (found !== value && (found === undefined || !others.includes(found))) {
      if (!force) return refuse(`has ${key} with another value on line ${index + 1}; put that right, or write --force to replace it`, true)
      merged[index] = wanted
    }
  }
  return { ok: true, text: merged.toSpliced(header + 1, 0, ...added).join('\n') }
}

/** A line `KEY = STRING`, the key bare or in quotes; `value` is absent when it is not one string without escapes. */
function readEntry (line: string): { readonly key: string, readonly value?: string } | undefined {
  const [, , key, rest = ''] = /^\s*(["']?)([\w-]+)\1\s*=\s*(.*)$/s.exec(line) ?? []
  if (key === undefined) return undefined
  const [, , value] = /^(["'])([^"'\\]*)\1\s*(?:#.*)?$/s.exec(rest) ?? []
  return { key, ...value === undefined ? {} : { value } }
}
