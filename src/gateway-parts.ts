import type { Socket } from 'node:net'
import { createSecureContext } from 'node:tls'
import type { Logger } from 'pino'
import type { Configuration, UpstreamProxy } from './config/configuration.ts'
import { type Destination, LookupError, type Names, type NamesOptions, createNames } from './dns/names.ts'
import { createResolver } from './dns/resolver.ts'
import type { OwnEnd } from './host/own-end.ts'
import { formatSocketAddress } from './net/address.ts'
import type { CutSignal } from './net/cut-signal.ts'
import { type HostName, canonicalHostName } from './net/host-name.ts'
import { describeProxyUrl } from './net/proxy-url.ts'
import type { ExplainLookup } from './policy/explain.ts'
import { type Policy, createPolicy } from './policy/policy.ts'
import { createDirectReach } from './proxy/direct-reach.ts'
import { describeFailure, refuseLookup } from './proxy/failure.ts'
import { createParentReach } from './proxy/parent-reach.ts'
import type { ParentProxy } from './proxy/parent.ts'
import type { PermittedName, Reach } from './proxy/reach.ts'
import { createSlowTargets } from './proxy/slow-targets.ts'
import type { Refusal } from './refusal/reasons.ts'
import type { Metrics } from './telemetry/metrics.ts'

/** The policy that a configuration asks for, with the service tags of its file or newer ones. */
export function createConfiguredPolicy (
  { registries, bundles, extraHosts, clients, addresses, policy }: Configuration,
  serviceTags = addresses.tagFile?.serviceTags,
): Policy {
  return createPolicy({
    registries,
    bundles,
    extraHosts,
    hostMode: policy.mode,
    clients: clients.allow,
    tagMode: addresses.mode,
    tagScope: addresses.scope,
    ...serviceTags === undefined ? {} : { serviceTags },
  })
}

/** The name cache over the name servers that a configuration asks for. */
export function createConfiguredNames (
  { dns }: Configuration, watchers?: { readonly metrics: Metrics, readonly logger: Logger },
): Names {
  const servers = dns.servers?.map(({ address, port }) => formatSocketAddress(address.text, port))
  return createNames({
    ...dns,
    resolver: createResolver({ timeoutMs: dns.timeoutMs, ...servers === undefined ? {} : { servers } }),
    ...watchers === undefined ? {} : nameEvents(watchers.metrics, watchers.logger),
  })
}

function nameEvents (metrics: Metrics, logger: Logger): Pick<NamesOptions, 'onQuery' | 'onLookup' | 'onChange'> {
  return {
    onQuery: metrics.queried,
    onLookup: metrics.lookedUp,
    onChange ({ name, family, added, removed }) {
      metrics.addressesChanged()
      const texts = { added: added.map(({ text }) => text), removed: removed.map(({ text }) => text) }
      logger.info({ host: name, family, ...texts }, 'name_addresses_changed')
    },
  }
}

/** What a way out tells of itself, and to whom. */
export interface ReachParts {
  readonly metrics?: Metrics
  readonly ownEnd?: OwnEnd
  /** A name that nobody else has, by which a request is known that comes back. */
  readonly pseudonym?: string
}

/** The one way out that a configuration asks for; a parent proxy is told the pseudonym. */
export function createConfiguredReach (
  { upstreamProxy }: Configuration, names: Pick<Names, 'lookup'>, { pseudonym = 'acr-egress', ...watchers }: ReachParts = {},
): Reach {
  const services = {
    names,
    slowTargets: createSlowTargets(),
    ...watchers.metrics === undefined ? {} : { onAttempt: watchers.metrics.attempted },
    ...watchers.ownEnd === undefined ? {} : { leadsBack: watchers.ownEnd.leadsBack },
  }
  if (upstreamProxy === undefined) return createDirectReach(services)
  const parent = { url: upstreamProxy.url, pseudonym, ...createParentTrust(upstreamProxy) }
  return createParentReach({ ...services, parent, resolver: upstreamProxy.resolve })
}

function createParentTrust ({ url, authorities }: UpstreamProxy): Pick<ParentProxy, 'secureContext'> {
  if (url.scheme === 'http') return {}
  // As Go does: a certificate of the store is trusted whether it is a root or not.
  return { secureContext: createSecureContext({ ca: [...authorities], allowPartialTrustChain: true }) }
}

/** Names that the gateway itself asks for: of the parent proxy, and of tunnels where it resolves them. */
export function listAskedNames ({ upstreamProxy }: Configuration, { rules }: Policy): readonly HostName[] {
  const parent = upstreamProxy === undefined ? undefined : canonicalHostName(upstreamProxy.url.host)
  const hosts = rules.flatMap(({ host, wildcard, port }) => {
    return wildcard || (upstreamProxy !== undefined && !isAskedWith(upstreamProxy, port)) ? [] : [host]
  })
  return parent === undefined ? hosts : [parent, ...hosts]
}

/** Whether the gateway asks for a name although there is a parent; plain HTTP names the host to it in any case. */
function isAskedWith ({ resolve }: UpstreamProxy, port: number): boolean {
  return resolve === 'gateway' && port === 443
}

/** Where a name leads, or what a tunnel would be told when it leads nowhere within the time. */
export async function lookupOrRefuse (
  names: Names, host: HostName, signal: CutSignal,
): Promise<readonly Destination[] | Refusal> {
  try {
    return await names.lookup(host, signal)
  } catch (error) {
    if (error instanceof LookupError) return refuseLookup(error)
    throw error
  }
}

/** A connection by the way out, or what a tunnel would be told when there is none. */
export async function openOrRefuse (reach: Reach, name: PermittedName, signal: CutSignal): Promise<Socket | Refusal> {
  try {
    return (await reach.open(name, signal)).end.stream
  } catch (error) {
    const { host, port } = name.authority
    const { refusal } = describeFailure(error, `${host}:${port}`)
    if (refusal.reason === 'internal') throw error
    return refusal
  }
}

/** Where names lead, of those that the gateway itself asks for: in the form that `explainTarget` wants. */
export function createExplainLookup (
  { upstreamProxy }: Configuration, names: Names, timeoutMs: number,
): ExplainLookup {
  return async ({ host, port }) => {
    if (upstreamProxy !== undefined && !isAskedWith(upstreamProxy, port)) {
      return { resolver: `the parent proxy ${describeProxyUrl(upstreamProxy.url)}` }
    }
    const found = await lookupOrRefuse(names, host, AbortSignal.timeout(timeoutMs))
    return 'reason' in found ? found : found.map(({ address }) => address)
  }
}
