import type { IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import { openConnection } from './connection.ts'
import { type Trust, openSecureSocket } from './secure-socket.ts'
import { type TunnelAnswer, requestTunnel } from './tunnel-request.ts'

const defaultTimeoutMs = 30_000
/** A refusal explains itself in a few hundred bytes; more than this is not read. */
const maxRefusalBytes = 64 * 1024

/** The proxy that a client goes through. */
export interface ProxyAddress {
  readonly host: string
  readonly port: number
  /** Present when the proxy is spoken to over TLS: whom to trust, and the name to expect instead of `host`. */
  readonly tls?: Trust & { readonly servername?: string }
  /** Sent with each CONNECT, such as `Proxy-Authorization`. */
  readonly headers?: Readonly<Record<string, string>>
}

export interface TunnelOptions {
  readonly proxy: ProxyAddress
  /** `HOST:PORT`, written into the CONNECT as it stands. */
  readonly target: string
  readonly signal?: AbortSignal | undefined
  /** From the first packet to the end of the proxy's answer; 30 s when absent. */
  readonly timeoutMs?: number | undefined
}

/** The proxy answered the CONNECT with something else than a 2xx. */
export class ProxyRefusedError extends Error {
  override readonly name = 'ProxyRefusedError'
  readonly code = 'ERR_PROXY_REFUSED'
  readonly statusCode: number
  /** The reason phrase of the status line. */
  readonly statusText: string
  readonly headers: IncomingHttpHeaders
  /** At most 64 KiB of it. */
  readonly body: string

  constructor ({ statusCode, statusText, headers }: TunnelAnswer, body: string) {
    super(`the proxy refused: ${statusCode} ${statusText}`)
    this.statusCode = statusCode
    this.statusText = statusText
    this.headers = headers
    this.body = body
  }
}

/**
 * Opens a tunnel with CONNECT. The caller owns the socket, which is paused and starts with whatever came early.
 * Rejects with `ProxyRefusedError` for a refusal, with the signal's reason when it is aborted, with code `ETIMEDOUT`
 * when it takes too long, and as the connection fails otherwise; then nothing is left open.
 */
export async function openTunnel (options: TunnelOptions): Promise<Socket> {
  const { timeoutMs = defaultTimeoutMs } = options
  const deadline = AbortSignal.timeout(timeoutMs)
  const signal = options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal])
  try {
    return await connectThrough(options, signal)
  } catch (error) {
    options.signal?.throwIfAborted()
    if (!deadline.aborted) throw error
    const message = `no tunnel to ${options.target} within ${timeoutMs} ms; is the proxy overloaded, or the target out of reach?`
    throw Object.assign(new Error(message, { cause: error }), { code: 'ETIMEDOUT' })
  }
}

async function connectThrough (
  { proxy: { host, port, tls, headers }, target }: TunnelOptions, signal: AbortSignal,
): Promise<Socket> {
  const connection = await openConnection({ host, port, signal })
  const socket = tls === undefined
    ? connection
    : await openSecureSocket({ socket: connection, servername: tls.servername ?? host, trust: tls, signal })
  const answer = await requestTunnel({ socket, target, headers, signal })
  if (answer.statusCode >= 200 && answer.statusCode < 300) return socket
  throw await readRefusal(answer, socket, signal)
}

async function readRefusal (
  answer: TunnelAnswer, socket: Socket, signal: AbortSignal,
): Promise<ProxyRefusedError> {
  const stated = Number(answer.headers['content-length'] ?? maxRefusalBytes)
  const wantedBytes = Math.min(stated, maxRefusalBytes)
  const destroy = (): unknown => socket.destroy()
  signal.addEventListener('abort', destroy)
  const chunks: Buffer[] = []
  let receivedBytes = 0
  try {
    if (wantedBytes > 0) {
      for await (const chunk of socket as AsyncIterable<Buffer>) {
        chunks.push(chunk)
        receivedBytes += chunk.length
        if (receivedBytes >= wantedBytes) break
      }
    }
  } catch {
    // A proxy may reset the connection behind its refusal; what it said before is the answer all the same.
  } finally {
    signal.removeEventListener('abort', destroy)
    socket.destroy()
  }
  signal.throwIfAborted()
  return new ProxyRefusedError(answer, Buffer.concat(chunks).toString('utf8', 0, wantedBytes))
}
