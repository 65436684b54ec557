import { dirname, join } from 'node:path'
import type { ClientFile } from '../client-files/client-setup.ts'
import { mergeFile } from '../client-files/merge.ts'
import { escapeControls } from '../config/problem.ts'
import { makeFolder } from '../host/folder.ts'
import { describeWriteFailure, replaceFile } from '../host/replace-file.ts'
import { readTextFile } from '../host/text-file.ts'

/** What became of a file: `left` is one that somebody else has to make first. */
export interface PutFile {
  /** Where it is, below the root. */
  readonly path: string
  readonly result: 'created' | 'changed' | 'same' | 'left'
}

export type PutFiles =
  | { readonly ok: true, readonly files: readonly PutFile[] }
  /** Each problem for a person; a refusal is a file that says otherwise, and then nothing was written. */
  | { readonly ok: false, readonly isRefusal: boolean, readonly problems: readonly string[] }

/** Files of configuration are a few KiB; what is longer is not one. */
const maxBytes = 1024 * 1024

interface Plan {
  readonly path: string
  readonly mode: number
  readonly result: PutFile['result']
  readonly text: string
}

/** Writes the files below a root, when all of them can be. Never rejects for the state of a disk. */
export async function putFiles (files: readonly ClientFile[], root: string, force: boolean): Promise<PutFiles> {
  const plans: Plan[] = []
  const refusals: string[] = []
  for (const file of files) {
    const path = join(root, file.path)
    const there = await readTextFile(path, maxBytes, { takesPipe: false })
    if (!there.ok && !there.isAbsent) return { ok: false, isRefusal: false, problems: [`${escapeControls(path)}: ${there.message}`] }
    const plan = planFile(file, path, there.ok ? there.text : undefined, force)
    if (typeof plan === 'string') refusals.push(plan)
    else plans.push(plan)
  }
  if (refusals.length > 0) return { ok: false, isRefusal: true, problems: [...refusals, 'Nothing was written.'] }
  return await writeAll(plans)
}

/** What is to be written, or why it cannot be, with the lines to add by hand. */
function planFile (file: ClientFile, path: string, there: string | undefined, force: boolean): Plan | string {
  const merged = mergeFile(file, there, force)
  if (merged.ok) {
    const result = there === undefined ? 'created' : merged.text === there ? 'same' : 'changed'
    return { path, mode: file.mode, result, text: merged.text }
  }
  if (there === undefined) return { path, mode: file.mode, result: 'left', text: '' }
  const lines = file.content.trimEnd().split('\n').map((line) => `    ${escapeControls(line)}\n`).join('')
  return `${escapeControls(path)}: ${merged.problem}\n${lines.trimEnd()}`
}

async function writeAll (plans: readonly Plan[]): Promise<PutFiles> {
  for (const { path, mode, result, text } of plans) {
    if (result === 'same' || result === 'left') continue
    try {
      await makeFolder(dirname(path), 0o755)
      await replaceFile(path, text, mode)
    } catch (error) {
      const problem = describeWriteFailure(error)
      if (problem === undefined) throw error
      return { ok: false, isRefusal: false, problems: [`${escapeControls(path)}: ${problem}`] }
    }
  }
  return { ok: true, files: plans.map(({ path, result }) => ({ path, result })) }
}
