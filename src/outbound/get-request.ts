import { request as startRequest, type IncomingMessage } from 'node:http'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { TLSSocket } from 'node:tls'

export interface GetRequestOptions {
  /** Ready for a request; it ends with the response. */
  readonly socket: TLSSocket
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
}

/**
 * Sends one GET over a connection of its own, as docker does. The caller reads the response to its end or destroys it;
 * the connection ends with it. Rejects as the connection fails, and when the signal is aborted; an abort later on
 * destroys the response.
 */
export async function sendGet ({ socket, url, headers, signal }: GetRequestOptions): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    const request = startRequest({
      createConnection: () => socket,
      path: url.pathname + url.search,
      headers: { ...headers, host: url.host },
      ...(signal === undefined ? {} : { signal }),
    })
    request.once('error', reject)
    request.once('response', (response) => {
      // Node tells the response only that it was cut; why is told to the request.
      request.on('error', (error) => response.destroy(error))
      resolve(response)
    })
    request.end()
  })
}

/**
 * Reads a body to its end. What `onChunk` throws ends the response and is what this rejects with; so is a body that
 * is cut short.
 */
export async function readBody (response: IncomingMessage, onChunk: (chunk: Buffer) => void): Promise<void> {
  const sink = new Writable({
    write (chunk: Buffer, _encoding, done) {
      try {
        onChunk(chunk)
        done()
      } catch (error) {
        done(error as Error)
      }
    },
  })
  await pipeline(response, sink)
}
