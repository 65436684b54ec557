import type { z } from 'zod'
import { listKeys } from './key-list.ts'
import { findNearest } from './nearest.ts'
import { type Finding, type Path, describeFound, quote } from './problem.ts'
import { type CheckedSettings, schema } from './schema.ts'

export type CheckResult =
  | { readonly ok: true, readonly checked: CheckedSettings }
  | { readonly ok: false, readonly findings: readonly Finding[] }

/** Holds plain settings against the schema; says all that is wrong with them. */
export function checkSettings (value: unknown): CheckResult {
  const result = schema.safeParse(value, {
    // Only for what no field of the schema has a sentence of its own for.
    error: ({ input }) => `${describeFound(input)} is not accepted here; see docs/configuration.md for what to write`,
  })
  if (result.success) return { ok: true, checked: result.data }
  return { ok: false, findings: listFindings(result.error.issues, []) }
}

function listFindings (issues: readonly z.core.$ZodIssue[], parent: Path): Finding[] {
  return issues.flatMap((issue) => {
    const path = [...parent, ...issue.path.map((part) => typeof part === 'symbol' ? String(part) : part)]
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: [...path, key], isKey: true, message: describeUnknownKey(key, path) }))
    }
    if (issue.code === 'invalid_union') {
      const branch = issue.errors.find(isRightKind)
      if (branch !== undefined) return listFindings(branch, path)
    }
    return [{ path, isKey: issue.code === 'custom' && issue.params?.isKey === true, message: issue.message }]
  })
}

/** Whether a branch of a union took the value for its own kind, and found fault with the inside only. */
function isRightKind (issues: readonly z.core.$ZodIssue[]): boolean {
  return !issues.some(({ code, path }) => path.length === 0 && (code === 'invalid_type' || code === 'invalid_value'))
}

function describeUnknownKey (key: string, parent: Path): string {
  const above = parent.map((part) => typeof part === 'number' ? '[]' : `.${part}`).join('').slice(1)
  const section = above === '' ? '' : `${above}.`
  const paths = listKeys().map(({ path }) => path)
  const siblings = paths
    .filter((path) => path.startsWith(section) && !path.slice(section.length).includes('.'))
    .map((path) => path.slice(section.length))
  const near = findNearest(key, siblings)
  if (near !== undefined) return `no such key; did you mean ${near}?`
  const elsewhere = paths.find((path) => path.endsWith(`.${key}`))
  if (elsewhere !== undefined) return `no such key here; write it as ${elsewhere}`
  return `no such key; write one of ${siblings.join(', ')}, or drop ${quote(key)}`
}
