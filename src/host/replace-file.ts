import { randomBytes } from 'node:crypto'
import { open, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** What is to be replaced is a device, a pipe or a socket, such as /dev/null; a file there would break the host. */
export class NotAFileError extends Error {
  override readonly name = 'NotAFileError'
}

/**
 * Replaces a file whole: whoever reads it finds what was there or what is there now, also after a power failure.
 * Through a link the file behind it is replaced. Its permissions stay; a new file gets `mode`. Rejects with the error
 * of the system or with `NotAFileError`, with nothing left behind.
 */
export async function replaceFile (file: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  const target = await realpath(file).catch(() => file)
  const kept = await stat(target).then((stats) => {
    // A folder is left to the system to refuse.
    if (!stats.isFile() && !stats.isDirectory()) throw new NotAFileError(`${target} is no file`)
    return stats.mode & 0o777
  }, () => mode)
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}`)
  try {
    await writeWhole(temporary, content, kept)
    await rename(temporary, target)
    await syncFolder(dirname(target))
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

async function writeWhole (file: string, content: string | Uint8Array, mode: number): Promise<void> {
  const handle = await open(file, 'wx', mode)
  try {
    await handle.writeFile(content)
    // The mode of `open` is cut by the umask.
    await handle.chmod(mode)
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
