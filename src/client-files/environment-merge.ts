import type { Entry } from './client-setup.ts'
import type { Merged } from './merged.ts'

/** Puts variables into a file like /etc/environment: at its end, or in the place of a line that has the name. */
export function mergeEnvironment (existing: string, entries: readonly Entry[], force: boolean): Merged {
  const lines = existing.split('\n')
  if (lines.at(-1) === '') lines.pop()
  for (const { key, value } of entries) {
    const line = `${key}=${value}`
    // pam_env(8) allows `export` in front, and quotes around the value; the last of several lines counts.
    const index = lines.findLastIndex((one) => new RegExp(`^\\s*(?:export\\s+)?${key}=`).test(one))
    if (index === -1) {
      lines.push(line)
      continue
    }
    if (readValue(lines[index] ?? '') === value) continue
    if (!force) {
      return { ok: false, canForce: true, problem: `has ${key} with another value; put that right, or write --force to replace it` }
    }
    lines[index] = line
  }
  const text = `${lines.join('\n')}\n`
  return { ok: true, text: text === `${existing}\n` ? existing : text }
}

function readValue (line: string): string {
  return line.slice(line.indexOf('=') + 1).trim().replace(/^(["'])(.*)\1$/, '$2')
}
