import type { SecureContext, TLSSocket } from 'node:tls'
import { sendGet } from '../outbound/get-request.ts'
import { openSecureSocket } from '../outbound/secure-socket.ts'
import { type PresentedCertificate, hasDateProblem, judgeCertificate, listChain } from './certificate.ts'
import { codeOf, describeHandshakeFailure } from './connection-failure.ts'
import type { Route } from './route.ts'
import { type Outcome, StepFailure } from './step.ts'
import type { Walk } from './walk.ts'

/** What TLS is judged by. */
export interface TrustOptions {
  readonly secureContext: SecureContext
  /** Where the authorities of the context are from, for a person. */
  readonly trustSource: string
  /** This machine's clock, in milliseconds since the epoch. */
  readonly now: () => number
}

/** Speaks TLS to the host of a route, and judges the certificate: one step. Nothing but a `GET /v2/` is ever sent. */
export async function checkTls (walk: Walk, route: Route, options: TrustOptions): Promise<void> {
  await walk.take({
    step: 'tls',
    host: route.host,
    late: {
      found: 'no TLS handshake',
      toDo: `Something on the way takes connections and passes nothing on: have ${route.host} let through there, by name.`,
    },
    take: async (signal) => await judgeServer(route, options, signal),
  })
}

async function judgeServer (route: Route, options: TrustOptions, signal: AbortSignal): Promise<Outcome<void>> {
  const { secureContext, trustSource, now } = options
  const socket = await openUntrusted(route, secureContext, signal)
  try {
    const presented = readPresented(socket, route.host)
    const isDated = hasDateProblem(presented, now())
    const serverNow = isDated ? await readServerClock(socket, route.host, signal) : undefined
    const judgement = judgeCertificate(presented, { trustSource, now: now(), serverNow })
    if (judgement.kind === 'bad') throw new StepFailure(judgement.advice.found, judgement.advice.toDo)
    const protocol = socket.getProtocol() ?? 'TLS'
    if (judgement.kind === 'strange') return { value: undefined, ...judgement.advice }
    return { value: undefined, found: `${protocol}, ${judgement.found}` }
  } finally {
    socket.destroy()
  }
}

async function openUntrusted (route: Route, secureContext: SecureContext, signal: AbortSignal): Promise<TLSSocket> {
  const socket = await route.open(signal)
  try {
    return await openSecureSocket({
      socket, servername: route.host, trust: { secureContext }, takesUntrusted: true, signal,
    })
  } catch (error) {
    signal.throwIfAborted()
    throw describeHandshakeFailure(error, route.host)
  }
}

function readPresented (socket: TLSSocket, host: string): PresentedCertificate {
  const leaf = socket.getPeerX509Certificate()
  if (leaf === undefined) throw new StepFailure('the server shows no certificate', `See what answers in the place of ${host}.`)
  // Typed as an error, but a code.
  const problem = socket.authorized ? '' : String(socket.authorizationError)
  return { chain: listChain(leaf), problem, host }
}

/** What the server thinks that time it is, if it says so at all; whoever it is, nothing secret is sent there. */
async function readServerClock (socket: TLSSocket, host: string, signal: AbortSignal): Promise<number | undefined> {
  try {
    const response = await sendGet({ socket, url: new URL(`https://${host}/v2/`), signal })
    response.destroy()
    return readDate(response.headers.date)
  } catch (error) {
    signal.throwIfAborted()
    if (codeOf(error) === '') throw error
    return undefined
  }
}

/** A `Date` header in milliseconds since the epoch. */
export function readDate (text: string | undefined): number | undefined {
  const date = Date.parse(text ?? '')
  return Number.isNaN(date) ? undefined : date
}
