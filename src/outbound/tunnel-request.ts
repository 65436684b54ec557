import { request as startRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { CutSignal } from '../net/cut-signal.ts'

export interface TunnelRequestOptions {
  /** A connection to the proxy, in clear or TLS. */
  readonly socket: Socket
  /** `HOST:PORT`, written into the CONNECT as it stands. */
  readonly target: string
  /** Sent with the CONNECT, such as `Proxy-Authorization`. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly signal: CutSignal
}

/** What a proxy said to a CONNECT. */
export interface TunnelAnswer {
  readonly statusCode: number
  /** The reason phrase of the status line. These are bytes from outside, as Latin-1. */
  readonly statusText: string
  readonly headers: IncomingHttpHeaders
}

// RFC 9110 §15.2: any number of interim answers may come before the final one. Nobody sends more than one or two.
const maxInterimAnswers = 8

/**
 * Sends one CONNECT and reads the head of the answer: of up to 16 KiB, and whatever its status is. The socket is then
 * the caller's, paused, and begins with what came behind the head: the tunnel's own bytes after a 2xx, else content.
 *
 * Rejects as the connection fails, with `ECONNRESET` when it ends before the answer or the signal is aborted, and with
 * a code of Node's HTTP parser (`HPE_…`) for what is no answer; then the socket is destroyed.
 */
export async function requestTunnel (options: TunnelRequestOptions): Promise<TunnelAnswer> {
  const { socket, signal } = options
  const giveUp = (): void => { socket.destroy() }
  signal.addEventListener('abort', giveUp)
  if (signal.aborted) giveUp()
  try {
    for (let interimAnswers = 0; interimAnswers <= maxInterimAnswers; interimAnswers++) {
      const answer = await readAnswer(options, interimAnswers === 0)
      if (isFinal(answer)) return answer
    }
    throw Object.assign(new Error('the proxy sends interim answers without end'), { code: 'HPE_INVALID_STATUS' })
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

/** A CONNECT that is answered by 101 has not been understood. */
function isFinal ({ statusCode }: TunnelAnswer): boolean {
  return statusCode >= 200 || statusCode === 101
}

/**
 * One answer, interim or final: to Node's client any answer to a CONNECT is the last. What reads the next one is a
 * request that is never sent.
 */
async function readAnswer (
  { socket, target, headers }: TunnelRequestOptions, isToBeSent: boolean,
): Promise<TunnelAnswer> {
  if (socket.destroyed) throw Object.assign(new Error('the connection is gone'), { code: 'ECONNRESET' })
  return await new Promise((resolve, reject) => {
    const request = startRequest({
      createConnection: () => socket, method: 'CONNECT', path: target, headers: { Host: target, ...headers },
    })
    request.once('error', reject)
    // Whatever the status is: what follows the head is left on the socket.
    request.once('connect', (response: IncomingMessage, _socket, behind: Buffer) => {
      if (behind.length > 0) socket.unshift(behind)
      const { statusCode = 0, statusMessage = '' } = response
      resolve({ statusCode, statusText: statusMessage, headers: response.headers })
    })
    if (isToBeSent) request.end()
  })
}
