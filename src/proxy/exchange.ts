import { Agent, type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { createProxyServer } from 'http-proxy-3'
import type { Authority } from '../net/authority.ts'
import { makePrintable } from '../net/printable.ts'
import { type Relay, type RelayEnd, type RelayOutcome, resetEnd } from '../relay/ends.ts'
import type { AskedProxy } from './reach.ts'

/** The limits on one exchange. */
export interface ExchangeBounds {
  /** Of the answer's content. */
  readonly maxAnswerBytes: number
  /** Between two bytes, and until the head of the answer, in milliseconds. */
  readonly idleTimeoutMs: number
  /** From the first byte to the last, in milliseconds. */
  readonly totalTimeoutMs: number
}

/**
 * The largest revocation lists of public authorities have some ten megabytes; at a slow line's megabit a second those
 * take a minute and a half.
 */
export const exchangeBounds: ExchangeBounds = {
  maxAnswerBytes: 64 * 1024 * 1024,
  idleTimeoutMs: 30_000,
  totalTimeoutMs: 300_000,
}

/** Why an exchange failed while the client could still be told. */
export type ExchangeFailure = 'failed' | 'timeout' | 'too_large'

/** There is no answer that could be passed on. */
export class ExchangeError extends Error {
  override readonly name = 'ExchangeError'
  readonly outcome: ExchangeFailure

  constructor (outcome: ExchangeFailure, cause?: unknown) {
    super(`no answer: ${outcome}`, { cause })
    this.outcome = outcome
  }
}

export interface ExchangeOptions {
  /** Its content, if any, is already known to be short. */
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly client: RelayEnd
  /** A connection to the checked address, or to a proxy. */
  readonly upstream: Socket
  /** Present when it is a proxy that is asked. */
  readonly proxy?: AskedProxy | undefined
  readonly authority: Authority
  /** Path and query, exactly as they are to be asked for. */
  readonly path: string
  readonly bounds?: ExchangeBounds
}

/** A request in plain HTTP and its answer, carried like a tunnel. */
export interface Exchange extends Relay {
  /**
   * Resolves when the head of the answer goes out to the client. When there is none to pass on, rejects with
   * `ExchangeError` or as the proxy refuses; the client's end is then the caller's again, the upstream's is destroyed.
   */
  readonly answered: Promise<void>
}

// All that asking for a signed list takes. Whatever else a client sends, credentials before all, is not for strangers.
const requestHeaders = [
  'accept', 'accept-encoding', 'cache-control', 'content-length', 'content-type', 'if-modified-since', 'if-none-match',
  'pragma', 'range', 'user-agent',
]
// Nothing that is only between two hops, and nothing that a browser would keep.
const answerHeaders = [
  'accept-ranges', 'age', 'cache-control', 'content-encoding', 'content-length', 'content-range', 'content-type',
  'date', 'etag', 'expires', 'last-modified', 'location', 'retry-after', 'vary',
]
// RFC 9110 §7.6.3 asks every proxy to name itself.
const via = '1.1 acr-egress'

/**
 * Sends the request to the upstream and the answer to the client, both with the headers of a short list only, and then
 * closes both ends. Redirects are passed on, not followed. What is wrong with an answer whose head has gone out ends
 * both ends by a reset, so that nobody takes a part for the whole.
 */
export function startExchange (options: ExchangeOptions): Exchange {
  const { request, response, client, upstream, proxy, authority, path, bounds = exchangeBounds } = options
  const bytes = { fromClient: 0, fromUpstream: 0 }
  let lastByteAt = performance.now()
  let outcome: RelayOutcome | undefined
  let answer: (() => void) | undefined
  let refuse: ((error: Error) => void) | undefined
  let settle = (_outcome: RelayOutcome): void => {}
  const answered = new Promise<void>((resolve, reject) => {
    answer = resolve
    refuse = reject
  })
  const ended = new Promise<RelayOutcome>((resolve) => { settle = resolve })
  const idle = setTimeout(() => fail('idle', 'timeout'), bounds.idleTimeoutMs)
  const total = setTimeout(() => fail('stopped', 'timeout'), bounds.totalTimeoutMs)

  function moved (): void {
    lastByteAt = performance.now()
    idle.refresh()
  }

  /** Once for each exchange, whatever comes first. */
  function finish (how: RelayOutcome): boolean {
    if (outcome !== undefined) return false
    outcome = how
    clearTimeout(idle)
    clearTimeout(total)
    return true
  }

  /** Ends an exchange that cannot go on: by word while the client can be told, by reset from then on. */
  function giveUp (how: RelayOutcome, why: Error): void {
    if (!finish(how)) return
    upstream.destroy()
    if (response.headersSent) resetEnd(client)
    settle(how)
    refuse?.(why)
  }

  function fail (how: RelayOutcome, failure: ExchangeFailure, cause?: unknown): void {
    giveUp(how, new ExchangeError(failure, cause))
  }

  function passOn (message: IncomingMessage): void {
    moved()
    if (outcome !== undefined) return
    if (Number(message.headers['content-length'] ?? 0) > bounds.maxAnswerBytes) {
      fail('stopped', 'too_large')
      return
    }
    const { statusCode = 502, statusMessage = '', headers } = message
    if (statusCode === 407 && proxy !== undefined) {
      giveUp('stopped', proxy.refuse({ statusCode, statusText: statusMessage, headers }))
      return
    }
    // A proxy says in its own words why there is nothing from the host.
    if (proxy !== undefined) response.statusMessage = makePrintable(statusMessage)
    response.writeHead(statusCode, { ...pick(headers, answerHeaders), via, connection: 'close' })
    answer?.()
    // Not by a pipeline: that would end the client's end as if the answer were whole, before it can be reset.
    message.on('data', (chunk: Buffer) => {
      bytes.fromUpstream += chunk.length
      moved()
      if (bytes.fromUpstream > bounds.maxAnswerBytes) fail('stopped', 'too_large')
      else if (!response.write(chunk)) message.pause()
    })
    response.on('drain', () => message.resume())
    message.once('close', () => {
      if (message.complete) response.end(() => { void closeBoth() })
      else fail('upstream_reset', 'failed')
    })
    // It closes after that.
    message.on('error', () => {})
  }

  async function closeBoth (): Promise<void> {
    if (!finish('closed')) return
    upstream.destroy()
    if (!client.socket.destroyed) await new Promise((resolve) => { client.socket.once('close', resolve) })
    settle('closed')
  }

  request.on('data', (chunk: Buffer) => {
    bytes.fromClient += chunk.length
    moved()
  })
  client.stream.once('close', () => fail('client_reset', 'failed'))
  // Whoever does not wait for the answer is not to bring the process down.
  answered.catch(() => {})
  send({ request, response, upstream, proxy, authority, path }, {
    onAnswer: passOn,
    onError: (error) => fail('upstream_reset', 'failed', error),
    onClosed () { if (!response.headersSent) fail('upstream_reset', 'failed') },
  })

  return {
    bytes,
    answered,
    ended,
    idleMs: () => performance.now() - lastByteAt,
    stop () {
      if (!finish('stopped')) return
      upstream.destroy()
      resetEnd(client)
      settle('stopped')
      refuse?.(new ExchangeError('failed'))
    },
  }
}

interface SendEvents {
  onAnswer (message: IncomingMessage): void
  onError (error: Error): void
  /** Nothing more will come of it. */
  onClosed (): void
}

/** Asks the upstream by http-proxy, over the connection there is. */
function send (
  { request, response, upstream, proxy: asked, authority, path }: Omit<ExchangeOptions, 'client' | 'bounds'>, events: SendEvents,
): void {
  const host = authority.port === 80 ? authority.host : `${authority.host}:${authority.port}`
  const agent = new Agent({ keepAlive: false })
  agent.createConnection = () => upstream
  const proxy = createProxyServer({
    agent,
    // The head and the content of the answer are written here, within bounds.
    selfHandleResponse: true,
    // The path is asked for as it stands.
    toProxy: true,
    prependPath: false,
    followRedirects: false,
  })
  proxy.once('proxyRes', events.onAnswer)
  // Also when the upstream switches to another protocol, of which there is no other word.
  proxy.once('proxyReq', (sent) => {
    sent.once('close', events.onClosed)
    // http-proxy-3 would put a slash in front of it.
    if (asked !== undefined) sent.path = `http://${host}${path}`
  })
  const passed = pick(request.headers, requestHeaders) as IncomingHttpHeaders
  request.headers = { ...passed, ...asked?.headers ?? { via }, host, connection: 'close' }
  request.url = path
  // By this switch http-proxy-3 would send by fetch, which looks the name up again and dials what it finds.
  delete process.env['FORCE_FETCH_PATH']
  proxy.web(request, response, { target: { protocol: 'http:', host: authority.host, port: 80 } }, events.onError)
}

/** Those of the headers that are on the list. */
function pick (headers: IncomingHttpHeaders, names: readonly string[]): OutgoingHttpHeaders {
  return Object.fromEntries(names.flatMap((name) => headers[name] === undefined ? [] : [[name, headers[name]]]))
}
