import type { Duplex } from 'node:stream'
import type { HostName } from '../net/host-name.ts'
import { type Refusal, refuse } from '../refusal/reasons.ts'
import { type HelloProblem, type HelloReading, maxHelloBytes, readClientHello } from '../tls/client-hello.ts'
import { TunnelFailure } from './failure.ts'
import { readFirstBytes } from './first-bytes.ts'
import { watchSetup } from './setup-watch.ts'

/** What becomes of a tunnel that does not begin with the hello of its host: refused, told of, or not looked at. */
export type ServerNameMode = 'enforce' | 'report' | 'off'

/** How tunnels are to begin. */
export interface ServerNameRule {
  readonly mode: ServerNameMode
  /** For the whole hello, in milliseconds. */
  readonly timeoutMs: number
}

/** How a tunnel began. */
export interface Opening {
  /** What has come from the client so far, to be carried first. */
  readonly bytes: Buffer
  /** Why it would be refused, where that is only reported. */
  readonly reported?: Refusal
}

/** The client has gone without a byte, which is nobody's fault. */
export class ClientLeftError extends Error {
  override readonly name = 'ClientLeftError'
}

/**
 * Reads a tunnel's first bytes, which must be a TLS ClientHello for `host` (RFC 6066 §3), and nothing of what follows.
 * Of an encrypted hello (ECH) the outer name counts: the one that the network is told.
 *
 * Rejects with `TunnelFailure` for anything else in mode `enforce`, and with `ClientLeftError` when there are no first
 * bytes. The stream stays the caller's.
 */
export async function verifyServerName (
  stream: Duplex, early: Buffer, host: HostName, { mode, timeoutMs }: ServerNameRule,
): Promise<Opening> {
  if (mode === 'off') return { bytes: early }
  const time = watchSetup(stream, timeoutMs)
  const first = await readFirstBytes(stream, early, judgeHello, time)
  time.done()
  const { kind, bytes } = first
  if (kind === 'closed' || time.isClientGone() || (kind === 'ended' && bytes.length === 0)) throw new ClientLeftError()
  const refusal = kind === 'judged'
    ? refuseHello(first.verdict, host)
    : kind === 'cut' ? refuseSilence(timeoutMs, bytes.length) : refuseOther('ended within its ClientHello')
  if (refusal === undefined) return { bytes }
  if (mode === 'report') return { bytes, reported: refusal }
  throw new TunnelFailure(refusal)
}

/** What the bytes are, once that can be said. */
export function judgeHello (bytes: Buffer): Exclude<HelloReading, { state: 'partial' }> | undefined {
  const reading = readClientHello(bytes)
  return reading.state === 'partial' ? undefined : reading
}

function refuseHello (reading: Exclude<HelloReading, { state: 'partial' }>, host: HostName): Refusal | undefined {
  if (reading.state === 'not_tls') return refuseProblem(reading.problem)
  if (reading.serverName === host) return undefined
  return refuseName(reading.serverName, reading.hasEch, host)
}

const problems: Readonly<Record<HelloProblem, string>> = {
  no_handshake: 'does not begin with TLS',
  no_client_hello: 'begins with TLS that was begun elsewhere',
  malformed: 'sends a ClientHello that is damaged',
  too_large: `sends a ClientHello of over ${maxHelloBytes / 1024} KiB`,
  unusable_name: 'sends a ClientHello whose server name is none',
}

/** What is said of bytes that are no ClientHello. */
export function refuseProblem (problem: HelloProblem): Refusal {
  return refuseOther(problems[problem])
}

function refuseOther (what: string): Refusal {
  return refuse('not_tls', `the client ${what}`,
    'Only TLS is let through; see what the client sends, and that it speaks https to the registry.')
}

function refuseName (name: HostName | undefined, hasEch: boolean, host: HostName): Refusal {
  const what = name === undefined ? 'names no server' : `is for ${name}`
  const hint = hasEch
    ? 'The client encrypts the name of the server (ECH), which hides it from the gateway; turn that off for the registry.'
    : 'The client must ask the proxy for the host that it speaks TLS with; see what rewrites one of the two names.'
  return refuse('server_name_mismatch', `the TLS inside the tunnel to ${host} ${what}`, hint)
}

function refuseSilence (timeoutMs: number, length: number): Refusal {
  const what = length === 0 ? 'nothing' : 'no whole ClientHello'
  return refuse('hello_timeout', `the client sent ${what} within ${timeoutMs / 1000} s of the opening of the tunnel`,
    'In TLS the client speaks first; see whether it waits for a greeting, as those of ssh or smtp do, ' +
    'or raise tunnel.helloTimeout.')
}
