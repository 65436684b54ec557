import { readTextFile } from './text-file.ts'

/** A secret, or what is wrong with its file; what to do. The secret is in no message. */
export type SecretFile =
  | { readonly ok: true, readonly secret: string }
  | { readonly ok: false, readonly message: string }

/** A password is a line; a token of a few KiB may be one. */
const maxBytes = 64 * 1024

/**
 * Reads a secret that is alone in its file, but for one newline at the end. Refuses a file that others may read, one
 * without a secret, and one of several lines. Never rejects.
 */
export async function readSecretFile (file: string): Promise<SecretFile> {
  const content = await readTextFile(file, maxBytes)
  if (!content.ok) return content
  if ((content.mode & 0o007) !== 0) return { ok: false, message: `may be read by others; write chmod 600 ${file}` }
  const secret = content.text.replace(/\r?\n$/, '')
  if (secret === '') return { ok: false, message: 'is empty; write the password into it, as one line' }
  if (/[\r\n]/.test(secret)) return { ok: false, message: 'has several lines; write the password alone into it' }
  return { ok: true, secret }
}
