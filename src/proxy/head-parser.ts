import { type IncomingMessage, Server as HttpServer, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Refusal, refuse } from '../refusal/reasons.ts'

/** Most bytes of a request's head: a name, a token and what an agent says of itself need a tenth of it. */
export const maxHeadBytes = 16 * 1024

/** What the head of a CONNECT says. */
export interface ConnectHead {
  /** As written. */
  readonly target: string
  /** The value of `Proxy-Authorization`; a secret. */
  readonly authorization: string | undefined
  /** Whether the client would take another answer on the connection. */
  readonly isPersistent: boolean
  /** The bytes behind the head. */
  readonly early: Buffer
}

export interface HeadEvents {
  /** A whole, well-formed CONNECT. The stream may be given to `read` again once it has been answered. */
  connect (stream: Duplex, head: ConnectHead): void
  /** A whole, well-formed request of any other method. The answer is written by `response`, or by the stream alone. */
  plain (stream: Duplex, request: IncomingMessage, response: ServerResponse): void
  /** Anything else; the target is '' when there was none. */
  unusable (stream: Duplex, target: string, refusal: Refusal): void
  /** The stream failed before there was a head. */
  broken (stream: Duplex): void
}

/** Reads the head of one request from each stream it is given. */
export interface HeadParser {
  /** One of the events follows, unless the stream ends first. Time limits are the caller's. */
  read (stream: Duplex): void
}

/**
 * Node's own parser, strict as it comes, on an HTTP server that never listens. It may report a stream twice, when a
 * client goes on talking; the second time is the caller's to ignore. A request that has the pseudonym in its `Via` has
 * been through the gateway already, and cannot be served.
 */
export function createHeadParser ({ connect, plain, unusable, broken }: HeadEvents, pseudonym?: string): HeadParser {
  // Node's own refusal of a missing Host would be neither explained nor counted.
  const server = new HttpServer({ maxHeaderSize: maxHeadBytes, insecureHTTPParser: false, requireHostHeader: false })
  // The listener's one timer a connection covers all of these.
  server.headersTimeout = 0
  server.requestTimeout = 0
  server.keepAliveTimeout = 0

  function receive (request: IncomingMessage, response: ServerResponse): void {
    const problem = findProblem(request) ?? findLoop(request, pseudonym)
    if (problem === undefined) {
      plain(request.socket, request, response)
      return
    }
    // Content that nobody reads would hold up the reading of the whole connection.
    request.resume()
    unusable(request.socket, request.url ?? '', problem)
  }

  server.on('connect', (request, stream, early) => {
    const target = request.url ?? ''
    const problem = findProblem(request) ?? findContent(request) ?? findLoop(request, pseudonym)
    if (problem === undefined) {
      connect(stream, { target, authorization: readAuthorization(request), isPersistent: isPersistent(request), early })
    } else {
      unusable(stream, target, problem)
    }
  })
  server.on('request', receive)
  server.on('checkContinue', receive)
  server.on('checkExpectation', receive)
  server.on('clientError', (error: NodeJS.ErrnoException, stream) => {
    const code = error.code ?? ''
    if (code.startsWith('HPE_')) unusable(stream, '', describeParserError(code))
    else broken(stream)
  })

  return { read: (stream) => { server.emit('connection', stream) } }
}

function findProblem (request: IncomingMessage): Refusal | undefined {
  if (request.httpVersionMajor !== 1) {
    return refuse('bad_request', 'the gateway speaks HTTP/1.1 and HTTP/1.0', 'Set the client to HTTP/1.1 for its proxy.')
  }
  // RFC 9112 §3.2 asks for this. One that is missing leaves nothing open: the target alone is what counts.
  if (listHeader(request, 'host').length > 1) {
    return refuse('bad_request', 'the request has more than one Host header',
      'Send it once, and see that nothing in between adds another.')
  }
  return undefined
}

/**
 * RFC 9110 §9.3.6: a CONNECT has no content, and what follows its head belongs to the tunnel. A client that announces
 * content does not mean that, so there is no telling what its bytes are.
 */
function findContent (request: IncomingMessage): Refusal | undefined {
  const announcesContent = listHeader(request, 'transfer-encoding').length > 0 ||
    listHeader(request, 'content-length').some((length) => length !== '0')
  if (!announcesContent) return undefined
  return refuse('bad_request', 'a CONNECT request has no content', 'Send it without Content-Length and Transfer-Encoding.')
}

/** Each round would open the next one, until no more tunnels are let in. */
function findLoop (request: IncomingMessage, pseudonym: string | undefined): Refusal | undefined {
  if (pseudonym === undefined || !listHeader(request, 'via').some((via) => via.includes(pseudonym))) return undefined
  return refuse('loop_detected', 'the request has been through this gateway already',
    'See where the parent proxy (upstreamProxy) sends what the gateway asks of it.')
}

/** RFC 9112 §9.3: a proxy keeps no connection of an HTTP/1.0 client, and none of one that says it will close. */
function isPersistent (request: IncomingMessage): boolean {
  return request.httpVersionMinor > 0 && !listHeader(request, 'connection').some((options) => /\bclose\b/i.test(options))
}

/** `Proxy-Authorization`. Nobody sends two; if somebody does, there is no telling which one is meant. */
export function readAuthorization (request: IncomingMessage): string | undefined {
  const values = listHeader(request, 'proxy-authorization')
  return values.length === 1 ? values[0] : undefined
}

/** The values of a header, from the head as it came: to have Node sort all of it would cost more than the rest. */
function listHeader ({ rawHeaders }: IncomingMessage, name: string): readonly string[] {
  const values: string[] = []
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const found = rawHeaders[index] ?? ''
    if (found.length === name.length && found.toLowerCase() === name) values.push(rawHeaders[index + 1] ?? '')
  }
  return values
}

function describeParserError (code: string): Refusal {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return refuse('head_too_large', `the head of the request is over ${maxHeadBytes} bytes`, 'Send fewer or shorter headers.')
  }
  return refuse('bad_request', `the request is not well-formed HTTP (${code})`,
    'Check the proxy setting of the client: its scheme, its host, and that nothing in between changes the request.')
}
