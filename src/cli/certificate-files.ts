import { randomBytes } from 'node:crypto'
import { lstat, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../host/folder.ts'

/** What is written, and who may read it. */
const fileModes = { 'ca.key': 0o600, 'ca.crt': 0o644, 'server.key': 0o600, 'server.crt': 0o644 } as const

/** One of the files of a certificate directory. */
export type FileName = keyof typeof fileModes
/** What to write; files that are not named stay as they are. */
export type Contents = Partial<Record<FileName, string>>

/** Those of the files that are there. Rejects with the system's error. */
export async function listExisting (directory: string): Promise<FileName[]> {
  const names = Object.keys(fileModes) as FileName[]
  const found = await Promise.all(names.map(async (name) => {
    try {
      await lstat(join(directory, name))
      return true
    } catch (error) {
      if (readCode(error) === 'ENOENT') return false
      throw error
    }
  }))
  return names.filter((_, index) => found[index])
}

/**
 * Writes the files, and the directory if it is not there. All files are complete before the first one gets its name, so
 * that a running gateway never reads half a file. Rejects with the system's error.
 */
export async function writeFiles (directory: string, contents: Contents): Promise<void> {
  await makeFolder(directory, 0o700)
  const suffix = randomBytes(6).toString('hex')
  const files = (Object.entries(contents) as Array<[FileName, string]>).map(([name, content]) =>
    ({ name, content, path: join(directory, name), temporaryPath: join(directory, `.${name}.${suffix}`) }))
  try {
    for (const { name, content, temporaryPath } of files) {
      await writeFile(temporaryPath, content, { mode: fileModes[name], flag: 'wx' })
    }
    for (const { path, temporaryPath } of files) await rename(temporaryPath, path)
  } finally {
    await Promise.all(files.map(async ({ temporaryPath }) => await rm(temporaryPath, { force: true })))
  }
}

/** An error of the system about the files, with what to do; `undefined` for another error. */
export function describeFileError (error: unknown, directory: string): string | undefined {
  const path = (error as NodeJS.ErrnoException | undefined)?.path ?? directory
  switch (readCode(error)) {
    case undefined: return undefined
    case 'EACCES':
    case 'EPERM': return `${path}: no permission; run as a user that may write there, or choose another --dir`
    case 'ENOENT': return `${path}: nothing can be made there; choose another --dir`
    case 'EROFS': return `${path}: the file system is read-only; choose another --dir`
    case 'ENOTDIR':
    case 'EEXIST': return `${path}: is not a directory, or leads through something that is none; choose another --dir`
    case 'ENOSPC': return `${path}: no space left; free some, or choose another --dir`
    default: return `${path}: ${readCode(error)}; choose another --dir`
  }
}

/** The code of an error of the operating system. */
function readCode (error: unknown): string | undefined {
  const { code, syscall } = Object(error) as Partial<NodeJS.ErrnoException>
  return syscall === undefined ? undefined : code
}
