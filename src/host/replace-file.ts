import { randomBytes } from 'node:crypto'
import { open, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** What is to be replaced is a device, a pipe or a socket, such as /dev/null; a file there would break the host. */
export class NotAFileError extends Error {
  override readonly name = 'NotAFileError'
}

/** A file that is to be replaced. */
export interface Replacement {
  readonly file: string
  readonly content: string | Uint8Array
  /** The permissions of a new file; 0644 when absent. Those of an old one stay. */
  readonly mode?: number
  /** Only the owner may read a new file; an old one loses the permissions of all but the owner and the group. */
  readonly isSecret?: boolean
}

/**
 * Replaces a file whole: whoever reads it finds what was there or what is there now, also after a power failure.
 * Through a link the file behind it is replaced. Its permissions stay, and its owner where the user may give files
 * away; a new file gets `mode`. Rejects with the error of the system or with `NotAFileError`, with nothing left behind.
 */
export async function replaceFile (file: string, content: string | Uint8Array, mode?: number): Promise<void> {
  await replaceFiles([{ file, content, ...mode === undefined ? {} : { mode } }])
}

/** The same for files that go together: all of them are on the disk before the first one gets its name. */
export async function replaceFiles (replacements: readonly Replacement[]): Promise<void> {
  const written: WrittenFile[] = []
  try {
    for (const replacement of replacements) await writeBeside(replacement, (one) => written.push(one))
    for (const { temporary, target } of written) await rename(temporary, target)
    for (const folder of new Set(written.map(({ target }) => dirname(target)))) await syncFolder(folder)
  } catch (error) {
    await Promise.all(written.map(async ({ temporary }) => { await rm(temporary, { force: true }) }))
    throw error
  }
}

/** What is to get the name of the target. */
interface WrittenFile {
  readonly temporary: string
  readonly target: string
}

/** Writes the new content into the folder of the old one; `begin` is told before there is anything to remove. */
async function writeBeside (replacement: Replacement, begin: (written: WrittenFile) => void): Promise<void> {
  const { file, content, isSecret = false, mode = isSecret ? 0o600 : 0o644 } = replacement
  const target = await realpath(file).catch(() => file)
  const kept = await stat(target).catch(() => undefined)
  // A folder is left to the system to refuse.
  if (kept !== undefined && !kept.isFile() && !kept.isDirectory()) throw new NotAFileError(`${target} is no file`)
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}`)
  begin({ temporary, target })
  const handle = await open(temporary, 'wx', 0o600)
  try {
    await handle.writeFile(content)
    // Who may not give it away owns it.
    if (kept !== undefined) await handle.chown(kept.uid, kept.gid).catch(() => {})
    await handle.chmod(kept === undefined ? mode : kept.mode & (isSecret ? 0o770 : 0o777))
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** So that the new name outlives a power failure too. */
async function syncFolder (folder: string): Promise<void> {
  const handle = await open(folder)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** What an error of the system about the writing of a file is to a person; `undefined` for another error, a bug. */
export function describeWriteFailure (error: unknown): string | undefined {
  if (error instanceof NotAFileError) return 'is a device, a pipe or a socket, and is not replaced; write the path of a file'
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return undefined
  return `cannot be written (${String(error.code)}); see that its folder is there and yours to write`
}
