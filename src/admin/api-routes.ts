import type { FastifyInstance, FastifyReply } from 'fastify'
import { sendProblem } from './problem.ts'
import type { AdminSources } from './views.ts'

/** A name of 253 characters (RFC 1035, section 3.1), its final dot, a colon and a port of five digits. */
const maxTargetLength = 253 + 1 + 1 + 5

type Query = Readonly<Record<string, string | readonly string[] | undefined>>

/**
 * `GET /api/status`: a StatusView.
 * `GET /api/tunnels[?limit=N]`: `{ total, tunnels }`, with a limit the newest N, oldest first.
 * `GET /api/explain?target=HOST[:PORT]`: what would become of that CONNECT.
 * `GET /api/sightings`: storage accounts, data endpoints and reported hosts, as the state file has them.
 * `GET /api/migration`: a MigrationView (src/outlook/migration.ts).
 * `GET /api/would-refuse`: a WouldRefuseView (src/outlook/would-refuse.ts).
 */
export async function serveApi (app: FastifyInstance, { sources }: { sources: AdminSources }): Promise<void> {
  app.get('/api/status', async () => sources.status())

  app.get<{ Querystring: Query }>('/api/tunnels', async ({ query }, reply) => {
    const tunnels = sources.tunnels()
    const limit = query.limit ?? String(tunnels.length)
    if (typeof limit !== 'string' || !/^\d{1,6}$/.test(limit)) {
      return sendProblem(reply, { status: 400, detail: '`limit` must be one whole number of at most six digits. Write ?limit=100.' })
    }
    return { total: tunnels.length, tunnels: tunnels.slice(Math.max(0, tunnels.length - Number(limit))) }
  })

  app.get<{ Querystring: Query }>('/api/explain', async ({ query: { target } }, reply) => {
    if (typeof target !== 'string' || target === '' || target.length > maxTargetLength) {
      return sendProblem(reply, {
        status: 400,
        detail: `\`target\` must be given once, in at most ${maxTargetLength} characters. Write ?target=HOST or ?target=HOST:PORT.`,
      })
    }
    return sendJson(reply, await sources.explain(target))
  })

  app.get('/api/sightings', async (_request, reply) => sendJson(reply, sources.sightings()))
  app.get('/api/migration', async (_request, reply) => sendJson(reply, await sources.migration()))
  app.get('/api/would-refuse', async (_request, reply) => sendJson(reply, sources.wouldRefuse()))
}

/** Whatever the value is, a text too: it goes out as JSON. */
function sendJson (reply: FastifyReply, value: unknown): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(value))
}
