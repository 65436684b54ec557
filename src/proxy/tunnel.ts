import { formatSocketAddress } from '../net/address.ts'
import { clientKey } from '../net/client-key.ts'
import type { Policy } from '../policy/policy.ts'
import { reasons } from '../refusal/reasons.ts'
import type { Relay, RelayEnd, RelayOptions } from '../relay/ends.ts'
import type { TunnelLog, TunnelRecord } from '../telemetry/tunnel-log.ts'
import { type AdmissionServices, admitClient } from './admission.ts'
import { alertVoice } from './alert.ts'
import type { Client } from './client.ts'
import { type TunnelFailure, describeFailure, permit } from './failure.ts'
import type { Reach } from './reach.ts'
import type { Voice } from './reply.ts'
import { ClientLeftError, type ServerNameRule, verifyServerName } from './server-name.ts'
import { watchSetup } from './setup-watch.ts'
import type { TunnelPlace, TunnelTable } from './tunnel-table.ts'

/** Somebody asks for a tunnel: by a CONNECT whose head has been read. */
export interface TunnelRequest {
  readonly client: Client
  readonly end: RelayEnd
  /** The target, exactly as written. */
  readonly target: string
  /** What the client has sent already of what it wants to send through the tunnel. */
  readonly early: Buffer
  /** What the client understands until the tunnel is open. */
  readonly voice: Voice
  /** The value of `Proxy-Authorization`, where there is one; a secret. */
  readonly authorization?: string | undefined
  /**
   * Gives the client's end back to whoever read the request, to read another one from it. To be called at most once,
   * when an answer has been written that lets the client ask anew; absent when it may not.
   */
  readonly again?: () => void
}

/** What it takes to serve a tunnel. */
export interface TunnelServices extends AdmissionServices {
  /** The policy in force now. */
  readonly policy: () => Policy
  readonly reach: Reach
  readonly tunnels: TunnelTable
  readonly startRelay: (options: RelayOptions) => Relay
  readonly log: TunnelLog
  /** How tunnels are to begin. */
  readonly serverName: ServerNameRule
  readonly connectTimeoutMs: number
  readonly idleTimeoutMs: number
}

/**
 * Serves one request from its head to the end of its tunnel. Owns the client's end from the start. Never rejects: every
 * way out closes the record, gives the place back, and leaves both ends destroyed or about to be.
 *
 * No function waits for the end: what it took to open a tunnel would be kept as long as the tunnel.
 */
export function serveTunnel (request: TunnelRequest, services: TunnelServices): Promise<void> {
  return openTunnel(request, services).then(followTunnel)
}

/** A tunnel whose bytes are being carried. */
interface OpenTunnel {
  readonly relay: Relay
  readonly record: TunnelRecord
  readonly place: TunnelPlace
}

/** All there is to do up to the 200; `undefined` when there is no tunnel, which the client has been told then. */
async function openTunnel (request: TunnelRequest, services: TunnelServices): Promise<OpenTunnel | undefined> {
  const { client, end, target, early, authorization } = request
  const { reach, tunnels, startRelay, log, serverName, connectTimeoutMs, idleTimeoutMs } = services
  const policy = services.policy()
  const record = openRecord(log, client, target)
  const setup = watchSetup(end.stream, connectTimeoutMs)
  let voice = request.voice
  let place: TunnelPlace | undefined
  let upstream: RelayEnd | undefined
  try {
    await admitClient({ client, authorization, policy, record }, setup, services)
    const decision = policy.decideTarget(target)
    record.judged(decision)
    const { authority, rule } = permit(decision)
    place = permit(tunnels.admit(clientKey(client.address), record)).place
    const reached = await reach.open({ policy, rule, authority }, setup)
    upstream = reached.end
    // It may be reset while the client takes its time; the relay looks then.
    upstream.stream.on('error', ignoreError)
    setup.done()
    voice.open(end.stream)
    voice = alertVoice
    record.answered(reached.upstream)
    const opening = await verifyServerName(end.stream, early, authority.host, serverName)
    const relay = startRelay({ client: end, upstream, early: opening.bytes, idleTimeoutMs })
    place.relay = relay
    record.established(relay.bytes, opening.reported)
    return { relay, record, place }
  } catch (error) {
    setup.done()
    upstream?.stream.destroy()
    if (place?.relay !== undefined) abort(end, place.relay, record, error)
    else if (setup.isClientGone() || error instanceof ClientLeftError) abandon(end, record)
    else refuseRequest({ ...request, voice }, record, describeFailure(error, record.target))
    place?.release()
    return undefined
  }
}

/** Opens the record of a request. */
export function openRecord (log: TunnelLog, { address, port, certificate }: Client, target: string): TunnelRecord {
  return log.open(formatSocketAddress(address.text, port), target, certificate.allow ? certificate.subject : undefined)
}

/** Closes the record when the tunnel has ended, and gives its place back. */
async function followTunnel (tunnel: OpenTunnel | undefined): Promise<void> {
  if (tunnel === undefined) return
  const { relay, record, place } = tunnel
  record.ended(await relay.ended)
  place.release()
}

/**
 * Tells the client why there is no tunnel, and closes the record. Owns the client's end from here on, or gives it back
 * for another request where the client has not said who it is, or has said it wrongly.
 */
export function refuseRequest (
  { end, voice, again }: Pick<TunnelRequest, 'end' | 'voice' | 'again'>, record: TunnelRecord,
  { refusal, cause }: TunnelFailure,
): void {
  record.refused(refusal, refusal.reason === 'internal' ? cause : undefined)
  const told = { target: record.target, tunnelId: record.id }
  if (again === undefined || voice.refuseForNow === undefined || reasons[refusal.reason].status !== 407) {
    voice.refuse(end.stream, refusal, told)
    return
  }
  voice.refuseForNow(end.stream, refusal, told)
  again()
}

/** Nobody is there to be answered. */
function abandon (end: RelayEnd, record: TunnelRecord): void {
  end.stream.destroy()
  record.abandoned()
}

/** A bug behind the start of the relay: nothing can be said to the client any more. */
function abort (end: RelayEnd, relay: Relay, record: TunnelRecord, error: unknown): void {
  relay.stop()
  end.stream.destroy()
  record.refused(describeFailure(error, record.target).refusal, error)
}

function ignoreError (): void {}
