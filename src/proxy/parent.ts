import type { SecureContext } from 'node:tls'
import { LookupError } from '../dns/names.ts'
import { formatSocketAddress, parseAddress } from '../net/address.ts'
import type { CutSignal } from '../net/cut-signal.ts'
import { knownHostName } from '../net/host-name.ts'
import { type ProxyUrl, formatBasicAuthorization } from '../net/proxy-url.ts'
import { openSecureSocket } from '../outbound/secure-socket.ts'
import { requestTunnel } from '../outbound/tunnel-request.ts'
import { DialError, type Dialled, type FailedOutcome, dial } from './dial.ts'
import type { ProxyAnswer, ReachServices, ReachedEnd } from './reach.ts'
import type { DialTarget } from './slow-targets.ts'

/** The proxy that is the gateway's own way out. */
export interface ParentProxy {
  /** User and password are sent to it, and to nobody else. */
  readonly url: ProxyUrl
  /** Whom its certificate must come from, where it is spoken to over TLS. */
  readonly secureContext?: SecureContext
  /** How the gateway names itself to it (RFC 9110 §7.6.3), so that it knows its own requests should they come back. */
  readonly pseudonym: string
}

/** What kept the parent from opening a tunnel, in the order of the way there. */
export type ParentTrouble =
  /** Its own name has no address. */
  | { readonly kind: 'name', readonly outcome: LookupError['outcome'] }
  /** All of its addresses are the gateway's own. */
  | { readonly kind: 'loop', readonly address: string }
  | { readonly kind: 'connection', readonly outcome: Exclude<FailedOutcome, 'exhausted'> }
  /** With the code of Node or OpenSSL. */
  | { readonly kind: 'tls' | 'answer', readonly code: string }
  /** The time was up, or nobody waits any longer. */
  | { readonly kind: 'time' }
  | ParentRefusal

/** The parent said no. */
export interface ParentRefusal {
  readonly kind: 'refusal'
  readonly status: number
  /** Its reason phrase: bytes from outside. */
  readonly phrase: string
  /** What it says of how to prove who one is, likewise; '' when it says nothing. */
  readonly challenge: string
}

/** There is no tunnel, and it is not the target's doing. */
export class ParentError extends Error {
  override readonly name = 'ParentError'
  readonly parent: ProxyUrl
  readonly trouble: ParentTrouble

  constructor ({ url }: ParentProxy, trouble: ParentTrouble, cause?: unknown) {
    super(`no tunnel from the parent proxy: ${trouble.kind}`, { cause })
    this.parent = url
    this.trouble = trouble
  }
}

/** A connection to the parent, and the address that was dialled for it. */
export interface ParentConnection {
  readonly end: ReachedEnd
  readonly address: string
}

/** What the parent is told with each request. */
export function listParentHeaders ({ url: { credentials }, pseudonym }: ParentProxy): Readonly<Record<string, string>> {
  const via = { Via: `1.1 ${pseudonym}` }
  return credentials === undefined ? via : { ...via, 'Proxy-Authorization': formatBasicAuthorization(credentials) }
}

/** Connects to the parent, over TLS if need be. The caller owns the end. Rejects with `ParentError` or `DialError`. */
export async function connectToParent (
  parent: ParentProxy, services: ReachServices, signal: CutSignal,
): Promise<ParentConnection> {
  const { socket, target } = await dialParent(parent, services, signal)
  const address = formatSocketAddress(target.address.text, target.port)
  // Somebody has to listen from here to the relay, and each who reads is told in another way.
  socket.on('error', () => {})
  const { url: { host }, secureContext } = parent
  if (secureContext === undefined) return { end: { stream: socket, socket }, address }
  try {
    const stream = await openSecureSocket({ socket, servername: host, trust: { secureContext }, signal })
    return { end: { stream, socket }, address }
  } catch (error) {
    throw new ParentError(parent, signal.aborted ? { kind: 'time' } : { kind: 'tls', code: codeOf(error) }, error)
  }
}

async function dialParent (
  parent: ParentProxy, services: ReachServices, signal: CutSignal,
): Promise<Dialled<DialTarget>> {
  try {
    return await dial({ targets: await findParent(parent, services, signal), signal, ...services })
  } catch (error) {
    if (error instanceof LookupError) throw new ParentError(parent, { kind: 'name', outcome: error.outcome }, error)
    if (error instanceof DialError && error.outcome !== 'exhausted') {
      throw new ParentError(parent, { kind: 'connection', outcome: error.outcome }, error)
    }
    throw error
  }
}

/** Where the parent is, by the configuration's own name servers and static hosts. No rule is about its addresses. */
async function findParent (
  parent: ParentProxy, { names, leadsBack }: ReachServices, signal: CutSignal,
): Promise<readonly DialTarget[]> {
  const { host, port } = parent.url
  const fixed = parseAddress(host)
  const destinations = fixed === undefined ? await names.lookup(knownHostName(host), signal) : [{ address: fixed }]
  const targets = destinations.map((destination) => ({ port, ...destination }))
  const others = targets.filter((target) => leadsBack?.(target.address.text, target.port) !== true)
  const [own] = targets
  if (others.length === 0 && own !== undefined) throw new ParentError(parent, { kind: 'loop', address: own.address.text })
  return others
}

/**
 * Asks the parent for a tunnel to `target`, and gives its connection when it is open: what the parent sent behind its
 * answer is the first that is read from it. Rejects with `ParentError` or `DialError`, with nothing left open.
 */
export async function openParentTunnel (
  parent: ParentProxy, target: string, services: ReachServices, signal: CutSignal,
): Promise<ParentConnection> {
  const connection = await connectToParent(parent, services, signal)
  const { end: { stream } } = connection
  const answer = await askParent(parent, { socket: stream, target, headers: listParentHeaders(parent), signal })
  if (answer.statusCode >= 200 && answer.statusCode < 300) return connection
  stream.destroy()
  throw refusedBy(parent, answer)
}

/** The error of an answer by which the parent says no. */
export function refusedBy (parent: ParentProxy, { statusCode, statusText, headers }: ProxyAnswer): ParentError {
  const challenge = headers['proxy-authenticate'] ?? ''
  return new ParentError(parent, { kind: 'refusal', status: statusCode, phrase: statusText, challenge })
}

async function askParent (
  parent: ParentProxy, options: Parameters<typeof requestTunnel>[0],
): ReturnType<typeof requestTunnel> {
  try {
    return await requestTunnel(options)
  } catch (error) {
    throw new ParentError(parent, options.signal.aborted ? { kind: 'time' } : { kind: 'answer', code: codeOf(error) }, error)
  }
}

function codeOf (error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'no code'
}
