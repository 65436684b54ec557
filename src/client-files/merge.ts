import type { ClientFile } from './client-setup.ts'
import { mergeEnvironment } from './environment-merge.ts'
import { mergeJson } from './json-merge.ts'
import type { Merged } from './merged.ts'
import { mergeToml } from './toml-merge.ts'

/**
 * Puts a client's file together with what is there. Whatever else the file says stays; what says otherwise is left
 * alone unless `force`.
 */
export function mergeFile ({ content, merging }: ClientFile, existing: string | undefined, force: boolean): Merged {
  if (existing === content) return { ok: true, text: existing }
  if (merging.kind === 'toml') {
    if (existing !== undefined) return mergeToml(existing, merging, force)
    return { ok: false, canForce: false, problem: 'does not exist, and holds more than the proxy; make it first, then add the lines below' }
  }
  if (existing === undefined) return { ok: true, text: content }
  if (merging.kind === 'json') return mergeJson(existing, merging.value, force)
  if (merging.kind === 'environment') return mergeEnvironment(existing, merging.entries, force)
  if (force) return { ok: true, text: content }
  return { ok: false, canForce: true, problem: 'is there already and says something else; compare them, and write --force to replace it' }
}
