import { X509Certificate } from 'node:crypto'
import { lstat, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../host/folder.ts'
import { NotAFileError, replaceFiles } from '../host/replace-file.ts'
import type { Authority } from '../tls/certificates.ts'

/** Something about the files that the person has to put right; the message says how. */
export class FileProblem extends Error {
  override readonly name = 'FileProblem'
}

/** The names of the two files of an authority. */
export interface AuthorityFiles {
  readonly certificate: string
  readonly key: string
  /** What a new one is called: its common name, but for a random end. */
  readonly title: string
  /** Who must be told to trust a new one: `devices`. */
  readonly trustedBy: string
}

/** Those of the files that are there. Rejects with the system's error. */
export async function listExisting (directory: string, names: readonly string[]): Promise<readonly string[]> {
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
 * Writes the files, and the directory if it is not there. What ends in `.key` is a secret. All files are complete
 * before the first one gets its name. Rejects with the system's error, or with `NotAFileError`.
 */
export async function writeFiles (directory: string, contents: Readonly<Record<string, string>>): Promise<void> {
  await makeFolder(directory, 0o700)
  await replaceFiles(Object.entries(contents).map(([name, content]) => {
    return { file: join(directory, name), content, isSecret: name.endsWith('.key') }
  }))
}

/**
 * The authority that is there, to be used again; `undefined` when there is none.
 *
 * @throws FileProblem for half an authority, one that is none, and one that has ended.
 */
export async function readAuthority (
  directory: string, { certificate, key, trustedBy }: AuthorityFiles, now: Date,
): Promise<Authority | undefined> {
  const present = await listExisting(directory, [certificate, key])
  const [one] = present
  if (one === undefined) return undefined
  if (present.length === 1) {
    const missing = one === certificate ? key : certificate
    throw new FileProblem(`${directory} holds ${one} without ${missing}; bring ${missing} back, or move ` +
      `${one} away to begin a new authority, which ${trustedBy} must then be told to trust`)
  }
  const certificatePem = await readFile(join(directory, certificate), 'utf8')
  const keyPem = await readFile(join(directory, key), 'utf8')
  const parsed = parseCertificate(certificatePem)
  const renewal = `move ${certificate} and ${key} away to begin a new authority, which ${trustedBy} must then be told to trust`
  if (parsed?.ca !== true) throw new FileProblem(`${join(directory, certificate)} is no authority's certificate; ${renewal}`)
  if (new Date(parsed.validTo) <= now) {
    throw new FileProblem(`${join(directory, certificate)} ended on ${formatEnd(certificatePem)}; ${renewal}`)
  }
  return { certificatePem, keyPem }
}

function parseCertificate (pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

/** The day on which a certificate ends: `2027-01-31`. */
export function formatEnd (pem: string): string {
  return new Date(new X509Certificate(pem).validTo).toISOString().slice(0, 10)
}

/** What a person can put right, with what to do; `undefined` for a bug. */
export function explainFileProblem (error: unknown, directory: string): string | undefined {
  if (error instanceof FileProblem) return error.message
  if (error instanceof NotAFileError) return `${error.message}, and is not replaced; choose another --dir`
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
