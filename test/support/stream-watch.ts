import { createHash } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { FarEnd } from './socket-pair.ts'

/** Bytes as far as a test compares them. */
export interface Content {
  readonly length: number
  readonly sha256: string
}

/** What a peer has seen: the bytes, and then FIN (`end`) or the code of the error that broke it off. */
export interface Seen extends Content {
  readonly end: string
}

/** Reads a connection to its end, whichever it is; never rejects. */
export async function readToEnd ({ stream, socket }: FarEnd): Promise<Seen> {
  const hash = createHash('sha256')
  let length = 0
  stream.on('data', (chunk: Buffer) => {
    length += chunk.length
    hash.update(chunk)
  }).resume()
  const end = await new Promise<string>((resolve) => {
    // libuv takes a reset close behind data for an end; writing nothing tells them apart.
    stream.once('end', () => {
      if (stream.writable) socket.write('')
      setImmediate(() => resolve(readCode(socket.errored) ?? 'end'))
    })
    stream.once('error', (error) => resolve(readCode(error) ?? 'no code'))
    stream.once('close', () => resolve('closed without an end'))
  })
  return { length, sha256: hash.digest('hex'), end }
}

/** Reads until so many bytes have come in all, and stops reading. */
export async function readBytes (stream: Duplex, length: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let received = 0
  await new Promise<void>((resolve) => {
    function take (chunk: Buffer): void {
      chunks.push(chunk)
      received += chunk.length
      if (received < length) return
      stream.off('data', take)
      stream.pause()
      resolve()
    }
    stream.on('data', take).resume()
  })
  return Buffer.concat(chunks)
}

/** Writes every chunk, no faster than the stream takes them, or until it breaks. */
export async function writeAll (stream: Duplex, chunks: Iterable<Buffer>): Promise<void> {
  for (const chunk of chunks) {
    if (stream.destroyed) return
    if (stream.write(chunk)) continue
    await new Promise<void>((resolve) => {
      function go (): void {
        stream.off('drain', go).off('close', go)
        resolve()
      }
      stream.on('drain', go).on('close', go)
    })
  }
}

/** Resolves when the stream is closed, by an error or without. */
export async function untilClosed (stream: Duplex): Promise<void> {
  if (!stream.closed) await new Promise<void>((resolve) => { stream.once('close', resolve) })
}

function readCode (error: NodeJS.ErrnoException | null): string | undefined {
  return error?.code
}
