import type { FastifyInstance } from 'fastify'
import type { AdminSources } from './views.ts'

/** `GET /metrics`: what Prometheus scrapes. */
export async function serveMetrics (app: FastifyInstance, { sources }: { sources: AdminSources }): Promise<void> {
  app.get('/metrics', async (_request, reply) => {
    const { contentType, body } = await sources.metrics()
    return reply.type(contentType).send(body)
  })
}
