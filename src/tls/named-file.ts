import { readTextFile } from '../host/text-file.ts'

/** A file that was named, read and found good by itself. */
export interface NamedFile<T> {
  readonly file: string
  readonly text: string
  /** Which state of the file this was, for `watchFiles`. */
  readonly stamp: string
  /** What the text was read as. */
  readonly value: T
}

/** What a text holds, or what is wrong with it; what to do. */
export type ReadText<T extends object> = (text: string, mode: number, file: string) => T | string

/** Chains of real certificate authorities have a few kilobytes. */
const maxBytes = 256 * 1024

/** Reads a file that is to be in PEM form; what is wrong with it as a text, `undefined` when none is named. */
export async function readNamedFile<T extends object> (
  file: string | undefined, read: ReadText<T>, options: { readonly maxBytes?: number, readonly fromDer: string },
): Promise<NamedFile<T> | string | undefined> {
  if (file === undefined) return undefined
  const content = await readTextFile(file, options.maxBytes ?? maxBytes)
  if (!content.ok) {
    return content.isBinary
      ? `${file} is not in PEM form; if it is DER, write it as PEM: openssl ${options.fromDer} -inform DER -in ${file} -out FILE`
      : `${file} ${content.message}`
  }
  const value = read(content.text, content.mode, file)
  return typeof value === 'string' ? value : { file, text: content.text, stamp: content.stamp, value }
}
