import type { BigIntStats } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'

/** A file's text, or why there is none: `message` is what is wrong; what to do. */
export type TextFile =
  | {
    readonly ok: true
    readonly text: string
    /** Its permission bits. */
    readonly mode: number
    /** Which state of the file this was, for `watchFiles`. */
    readonly stamp: string
    /** When it was written, in milliseconds since the epoch. */
    readonly writtenAt: number
  }
  | {
    readonly ok: false
    readonly isAbsent: boolean
    /** Whether it could be read, and is no text. */
    readonly isBinary: boolean
    readonly message: string
  }

/** The stamp of a file that is not there. */
export const absentStamp = 'absent'

/**
 * Reads a file of UTF-8 text (a byte order mark is dropped) of at most `maxBytes`. A pipe will do unless told, which
 * waits for its writer. Never rejects.
 */
export async function readTextFile (file: string, maxBytes: number, { takesPipe = true } = {}): Promise<TextFile> {
  try {
    const stats = await stat(file)
    // Opening anything else could block, or never end.
    if (stats.isDirectory()) return unreadable('is a directory; name a file in it')
    if (!stats.isFile() && !(takesPipe && stats.isFIFO())) return unreadable('is not an ordinary file; name one')
    const handle = await open(file)
    try {
      return await readOpen(handle, maxBytes)
    } finally {
      await handle.close()
    }
  } catch (error) {
    return describeFailure(error)
  }
}

/**
 * What changes when the file is written, replaced, given to others, or found behind another link; `absentStamp` when it
 * is not there or cannot be looked at. Never rejects.
 */
export async function readStamp (file: string): Promise<string> {
  try {
    return stampOf(await stat(file, { bigint: true }))
  } catch {
    return absentStamp
  }
}

function stampOf ({ dev, ino, mode, uid, gid, size, mtimeNs }: BigIntStats): string {
  return [dev, ino, mode, uid, gid, size, mtimeNs].join(' ')
}

async function readOpen (handle: FileHandle, maxBytes: number): Promise<TextFile> {
  // Before the reading: what is written meanwhile makes another stamp.
  const stats = await handle.stat({ bigint: true })
  const bytes = await readAtMost(handle, maxBytes + 1)
  if (bytes.length > maxBytes) return unreadable(`is longer than ${maxBytes / 1024} KiB; see that it is the right file`)
  const text = decodeUtf8(bytes)
  if (text === undefined) return { ...unreadable('is not UTF-8 text; save it as UTF-8'), isBinary: true }
  return {
    ok: true,
    text,
    mode: Number(stats.mode & 0o777n),
    stamp: stampOf(stats),
    writtenAt: Number(stats.mtimeMs),
  }
}

const readBytes = 256 * 1024

async function readAtMost (handle: FileHandle, maxBytes: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let length = 0
  while (length < maxBytes) {
    const part = Buffer.allocUnsafe(Math.min(readBytes, maxBytes - length))
    const { bytesRead } = await handle.read(part, 0, part.length)
    if (bytesRead === 0) break
    parts.push(part.subarray(0, bytesRead))
    length += bytesRead
  }
  return Buffer.concat(parts)
}

function decodeUtf8 (bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function describeFailure (error: unknown): TextFile {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return { ...unreadable('does not exist; see that the path is right'), isAbsent: true }
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return unreadable('may not be read by this user; give the user that runs the gateway leave to read it')
  }
  return unreadable(`cannot be read (${code}); see that it is an ordinary file on a working disk`)
}

function unreadable (message: string): Extract<TextFile, { ok: false }> {
  return { ok: false, isAbsent: false, isBinary: false, message }
}
