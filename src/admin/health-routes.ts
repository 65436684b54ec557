import type { FastifyInstance } from 'fastify'
import type { AdminSources } from './views.ts'

/**
 * `GET /healthz`: 200 for as long as the process serves; a failure means "restart it".
 * `GET /readyz`: 200 or 503 with the checks; a failure means "send no clients here".
 */
export async function serveHealth (app: FastifyInstance, { sources }: { sources: AdminSources }): Promise<void> {
  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    const readiness = await sources.readiness()
    return reply.code(readiness.ready ? 200 : 503).send(readiness)
  })
}
