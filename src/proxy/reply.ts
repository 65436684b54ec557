import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { Token, serializeList } from 'structured-headers'
import { type Refusal, reasons } from '../refusal/reasons.ts'

/** What a client understands at some point of its connection, and so how it is told what becomes of its request. */
export interface Voice {
  /** The tunnel is open. */
  open (stream: Duplex): void
  /** There will be no tunnel. Owns the stream from here on, and destroys it in the end. */
  refuse (stream: Duplex, refusal: Refusal, request: RefusedRequest): void
  /** There will be no tunnel for this request, and the client may ask anew; absent where that cannot be said. */
  refuseForNow? (stream: Duplex, refusal: Refusal, request: RefusedRequest): void
}

/** What a refusal is told about. */
export interface RefusedRequest {
  /** As asked; it goes into the problem document only, escaped. */
  readonly target: string
  readonly tunnelId: string
}

// RFC 9110 §9.3.6. Nothing may follow it that is not the tunnel's own.
const established = 'HTTP/1.1 200 Connection established\r\n\r\n'

/** The voice of a proxy, from the head of a request up to the 200. */
export const httpVoice: Voice = {
  open: (stream) => { stream.write(established) },
  refuse: sendRefusal,
  refuseForNow: (stream, refusal, request) => { stream.write(renderRefusal(refusal, request, { isLast: false })) },
}

// Some clients print the whole status line in one log line; a longer one is cut by somebody else, in a worse place.
const maxStatusLineLength = 200
// How long the client may take to read the answer and close, in milliseconds.
const lingerMs = 5_000

/**
 * Writes the refusal and closes. The reason is in the status line because docker, containerd and podman show nothing
 * else of it. What the client still sends is read and thrown away until it closes, or for 5 s: closing over unread
 * bytes would send a reset, and a reset can overtake the answer (RFC 9112 §9.6).
 *
 * Owns the stream from here on, and has destroyed it when the client has closed or the time is up.
 */
export function sendRefusal (stream: Duplex, refusal: Refusal, request: RefusedRequest): void {
  sendLast(stream, renderRefusal(refusal, request))
}

/** Sends the last words of a connection and closes it, as `sendRefusal` says. */
export function sendLast (stream: Duplex, words: string | Buffer): void {
  stream.on('error', () => {})
  if (!stream.writable) {
    stream.destroy()
    return
  }
  stream.end(words)
  stream.resume()
  const timer = setTimeout(() => stream.destroy(), lingerMs)
  stream.once('end', () => stream.destroy())
  stream.once('close', () => clearTimeout(timer))
}

/**
 * The whole response: status line, `Proxy-Status` (RFC 9209), and a problem document (RFC 9457). All ASCII. The
 * connection goes on behind one that is not the last.
 */
export function renderRefusal (
  refusal: Refusal, { target, tunnelId }: RefusedRequest, { isLast } = { isLast: true },
): string {
  const { status, proxyStatusError } = reasons[refusal.reason]
  const phrase = STATUS_CODES[status] ?? ''
  const problem = {
    title: phrase,
    status,
    detail: refusal.detail,
    reason: refusal.reason,
    target,
    hint: refusal.hint,
    tunnelId,
  }
  const body = `${escapeNonAscii(JSON.stringify(problem))}\n`
  return [
    renderStatusLine(status, refusal),
    `Proxy-Status: ${renderProxyStatus(proxyStatusError, refusal)}`,
    ...extraHeaders(refusal),
    'Content-Type: application/problem+json',
    `Content-Length: ${body.length}`,
    ...isLast ? ['Connection: close'] : [],
    '',
    body,
  ].join('\r\n')
}

function renderStatusLine (status: number, { reason, detail }: Refusal): string {
  const line = `HTTP/1.1 ${status} ${reason}: ${detail}`
  return line.length < maxStatusLineLength ? line : `${line.slice(0, maxStatusLineLength - 4)}...`
}

function renderProxyStatus (error: string, { reason, detail }: Refusal): string {
  const parameters = new Map<string, Token | string>([['error', new Token(error)], ['details', `${reason}: ${detail}`]])
  return serializeList([[new Token('acr-egress'), parameters]])
}

function extraHeaders ({ reason, retryAfterSeconds }: Refusal): readonly string[] {
  return [
    // RFC 9110 §15.5.6 asks for Allow, §15.5.8 for Proxy-Authenticate; RFC 7617 §2.1 has the charset.
    ...reason === 'method_not_allowed' ? ['Allow: CONNECT'] : [],
    ...reasons[reason].status === 407 ? ['Proxy-Authenticate: Basic realm="acr-egress", charset="UTF-8"'] : [],
    // RFC 9110 §10.2.3.
    ...retryAfterSeconds === undefined ? [] : [`Retry-After: ${retryAfterSeconds}`],
  ]
}

/** JSON that no reader can misread: JSON.stringify escapes control characters, this all beyond ASCII. */
function escapeNonAscii (json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
