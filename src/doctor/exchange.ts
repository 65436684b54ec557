import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { SecureContext } from 'node:tls'
import { readBody, sendGet } from '../outbound/get-request.ts'
import { openSecureSocket } from '../outbound/secure-socket.ts'
import { describeHandshakeFailure, describeRequestFailure } from './connection-failure.ts'
import type { Route } from './route.ts'
import { StepFailure } from './step.ts'

/** A whole answer. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface ExchangeOptions {
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/** Asks hosts over routes, each time on a connection of its own, as docker does; certificates are verified. */
export interface Exchange {
  /** One GET. The caller reads the response to its end or destroys it. Rejects with `StepFailure`. */
  ask (route: Route, options: ExchangeOptions): Promise<IncomingMessage>
  /** One GET with its whole body, of up to 4 MiB. Rejects with `StepFailure`. */
  fetch (route: Route, options: ExchangeOptions): Promise<Answer>
}

/** The OCI distribution specification asks registries to take manifests of up to 4 MiB. */
const maxDocumentBytes = 4 * 1024 * 1024

/** Makes one that trusts the authorities of a context. */
export function createExchange (secureContext: SecureContext): Exchange {
  async function ask (route: Route, { url, headers = {}, signal }: ExchangeOptions): Promise<IncomingMessage> {
    const connection = await route.open(signal)
    const socket = await orDescribe(signal, (error) => describeHandshakeFailure(error, route.host), openSecureSocket({
      socket: connection, servername: route.host, trust: { secureContext }, signal,
    }))
    return await orDescribe(signal, (error) => describeRequestFailure(error, route.host), sendGet({
      socket, url, headers: { 'User-Agent': 'acr-egress doctor', ...headers }, signal,
    }))
  }

  return {
    ask,
    async fetch (route, options) {
      const response = await ask(route, options)
      const describe = (error: unknown): unknown => describeRequestFailure(error, route.host)
      const body = await orDescribe(options.signal, describe, readAll(response))
      return { status: response.statusCode ?? 0, headers: response.headers, body }
    },
  }
}

async function orDescribe<T> (
  signal: AbortSignal, describe: (error: unknown) => unknown, going: Promise<T>,
): Promise<T> {
  try {
    return await going
  } catch (error) {
    signal.throwIfAborted()
    throw describe(error)
  }
}

async function readAll (response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let receivedBytes = 0
  await readBody(response, (chunk) => {
    receivedBytes += chunk.length
    if (receivedBytes > maxDocumentBytes) {
      throw new StepFailure('the answer has more than 4 MiB', 'See what answers: no document of a registry is that long.')
    }
    chunks.push(chunk)
  })
  return Buffer.concat(chunks)
}

/** The JSON object of an answer; `undefined` when it is none. */
export function readObject ({ body }: Pick<Answer, 'body'>): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}
