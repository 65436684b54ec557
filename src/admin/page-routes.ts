import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'

/** One file of the page, as it is sent. */
interface PageFile {
  readonly path: string
  readonly contentType: string
  readonly content: Buffer
}

const files = [
  { path: '/', name: 'index.html', contentType: 'text/html; charset=utf-8' },
  { path: '/page.css', name: 'page.css', contentType: 'text/css; charset=utf-8' },
  { path: '/page.js', name: 'page.js', contentType: 'text/javascript; charset=utf-8' },
  { path: '/icon.svg', name: 'icon.svg', contentType: 'image/svg+xml' },
] as const

/** Reads the files of the status page, which lie beside this module. Throws when one is missing. */
export function readPage (): readonly PageFile[] {
  return files.map(({ path, name, contentType }) => (
    { path, contentType, content: readFileSync(new URL(`./page/${name}`, import.meta.url)) }
  ))
}

/** `GET /`: the live status page, and the script, style and icon it asks for. */
export async function servePage (app: FastifyInstance, { page }: { page: readonly PageFile[] }): Promise<void> {
  for (const { path, contentType, content } of page) {
    app.get(path, async (_request, reply) => reply.type(contentType).send(content))
  }
}
