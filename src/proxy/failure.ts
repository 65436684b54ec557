import { LookupError } from '../dns/names.ts'
import { type Denied, type Refusal, refuse } from '../refusal/reasons.ts'
import { DialError } from './dial.ts'
import { ExchangeError } from './exchange.ts'
import { describeParent } from './parent-refusals.ts'
import { ParentError } from './parent.ts'

/** A tunnel that must not be, or could not be, opened: what the client is told. */
export class TunnelFailure extends Error {
  override readonly name = 'TunnelFailure'
  readonly refusal: Refusal

  constructor (refusal: Refusal, cause?: unknown) {
    super(refusal.reason, { cause })
    this.refusal = refusal
  }
}

/** What a decision grants; one that denies throws `TunnelFailure`. */
export function permit<Decision extends { readonly allow: true } | Denied> (decision: Decision) {
  if (!decision.allow) throw new TunnelFailure(decision.refusal)
  return decision as Extract<Decision, { readonly allow: true }>
}

/**
 * What the client is told of the failure of a step. `target` is the canonical authority that the step was for.
 * An error that no step is known to fail with is a bug, and `internal`.
 */
export function describeFailure (error: unknown, target: string): TunnelFailure {
  if (error instanceof TunnelFailure) return error
  if (error instanceof LookupError) return new TunnelFailure(refuseLookup(error), error)
  if (error instanceof DialError) return new TunnelFailure(describeDial(error, target), error)
  if (error instanceof ParentError) return new TunnelFailure(describeParent(error, target), error)
  if (error instanceof ExchangeError) return new TunnelFailure(describeExchange(error, target), error)
  return new TunnelFailure(refuseInternal(), error)
}

function refuseInternal (): Refusal {
  return refuse('internal', 'the gateway made a mistake',
    'Look for this tunnelId in the gateway\'s log, and report what it says.')
}

/** What is said of a name that has no address now: by a tunnel, and by whoever explains one. */
export function refuseLookup ({ outcome, host }: LookupError): Refusal {
  switch (outcome) {
    case 'timeout':
      return refuse('dns_timeout', `the name servers did not answer for ${host}`,
        'Look at the name servers the gateway asks (dns.servers) and the way to them.')
    case 'no_such_name':
      return refuse('dns_failed', `there is no such name as ${host}`,
        'Check the registry\'s name; with Private Link, check the zone that the gateway\'s name servers have.')
    case 'no_addresses':
      return refuse('dns_failed', `${host} has no address`,
        'Check the registry\'s name; with Private Link, check the zone that the gateway\'s name servers have.')
    case 'server_failure':
    case 'refused':
    case 'failed':
      return refuse('dns_failed', `the name servers could not resolve ${host} (${outcome})`,
        'Look at the name servers the gateway asks (dns.servers).')
  }
}

function describeDial ({ outcome }: DialError, target: string): Refusal {
  switch (outcome) {
    case 'refused':
      return refuse('connect_refused', `${target} refused the connection`,
        'Try again; if it stays, see whether a firewall behind the gateway refuses port 443.')
    case 'timeout':
      return refuse('connect_timeout', `no connection to ${target} within tunnel.connectTimeout`,
        'See whether a firewall behind the gateway drops port 443.')
    case 'unreachable':
      return refuse('connect_unreachable', `there is no way to ${target} from the gateway`,
        'Look at the routes and packet filters of the gateway\'s host.')
    case 'exhausted':
      return {
        ...refuse('tunnel_limit', 'the gateway has no descriptors, ports or memory left for a connection',
          'Try again; raise LimitNOFILE of the gateway, or run more gateways.'),
        // As where all tunnels are in use: some end all the time.
        retryAfterSeconds: 5,
      }
  }
}

function describeExchange ({ outcome }: ExchangeError, target: string): Refusal {
  switch (outcome) {
    case 'failed':
      return refuse('answer_failed', `${target} broke off before it answered, or its answer is not well-formed HTTP`,
        'Try again; if it stays, see what answers at that address.')
    case 'timeout':
      return refuse('answer_timeout', `${target} took too long to answer`,
        'Try again; if it stays, see whether something behind the gateway holds up plain HTTP.')
    case 'too_large':
      return refuse('answer_too_large', `the answer of ${target} is larger than any revocation list`,
        'See what the client asks for; the gateway carries revocation lists, OCSP answers and issuers only.')
  }
}
