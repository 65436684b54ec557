import type { IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import type { Names } from '../dns/names.ts'
import type { CutSignal } from '../net/cut-signal.ts'
import type { Authority } from '../net/authority.ts'
import type { Policy } from '../policy/policy.ts'
import type { Rule } from '../policy/rule.ts'
import type { RelayEnd } from '../relay/ends.ts'
import type { Upstream } from '../telemetry/tunnel-log.ts'
import type { AttemptOutcome } from './dial.ts'
import type { SlowTargets } from './slow-targets.ts'

/** The way out: whatever leaves for registries, leaves by it. One for a gateway. */
export interface Reach {
  /**
   * From a name to a connection. The caller owns the end. Rejects when there is none, with an error that
   * `describeFailure` knows; nothing is left open then.
   */
  open (name: PermittedName, signal: CutSignal): Promise<Reached>
  /** The same, for a request in plain HTTP. */
  openPlain (name: PermittedName, signal: CutSignal): Promise<Reached>
}

/** What it takes to get from a name to a connection. */
export interface ReachServices {
  readonly names: Pick<Names, 'lookup'>
  readonly slowTargets: SlowTargets
  readonly onAttempt?: (outcome: AttemptOutcome) => void
  /** Whether a connection to this address and port would come back to the gateway itself. */
  readonly leadsBack?: (address: string, port: number) => boolean
}

/** A name that is let through, by which rule, and by which its addresses are judged. */
export interface PermittedName {
  readonly policy: Pick<Policy, 'decideAddress'>
  readonly rule: Rule
  readonly authority: Authority
}

/** A connection, and where it goes. */
export interface Reached {
  readonly end: ReachedEnd
  readonly upstream: Upstream
  /** Present when a request in plain HTTP goes to a proxy in place of the host. */
  readonly proxy?: AskedProxy
}

/** A proxy that is asked in plain HTTP. The request has the absolute form then (RFC 9112 §3.2.2). */
export interface AskedProxy {
  /** What it is told besides, in place of our own `Via`; a secret. */
  readonly headers: Readonly<Record<string, string>>
  /** The error for an answer that is not the client's affair: a 407. */
  refuse (answer: ProxyAnswer): Error
}

/** The head of an answer. */
export interface ProxyAnswer {
  readonly statusCode: number
  /** The reason phrase: bytes from outside. */
  readonly statusText: string
  readonly headers: IncomingHttpHeaders
}

/** An end that a relay carries bytes to, which has no listener that anybody waits for. */
export interface ReachedEnd extends RelayEnd {
  readonly stream: Socket
}
