import { once } from 'node:events'
import { type Socket, isIP } from 'node:net'
import { type SecureContext, type TLSSocket, connect } from 'node:tls'
import type { CutSignal } from '../net/cut-signal.ts'

/** Whom to trust: PEM, or a context made of it once for many connections. */
export type Trust = { readonly ca: string } | { readonly secureContext: SecureContext }

export interface SecureSocketOptions {
  /** A connection or tunnel to whoever is to speak TLS. It is the secure socket's from here on, and ends with it. */
  readonly socket: Socket
  /** The name that is sent and verified; an address is verified only. */
  readonly servername: string
  readonly trust: Trust
  /** Whether a server that is not trusted is an answer too: `authorizationError` says then what is wrong with it. */
  readonly takesUntrusted?: boolean
  /** So long without a byte, also in the handshake, ends the socket with code `ETIMEDOUT`; never when absent. */
  readonly idleTimeoutMs?: number
  readonly signal?: CutSignal | undefined
}

/**
 * Speaks TLS over a connection, with HTTP/1.1 to follow. The caller owns the socket. Rejects as the handshake or the
 * connection fails, and with the signal's reason, if it has one, when it is aborted; then nothing is left open.
 */
export async function openSecureSocket (options: SecureSocketOptions): Promise<TLSSocket> {
  const { socket, servername, trust, takesUntrusted = false, idleTimeoutMs, signal } = options
  const secure = connect({
    socket, ...nameServer(servername), ...trust, rejectUnauthorized: !takesUntrusted, ALPNProtocols: ['http/1.1'],
  })
  // Nobody may be listening when it fails between two uses; whoever uses it next is told.
  secure.on('error', () => {})
  socket.on('error', (error) => secure.destroy(error))
  secure.once('close', () => socket.destroy())
  if (idleTimeoutMs !== undefined) {
    secure.setTimeout(idleTimeoutMs, () => {
      const error = new Error(`nothing came from ${servername} for ${idleTimeoutMs} ms; try again, or look at what lies between`)
      secure.destroy(Object.assign(error, { code: 'ETIMEDOUT' }))
    })
  }
  const giveUp = (): void => { secure.destroy(new Error(`no longer waiting for ${servername}`)) }
  signal?.addEventListener('abort', giveUp)
  if (signal?.aborted === true) giveUp()
  try {
    await once(secure, 'secureConnect')
    return secure
  } catch (error) {
    secure.destroy()
    throw signal?.aborted === true ? signal.reason ?? error : error
  } finally {
    signal?.removeEventListener('abort', giveUp)
  }
}

/** RFC 6066 §3: a server name is never an address. */
function nameServer (name: string): { servername: string, host?: string } {
  return isIP(name) === 0 ? { servername: name } : { servername: '', host: name }
}
