import type { IncomingMessage } from 'node:http'
import { sendGet } from '../outbound/get-request.ts'
import { openSecureSocket } from '../outbound/secure-socket.ts'
import { type ProxyAddress, openTunnel } from '../outbound/tunnel-client.ts'

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
  const trust = { ca }
  const socket = await openSecureSocket({ socket: tunnel, servername: url.hostname, trust, idleTimeoutMs, signal })
  return await sendGet({ socket, url, signal, ...headers === undefined ? {} : { headers } })
}
