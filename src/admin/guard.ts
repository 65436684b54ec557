import { isIP } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { sendProblem, type Problem } from './problem.ts'

/**
 * Headers of every answer. The page may load its own script, style and icon and ask its own origin, and no other
 * site may frame, read or cache any of it.
 */
export const securityHeaders = {
  'content-security-policy': [
    "default-src 'none'", "style-src 'self'", "script-src 'self'", "connect-src 'self'", "img-src 'self'",
    "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  'cross-origin-resource-policy': 'same-origin',
} as const

const readMethods = ['GET', 'HEAD']

/**
 * Puts `headers` on every answer of `app`, and refuses each request that is not a plain read, by one of `hostNames`
 * or by an IP address, from no other site. Call it before routes are added: those are what it takes to exist.
 */
export function guardRequests (
  app: FastifyInstance,
  hostNames: ReadonlySet<string>,
  headers: Readonly<Record<string, string>>,
): void {
  const endpoints = new Set<string>()
  app.addHook('onRoute', ({ url }) => { endpoints.add(url) })
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(headers)
    const problem = checkHost(request, hostNames) ?? checkSite(request) ?? checkEndpoint(request, endpoints)
    if (problem === undefined) return
    // What came with a method that writes is never read, so this connection cannot be used again.
    if (!readMethods.includes(request.method)) reply.header('connection', 'close')
    if (problem.status === 405) reply.header('allow', readMethods.join(', '))
    return sendProblem(reply, problem)
  })
}

/**
 * Defends against DNS rebinding: a foreign site that resolves its own name to this address is given away by the
 * `Host` its visitor's browser sends. An IP address is not a name that anyone could point elsewhere.
 */
function checkHost (request: FastifyRequest, hostNames: ReadonlySet<string>): Problem | undefined {
  const [host, ...others] = request.raw.headersDistinct.host ?? []
  // HTTP/1.0 has no Host, and no browser speaks it; the health checks of load balancers do.
  if (host === undefined && request.raw.httpVersion === '1.0') return undefined
  if (host === undefined || others.length > 0) {
    return { status: 400, detail: 'The request must have one Host header (RFC 9112, section 3.2).' }
  }
  const name = parseHost(host)
  if (name !== undefined && (isIP(name) !== 0 || hostNames.has(name))) return undefined
  return {
    status: 421,
    detail: 'This Host is not a name of the admin listener. Use its IP address, or add the name to `admin.names`.',
  }
}

/** The host of a `Host` header in lower case, without port, brackets or a final dot; `undefined` for any other text. */
function parseHost (header: string): string | undefined {
  const match = /^(?:\[([\da-f:.]+)\]|([^\s:[\]]+?)\.?)(?::\d{0,5})?$/i.exec(header)
  return (match?.[1] ?? match?.[2])?.toLowerCase()
}

/** Refuses what another site makes a browser ask (W3C Fetch Metadata), except to follow a link to the page. */
function checkSite (request: FastifyRequest): Problem | undefined {
  if (request.headers['sec-fetch-site'] !== 'cross-site') return undefined
  const followsLink = request.headers['sec-fetch-mode'] === 'navigate' && request.headers['sec-fetch-dest'] === 'document'
  if (followsLink && pathOf(request) === '/') return undefined
  return { status: 403, detail: 'Another site asked for this. Open it from the admin page, or type the address yourself.' }
}

/** Says what exists to whoever asks for something else. */
function checkEndpoint (request: FastifyRequest, endpoints: ReadonlySet<string>): Problem | undefined {
  const isKnown = endpoints.has(pathOf(request))
  if (isKnown && readMethods.includes(request.method)) return undefined
  return {
    status: isKnown ? 405 : 404,
    detail: isKnown
      ? 'The admin listener is read only. Use GET or HEAD.'
      : 'There is no such path here. See `endpoints` for those there are.',
    endpoints: [...endpoints].sort(),
  }
}

function pathOf (request: FastifyRequest): string {
  return request.routeOptions.url ?? request.url.split('?', 1)[0] ?? ''
}
