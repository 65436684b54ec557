import type { Logger } from 'pino'
import type { Configuration } from './config/configuration.ts'
import { type Destination, LookupError, type Names, type NamesOptions, createNames } from './dns/names.ts'
import { createResolver } from './dns/resolver.ts'
import { type Address, formatSocketAddress } from './net/address.ts'
import type { CutSignal } from './net/cut-signal.ts'
import type { HostName } from './net/host-name.ts'
import { type Policy, createPolicy } from './policy/policy.ts'
import { createDirectReach } from './proxy/direct-reach.ts'
import { refuseLookup } from './proxy/failure.ts'
import type { Reach } from './proxy/reach.ts'
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

/** The one way out that a configuration asks for. */
export function createConfiguredReach (
  names: Pick<Names, 'lookup'>, watchers?: { readonly metrics: Metrics },
): Reach {
  const slowTargets = createSlowTargets()
  return createDirectReach({
    names, slowTargets, ...watchers === undefined ? {} : { onAttempt: watchers.metrics.attempted },
  })
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

/** The same, of the addresses alone: in the form that `explainTarget` asks for. */
export async function lookupForExplanation (
  names: Names, host: HostName, timeoutMs: number,
): Promise<readonly Address[] | Refusal> {
  const found = await lookupOrRefuse(names, host, AbortSignal.timeout(timeoutMs))
  return 'reason' in found ? found : found.map(({ address }) => address)
}
