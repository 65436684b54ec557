/**
 * The admin listener: what an operator, a scraper and a load balancer ask. Read only; GET and HEAD.
 *
 *     /              the live status page; with /page.css, /page.js and /icon.svg
 *     /metrics       Prometheus
 *     /healthz       200 while the process serves
 *     /readyz        200 or 503, with the checks
 *     /api/status    the gateway at this moment
 *     /api/tunnels   the open tunnels; ?limit=N
 *     /api/explain   what would become of ?target=HOST[:PORT]
 *     /api/sightings     storage accounts, data endpoints and reported hosts that were seen
 *     /api/migration     how far each registry is from blob storage to data endpoints, with live checks of these
 *     /api/would-refuse  what policy.mode: enforce would have refused, and the lines that would let it through
 *
 * Every error is `application/problem+json` (RFC 9457).
 */
import type { Duplex } from 'node:stream'
import { fastify, LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { serveApi } from './api-routes.ts'
import { guardRequests, securityHeaders } from './guard.ts'
import { serveHealth } from './health-routes.ts'
import { serveMetrics } from './metrics-routes.ts'
import { readPage, servePage } from './page-routes.ts'
import { formatProblem, sendProblem, type Problem } from './problem.ts'
import { SourceTimeoutError, boundSources } from './source-bounds.ts'
import type { AdminSources } from './views.ts'

export interface AdminOptions {
  /** The IP address, or a name of it, to listen on. */
  readonly address: string
  /** 0 takes any free port. */
  readonly port: number
  /** Host names it may be asked by, besides `localhost`, its address and IP addresses in general. */
  readonly names: readonly string[]
  readonly sources: AdminSources
  /** Of the gateway; told in the `Server` header. */
  readonly version: string
  /** Takes Fastify's notes and the errors of sources; requests are not logged. Absent: nothing is logged. */
  readonly logger?: FastifyBaseLogger
  /** How long a source may take to answer; ten seconds unless told. */
  readonly sourceTimeoutMs?: number
}

export interface AdminServer {
  /** Listens, and resolves with the address and port taken. Rejects with the system's error, such as EADDRINUSE. */
  start (): Promise<{ address: string, port: number }>
  /** Stops listening and ends every connection at once. Resolves when all is freed; may be called twice. */
  close (): Promise<void>
}

/** Generous for one operator, a few dashboards and a scraper; a bound for everyone else. */
const limits = {
  maxConnections: 256,
  maxHeaderBytes: 8 * 1024,
  /** Nothing is ever posted here. */
  maxBodyBytes: 1024,
  maxParamLength: 100,
  /** From the first byte of a request to its last. */
  requestTimeoutMs: 10_000,
  headersTimeoutMs: 5_000,
  sourceTimeoutMs: 10_000,
  /** Above the two seconds between the page's requests. */
  keepAliveTimeoutMs: 15_000,
  /** Of silence on a connection, for a client that stops reading its answer. */
  connectionTimeoutMs: 30_000,
} as const

/**
 * Makes the admin server and reads its page from disk; nothing listens before `start()`. Whoever makes it closes it,
 * also after a failed start.
 */
export function createAdminServer (options: AdminOptions): AdminServer {
  const sources = boundSources(options.sources, options.sourceTimeoutMs ?? limits.sourceTimeoutMs)
  const headers = { ...securityHeaders, server: `acr-egress/${options.version}` }
  const app = createApp(options.logger, headers)
  const names = ['localhost', options.address, ...options.names].map((name) => name.toLowerCase())
  guardRequests(app, new Set(names), headers)
  app.register(serveMetrics, { sources })
  app.register(serveHealth, { sources })
  app.register(serveApi, { sources })
  app.register(servePage, { page: readPage() })
  return {
    async start () {
      await app.listen({
        host: options.address,
        port: options.port,
        listenTextResolver: (url) => `the admin page is at ${url}/`,
      })
      const bound = app.server.address()
      if (bound === null || typeof bound === 'string') throw new Error('The admin listener was closed as it started.')
      return { address: bound.address, port: bound.port }
    },
    close: async () => { await app.close() },
  }
}

function createApp (logger: FastifyBaseLogger | undefined, headers: Readonly<Record<string, string>>): FastifyInstance {
  const app = fastify({
    ...(logger === undefined ? { logger: false } : { loggerInstance: logger }),
    logController: new LogController({ disableRequestLogging: true }),
    // Node's own refusal of a missing Host would lack our headers; the guard makes it.
    http: {
      requireHostHeader: false,
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      // How often Node looks for requests that are late; every 30 seconds if not told.
      connectionsCheckingInterval: limits.headersTimeoutMs,
    },
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionTimeout: limits.connectionTimeoutMs,
    bodyLimit: limits.maxBodyBytes,
    routerOptions: { maxParamLength: limits.maxParamLength },
    forceCloseConnections: true,
    return503OnClosing: false,
    frameworkErrors: (_error, _request, reply) => {
      sendProblem(reply.headers(headers), { status: 400, detail: 'The path cannot be decoded. Check its percent signs.' })
    },
    clientErrorHandler: (error, socket) => {
      endWithProblem(socket, clientErrors[error.code] ?? notHttp, headers)
    },
  })
  app.server.maxConnections = limits.maxConnections
  // An expectation that is not understood may be ignored (RFC 9110, section 10.1.1); Node's refusal lacks our headers.
  app.server.on('checkExpectation', (request, response) => { app.server.emit('request', request, response) })
  app.server.on('connect', (_request, socket) => { endWithProblem(socket, notTheProxy, headers) })
  app.setErrorHandler((error: Error, request, reply) => {
    const path = request.routeOptions.url
    if (error instanceof SourceTimeoutError) {
      request.log.warn({ path }, 'an admin request took too long')
      return sendProblem(reply, tooSlow)
    }
    request.log.error({ err: error, path }, 'an admin request failed')
    return sendProblem(reply, failed)
  })
  return app
}

const failed = { status: 500, detail: 'The gateway failed to answer this. Its log has the error.' }
const tooSlow = { status: 503, detail: 'The gateway took too long to answer this. Try again, and see its log.' }
const notTheProxy = { status: 405, detail: 'This is the admin listener. Point HTTPS_PROXY at the address in `listen`.' }
const notHttp = { status: 400, detail: 'This is not an HTTP/1.1 request. Use http://, not https://.' }

/** What was wrong with a request that could not be parsed, by the code of Node's error. */
const clientErrors: Readonly<Record<string, Problem>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, detail: 'The request did not arrive in time. Send it again.' },
  HPE_HEADER_OVERFLOW: {
    status: 431,
    detail: `The headers are longer than ${limits.maxHeaderBytes} bytes. Send fewer.`,
  },
}

/** Ends a connection that HTTP's parser has let go of; from here it has no other owner. */
function endWithProblem (socket: Duplex, problem: Problem, headers: Readonly<Record<string, string>>): void {
  socket.on('error', () => { socket.destroy() })
  if (!socket.writable) {
    socket.destroy()
    return
  }
  socket.end(formatProblem(problem, headers), () => { socket.destroy() })
}
