import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { readBody } from '../outbound/get-request.ts'
import { codeOf, describeRequestFailure } from './connection-failure.ts'
import type { Exchange } from './exchange.ts'
import type { Descriptor } from './manifest.ts'
import type { Route } from './route.ts'
import { type Outcome, StepFailure } from './step.ts'
import type { Authorization } from './token.ts'
import type { Walk } from './walk.ts'

export interface LayerOptions {
  readonly url: URL
  readonly layer: Descriptor
  /** Empty for a link, which needs none. */
  readonly authorization: Authorization
}

/** Enough to meet a proxy that cuts after its buffer, little enough for a metered line. */
const maxLayerBytes = 1024 * 1024
// The step's own limit is behind it: what has come by then says more than a time-out.
const maxReadMs = 5000

/** Fetches the beginning of a layer, and sees that what was promised comes: one step. */
export async function fetchLayerStart (
  walk: Walk, route: Route, exchange: Exchange, options: LayerOptions,
): Promise<void> {
  const { host } = route
  await walk.take({
    step: 'layer',
    host,
    late: { found: 'the layer did not come', toDo: `Try again; if it stays, see what is between here and ${host}.` },
    take: async (signal) => {
      const { url, layer: { size }, authorization } = options
      const wantedBytes = Math.min(size, maxLayerBytes)
      const headers = { ...authorization, Range: `bytes=0-${wantedBytes - 1}` }
      const response = await exchange.ask(route, { url, headers, signal })
      const { statusCode: status = 0 } = response
      if (status !== 206 && status !== 200) {
        response.destroy()
        throw describeStatus(response, status, host)
      }
      return await judgeContent(response, options, { wantedBytes, signal, host })
    },
  })
}

interface Expectation {
  readonly wantedBytes: number
  readonly signal: AbortSignal
  readonly host: string
}

async function judgeContent (
  response: IncomingMessage, { layer }: LayerOptions, { wantedBytes, signal, host }: Expectation,
): Promise<Outcome<void>> {
  const stated = Number(response.headers['content-length'] ?? wantedBytes)
  const expectedBytes = Math.min(stated, wantedBytes)
  if (stated < wantedBytes) {
    response.destroy()
    throw new StepFailure(`${host} promises ${stated} bytes where ${wantedBytes} were asked for`,
      'Something on the way changes what is pulled: see who issued the certificate (step tls).')
  }
  const { content, ending, ms } = await readStart(response, expectedBytes)
  signal.throwIfAborted()
  const receivedBytes = Math.min(content.length, expectedBytes)
  if (ending instanceof Error) {
    const code = codeOf(ending)
    if (code === '') throw ending
    throw isCut(code)
      ? describeCut(receivedBytes, expectedBytes, host)
      : describeRequestFailure(ending, host)
  }
  const found = `${receivedBytes} of ${layer.size} bytes in ${Math.round(ms)} ms`
  if (ending === 'late') return judgeSlow(receivedBytes, found, host)
  if (receivedBytes < expectedBytes) throw describeCut(receivedBytes, expectedBytes, host)
  const isWhole = receivedBytes === layer.size
  if (isWhole && `sha256:${createHash('sha256').update(content).digest('hex')}` !== layer.digest) {
    throw new StepFailure('the layer came with other content than its digest says',
      'Something on the way changes what is pulled: see who issued the certificate (step tls).')
  }
  return { value: undefined, found: isWhole ? `${found}, digest right` : found }
}

function isCut (code: string): boolean {
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE'
}

function describeCut (receivedBytes: number, expectedBytes: number, host: string): StepFailure {
  return new StepFailure(`the layer was cut short: ${receivedBytes} of ${expectedBytes} bytes came`,
    `Something between here and ${host} ends transfers: look there for a limit on size or time, or an inspection of content.`)
}

function judgeSlow (receivedBytes: number, found: string, host: string): Outcome<void> {
  if (receivedBytes === 0) {
    throw new StepFailure(`nothing of the layer came in ${maxReadMs / 1000} s`,
      `See what is between here and ${host}: its answer begins, and its content is held back.`)
  }
  return { value: undefined, found, toDo: 'That is slow: look at the load of the line, and at what is between here and Azure.' }
}

/** The beginning of a body: up to so many bytes, its end, its failure, or the end of the time. */
interface Start {
  readonly content: Buffer
  readonly ending: 'whole' | 'late' | Error
  readonly ms: number
}

class Enough extends Error {
  override readonly name = 'Enough'
}

async function readStart (response: IncomingMessage, expectedBytes: number): Promise<Start> {
  const chunks: Buffer[] = []
  let receivedBytes = 0
  const startedAt = performance.now()
  const late = new Error('late')
  const timer = setTimeout(() => response.destroy(late), maxReadMs)
  const end = (ending: Start['ending']): Start => {
    return { content: Buffer.concat(chunks), ending, ms: performance.now() - startedAt }
  }
  try {
    await readBody(response, (chunk) => {
      chunks.push(chunk)
      receivedBytes += chunk.length
      // A server that does not know ranges sends it all.
      if (receivedBytes > expectedBytes) throw new Enough()
    })
    return end('whole')
  } catch (error) {
    if (error instanceof Enough) return end('whole')
    if (error === late) return end('late')
    return end(error as Error)
  } finally {
    clearTimeout(timer)
  }
}

function describeStatus ({ headers }: IncomingMessage, status: number, host: string): StepFailure {
  // Azure storage has the reason in a header (REST API, "Status and error codes").
  const code = String(headers['x-ms-error-code'] ?? '').slice(0, 60)
  const said = `${host} answered the link with ${status}${code === '' ? '' : ` ${code}`}`
  if (status === 403) {
    return new StepFailure(said, 'See that this machine\'s clock is right, and that no firewall of the storage account or ' +
      'registry excludes this network\'s address.')
  }
  return new StepFailure(said, `Try again; if it stays, see what answers in the place of ${host}.`)
}
