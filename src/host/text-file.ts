import { open, stat } from 'node:fs/promises'

/** A file's text with its permission bits, or why there is none: `what` is wrong, `write` says what to do. */
export type TextFile =
  | { readonly ok: true, readonly text: string, readonly mode: number }
  | { readonly ok: false, readonly isAbsent: boolean, readonly message: string }

/** Reads a file of UTF-8 text (a byte order mark is dropped) of at most `maxBytes`. A pipe will do. Never rejects. */
export async function readTextFile (file: string, maxBytes: number): Promise<TextFile> {
  try {
    const stats = await stat(file)
    // Opening anything else could block, or never end.
    if (stats.isDirectory()) return unreadable('is a directory; name a file in it')
    if (!stats.isFile() && !stats.isFIFO()) return unreadable('is not an ordinary file; name one')
    const bytes = await readAtMost(file, maxBytes + 1)
    if (bytes.length > maxBytes) return unreadable(`is longer than ${maxBytes / 1024} KiB; see that it is the right file`)
    const text = decodeUtf8(bytes)
    return text === undefined ? unreadable('is not UTF-8 text; save it as UTF-8') : { ok: true, text, mode: stats.mode & 0o777 }
  } catch (error) {
    return describeFailure(error)
  }
}

async function readAtMost (file: string, maxBytes: number): Promise<Buffer> {
  const handle = await open(file)
  try {
    const buffer = Buffer.alloc(maxBytes)
    let length = 0
    while (length < maxBytes) {
      const { bytesRead } = await handle.read(buffer, length, maxBytes - length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return buffer.subarray(0, length)
  } finally {
    await handle.close()
  }
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
    return { ok: false, isAbsent: true, message: 'does not exist; see that the path is right' }
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return unreadable('may not be read by this user; give the user that runs the gateway leave to read it')
  }
  return unreadable(`cannot be read (${code}); see that it is an ordinary file on a working disk`)
}

function unreadable (message: string): TextFile {
  return { ok: false, isAbsent: false, message }
}
