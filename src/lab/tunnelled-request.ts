import { request as startRequest, type IncomingMessage } from 'node:http'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { connect as connectTls } from 'node:tls'
import { openTunnel, type ProxyAddress } from './tunnel-client.ts'

/** Without a byte for this long a request is given up. */
const idleTimeoutMs = 30_000

export interface TunnelledRequestOptions {
  readonly proxy: ProxyAddress
  /** `https:`; its host is the server name that is sent and verified. */
  readonly url: URL
  /** The authority that the server's certificate must come from, PEM. */
  readonly ca: string
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/**
 * Sends one GET through a tunnel of its own, as docker does, TLS inside it. The caller reads the response to its end
 * or destroys it; the tunnel ends with it. 30 seconds without a byte end both with code `ETIMEDOUT`.
 * Rejects as `openTunnel` does, and as TLS or the connection fails.
 */
export async function requestThroughTunnel (options: TunnelledRequestOptions): Promise<IncomingMessage> {
  const { proxy, url, ca, headers, signal } = options
  const target = `${url.hostname}:${url.port === '' ? '443' : url.port}`
  const tunnel = await openTunnel({ proxy, target, signal })
  const socket = connectTls({ socket: tunnel, servername: url.hostname, ca, ALPNProtocols: ['http/1.1'] })
  tunnel.on('error', (error) => socket.destroy(error))
  socket.once('close', () => tunnel.destroy())
  socket.setTimeout(idleTimeoutMs, () => {
    const error = new Error(`nothing came from ${target} for ${idleTimeoutMs} ms; try again, or look at what lies between`)
    socket.destroy(Object.assign(error, { code: 'ETIMEDOUT' }))
  })
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
