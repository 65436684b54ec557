import type { IncomingMessage, ServerResponse } from 'node:http'
import { clientKey } from '../net/client-key.ts'
import { type Denied, type Refusal, deny, refuse } from '../refusal/reasons.ts'
import type { RelayEnd } from '../relay/ends.ts'
import { admitClient } from './admission.ts'
import type { Client } from './client.ts'
import { type Exchange, startExchange } from './exchange.ts'
import { describeFailure, permit } from './failure.ts'
import { readAuthorization } from './head-parser.ts'
import { httpVoice } from './reply.ts'
import { watchSetup } from './setup-watch.ts'
import { type TunnelServices, openRecord, refuseRequest } from './tunnel.ts'
import type { TunnelPlace } from './tunnel-table.ts'

/** Any request but CONNECT, whose head has been read. */
export interface PlainRequest {
  readonly client: Client
  readonly end: RelayEnd
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** Most bytes of an OCSP request; one for a single certificate has about a hundred. */
const maxContentBytes = 64 * 1024

/**
 * Serves one request in plain HTTP, `http://HOST/PATH`, from its head to the end of its answer: what a tunnel goes
 * through, with an exchange in place of the relay. Owns the client's end from the start. Never rejects: every way out
 * closes the record, gives the place back, and leaves the client's end destroyed or about to be.
 */
export async function servePlain (plain: PlainRequest, services: TunnelServices): Promise<void> {
  const { client, end, request, response } = plain
  const { reach, tunnels, log, connectTimeoutMs } = services
  const policy = services.policy()
  const target = request.url ?? ''
  const record = openRecord(log, client, withoutQuery(target))
  const setup = watchSetup(end.stream, connectTimeoutMs)
  let place: TunnelPlace | undefined
  let exchange: Exchange | undefined
  try {
    await admitClient({ client, authorization: readAuthorization(request), policy, record }, setup, services)
    const decision = policy.decidePlain(target)
    record.judged(decision)
    const { authority, path, rule } = permit(decision)
    permit(decideContent(request))
    place = permit(tunnels.admit(clientKey(client.address), record)).place
    const reached = await reach.openPlain({ policy, rule, authority }, setup)
    setup.done()
    if (request.headers.expect !== undefined) response.writeContinue()
    const { end: { stream }, proxy } = reached
    exchange = startExchange({ request, response, client: end, upstream: stream, proxy, authority, path })
    place.relay = exchange
    await exchange.answered
    record.answered(reached.upstream)
    record.established(exchange.bytes)
    record.ended(await exchange.ended)
  } catch (error) {
    setup.done()
    if (setup.isClientGone()) record.abandoned()
    else refuseRequest({ end, voice: httpVoice }, record, describeFailure(error, record.target))
    // Content that nobody reads would hold up the reading of the whole connection.
    request.resume()
  }
  place?.release()
}

/** A query may hold a signature, and of an absolute target the host alone says enough. */
function withoutQuery (target: string): string {
  return /^(?:[a-z]+:\/\/[^/?#]*|[^?#]*)/i.exec(target)?.[0] ?? ''
}

/** GET and HEAD without content; POST with an OCSP request (RFC 6960 §A.1), whose length is told beforehand. */
function decideContent ({ method = '', headers }: IncomingMessage): { readonly allow: true } | Denied {
  const length = headers['content-length'] ?? '0'
  if (headers['transfer-encoding'] !== undefined) return deny(refuseContent('sends content in pieces, without its length'))
  if (method === 'GET' || method === 'HEAD') {
    return length === '0' ? { allow: true } : deny(refuseContent(`has content, which a ${method} must not`))
  }
  if (method !== 'POST') return deny(refuseMethod(method))
  if (headers['content-type'] !== 'application/ocsp-request') return deny(refuseContent('is a POST, and no OCSP request'))
  if (!/^[0-9]{1,15}$/.test(length) || Number(length) > maxContentBytes) return deny(refuseLength())
  return { allow: true }
}

const advice = 'Revocation lists and issuers are fetched by GET or HEAD, OCSP also by POST with Content-Length.'

function refuseContent (what: string): Refusal {
  return refuse('bad_request', `the request ${what}`, advice)
}

function refuseMethod (method: string): Refusal {
  return refuse('method_not_allowed', `plain http:// is carried for GET, HEAD and POST only, not for ${method}`, advice)
}

function refuseLength (): Refusal {
  return refuse('content_too_large', `the content of the request is over ${maxContentBytes} bytes`, advice)
}
