import type { Socket } from 'node:net'
import type { Destination } from '../dns/names.ts'
import { formatSocketAddress } from '../net/address.ts'
import type { HostName } from '../net/host-name.ts'
import { openConnection } from '../outbound/connection.ts'
import { describeGround } from '../policy/explain.ts'
import type { Policy } from '../policy/policy.ts'
import type { Rule } from '../policy/rule.ts'
import type { Refusal } from '../refusal/reasons.ts'
import { codeOf } from './connection-failure.ts'
import type { Route } from './route.ts'
import { type Advice, type Outcome, StepFailure, failByRefusal } from './step.ts'
import type { Walk } from './walk.ts'

/** What it takes to find a host, as the gateway does. */
export interface DirectPathOptions {
  readonly policy: Policy
  /** Where a name leads, or why nowhere. */
  readonly lookup: (host: HostName, signal: AbortSignal) => Promise<readonly Destination[] | Refusal>
}

const registryPort = 443
// An answer of hundreds of addresses must not become hundreds of connections; the gateway stops at as many.
const maxDestinations = 16
const maxNamed = 4

/** Looks a host up, judges its addresses and connects to each that may be dialled: three steps. */
export async function walkDirectly (
  walk: Walk, rule: Rule, host: HostName, options: DirectPathOptions,
): Promise<Route> {
  const allowed = await walkToAddresses(walk, rule, host, options)
  const destination = await walk.take({
    step: 'tcp',
    host,
    late: lateConnection(allowed, host),
    take: async (signal) => await connectToAll(allowed, host, signal),
  })
  return { host, open: async (signal) => await openOrFail(destination, host, signal) }
}

/** Looks a host up and judges its addresses: two steps. Gives those that may be connected to. */
export async function walkToAddresses (
  walk: Walk, rule: Rule, host: HostName, options: DirectPathOptions,
): Promise<readonly Destination[]> {
  const destinations = await walk.take({
    step: 'name',
    host,
    late: lateNames(host),
    take: async (signal) => await findDestinations(host, options, signal),
  })
  return await walk.take({
    step: 'address',
    host,
    late: { found: 'no decision', toDo: 'Try again.' },
    take: async () => judgeDestinations(destinations, rule, options.policy),
  })
}

/** What is said when the name servers keep silent. */
export function lateNames (host: HostName): Advice {
  return {
    found: `dns_timeout: the name servers did not answer for ${host}`,
    toDo: 'Look at the name servers that are asked (dns.servers, else /etc/resolv.conf) and the way to them.',
    reason: 'dns_timeout',
  }
}

function lateConnection (destinations: readonly Destination[], host: string): Advice {
  const found = `connect_timeout: no connection to ${nameAll(destinations)}`
  return { found, toDo: adviseDropped(host), reason: 'connect_timeout' }
}

/** Where a host leads, for a step of its own. Rejects with `StepFailure`. */
export async function findDestinations (
  host: HostName, { lookup }: DirectPathOptions, signal: AbortSignal,
): Promise<Outcome<readonly Destination[]>> {
  const found = await lookup(host, signal)
  signal.throwIfAborted()
  if ('reason' in found) throw failByRefusal(found)
  return { value: found, found: nameAll(found) }
}

/** Which of the addresses may be dialled. Rejects with `StepFailure` when none may. */
export function judgeDestinations (
  destinations: readonly Destination[], rule: Rule, policy: Policy,
): Outcome<readonly Destination[]> {
  const judged = destinations.map((destination) => {
    return { destination, decision: policy.decideAddress(rule, destination.address) }
  })
  const allowed = judged.filter(({ decision }) => decision.allow).map(({ destination }) => destination)
  const denied = judged.flatMap(({ decision }) => decision.allow ? [] : [decision.refusal])
  if (allowed.length === 0 && denied[0] !== undefined) throw failByRefusal(denied[0])
  const grounds = judged.flatMap(({ destination: { address }, decision }) => {
    return decision.allow ? [`${address.text} ${describeGround(decision.ground)}`] : []
  })
  const found = nameSome(grounds)
  if (denied[0] === undefined) return { value: allowed, found }
  const { reason, detail, hint } = denied[0]
  return { value: allowed, found: `${found}; but ${reason}: ${detail}`, toDo: `The gateway does not dial that one. ${hint}` }
}

/** The first destination that takes a connection; the others are only tried. */
async function connectToAll (
  destinations: readonly Destination[], host: string, signal: AbortSignal,
): Promise<Outcome<Destination>> {
  const tried = destinations.slice(0, maxDestinations)
  const results = await Promise.all(tried.map(async (destination) => {
    return { destination, code: await tryConnection(destination, signal) }
  }))
  const good = results.filter(({ code }) => code === '')
  const bad = results.filter(({ code }) => code !== '')
  const [first] = good
  if (first === undefined) {
    signal.throwIfAborted()
    throw describeRefused(bad, host)
  }
  const found = `connected to ${nameAll(good.map(({ destination }) => destination))}`
  if (bad.length === 0) return { value: first.destination, found }
  const others = nameSome(bad.map(({ destination, code }) => `${formatDestination(destination)} (${code})`))
  const rest = `${found}, but not to ${others}`
  // Machines without IPv6 are common, and lose nothing by it.
  const isMissingFamily = bad.every(({ destination, code }) => {
    return destination.address.family === 6 && noRouteCodes.has(code)
  })
  return { value: first.destination, found: rest, ...isMissingFamily ? {} : { toDo: adviseDropped(host) } }
}

const noRouteCodes: ReadonlySet<string> = new Set(['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT'])

/** '' for a connection, which is closed at once; else why there was none. */
async function tryConnection (destination: Destination, signal: AbortSignal): Promise<string> {
  try {
    (await connectTo(destination, signal)).destroy()
    return ''
  } catch (error) {
    if (signal.aborted) return 'ETIMEDOUT'
    const code = codeOf(error)
    if (code === '') throw error
    return code
  }
}

function describeRefused (
  bad: ReadonlyArray<{ readonly destination: Destination, readonly code: string }>, host: string,
): StepFailure {
  const named = nameAll(bad.map(({ destination }) => destination))
  if (bad.some(({ code }) => code === 'ECONNREFUSED' || code === 'ECONNRESET')) {
    return new StepFailure(`connect_refused: ${named} refused the connection`,
      `A firewall between here and Azure most likely refuses port 443: have ${host} let through there.`, 'connect_refused')
  }
  if (bad.some(({ code }) => code === 'ETIMEDOUT')) {
    return new StepFailure(`connect_timeout: no connection to ${named}`, adviseDropped(host), 'connect_timeout')
  }
  const codes = [...new Set(bad.map(({ code }) => code))].join(', ')
  return new StepFailure(`connect_unreachable: there is no way to ${named} from here (${codes})`,
    'Look at the routes and packet filters of this machine.', 'connect_unreachable')
}

function adviseDropped (host: string): string {
  return `A firewall between here and Azure most likely drops port 443: have ${host} let through there.`
}

async function openOrFail (destination: Destination, host: string, signal: AbortSignal): Promise<Socket> {
  try {
    return await connectTo(destination, signal)
  } catch (error) {
    signal.throwIfAborted()
    const code = codeOf(error)
    throw code === '' ? error : describeRefused([{ destination, code }], host)
  }
}

async function connectTo ({ address, port = registryPort }: Destination, signal: AbortSignal): Promise<Socket> {
  return await openConnection({ host: address.text, port, signal })
}

function formatDestination ({ address, port = registryPort }: Destination): string {
  return port === registryPort ? address.text : formatSocketAddress(address.text, port)
}

function nameAll (destinations: readonly Destination[]): string {
  return nameSome(destinations.map(formatDestination))
}

function nameSome (texts: readonly string[]): string {
  const more = texts.length - maxNamed
  return `${texts.slice(0, maxNamed).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
