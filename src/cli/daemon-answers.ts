import { z } from 'zod'
import type { MigrationView } from '../outlook/migration.ts'
import type { WouldRefuseView } from '../outlook/would-refuse.ts'
import type { Explanation } from '../policy/explain.ts'

/** The answer of `/api/explain`; `undefined` for any other value. */
export function readExplanation (value: unknown): Explanation | undefined {
  return explanation.safeParse(value).success ? value as Explanation : undefined
}

/** The answer of `/api/migration`; `undefined` for any other value. */
export function readMigration (value: unknown): MigrationView | undefined {
  return migration.safeParse(value).success ? value as MigrationView : undefined
}

/** The answer of `/api/would-refuse`; `undefined` for any other value. */
export function readWouldRefuse (value: unknown): WouldRefuseView | undefined {
  return wouldRefuse.safeParse(value).success ? value as WouldRefuseView : undefined
}

const text = z.string()
const texts = z.array(text)
const count = z.number()
const refusal = z.object({ reason: text, detail: text, hint: text })
const addresses = z.array(z.object({ address: text, allow: z.boolean(), ground: text }))

const explanation = z.object({
  target: text,
  canonical: text.optional(),
  allow: z.boolean(),
  rule: z.object({ pattern: text, class: text, registry: text, region: text, source: text }).optional(),
  refusal: refusal.optional(),
  wouldRefuse: refusal.optional(),
  advice: z.object({ key: text, line: text, opens: text }).optional(),
  addresses: addresses.optional(),
  resolver: text.optional(),
})

const isoTime = z.iso.datetime()
const source = z.object({ kind: z.enum(['daemon', 'file']), file: text })
const traffic = {
  host: text,
  firstSeen: isoTime,
  lastSeen: isoTime,
  tunnels: count,
  bytesFromUpstream: count,
  refused: count,
  failed: count,
}

const migration = z.object({
  now: isoTime,
  source,
  watchedSince: isoTime,
  watchedDays: count,
  neededDays: count,
  registries: z.array(z.object({
    registry: text,
    storage: z.union([text, texts]),
    regions: texts,
    verdict: z.enum(['safe', 'not_yet', 'unknown', 'done']),
    reasons: texts,
    next: texts,
    accounts: z.array(z.object({ registry: text, ...traffic })),
    endpoints: z.array(z.object({ region: text, lastLayer: z.union([z.literal(''), isoTime]), ...traffic })),
    checks: z.array(z.object({
      host: text,
      ok: z.boolean(),
      addresses,
      certificate: z.object({ names: texts, issuer: text, isForHost: z.boolean() }).optional(),
      problem: text,
    })),
  })),
})

const wouldRefuse = z.object({
  now: isoTime,
  source,
  watchedSince: isoTime,
  mode: z.enum(['enforce', 'report']),
  hosts: z.array(z.object({
    host: text,
    reason: text,
    count,
    firstSeen: isoTime,
    lastSeen: isoTime,
    allowedBy: text,
    refusal: refusal.optional(),
  })),
  forgotten: count,
  additions: z.array(z.object({ key: text, values: texts })),
  yaml: text,
})
