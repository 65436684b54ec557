import type { Socket } from 'node:net'
import type { CutSignal } from '../net/cut-signal.ts'
import type { Authority } from '../net/authority.ts'
import type { Policy } from '../policy/policy.ts'
import type { Rule } from '../policy/rule.ts'
import type { RelayEnd } from '../relay/ends.ts'
import type { Upstream } from '../telemetry/tunnel-log.ts'

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
}

/** An end that a relay carries bytes to, which has no listener that anybody waits for. */
export interface ReachedEnd extends RelayEnd {
  readonly stream: Socket
}
