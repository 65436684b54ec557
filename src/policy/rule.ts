import {
  type EndpointTags, type TagScope, listBundleTags, listEndpointTags, noTags,
} from '../acr/address-tags.ts'
import { type Bundle, type BundleEndpoint, listBundleEndpoints } from '../acr/bundles.ts'
import { type Endpoint, type EndpointClass, type Registry, endpointPattern, listEndpoints } from '../acr/endpoints.ts'
import { type CidrSet, createCidrSet, emptyCidrSet } from '../net/cidr-set.ts'
import type { HostName } from '../net/host-name.ts'

/** One name, or one wildcard, that is let through, and on what ground. */
export interface Rule {
  readonly class: EndpointClass
  /** The login server whose endpoint this is; '' for names that belong to no single registry. */
  readonly registry: string
  readonly region: string
  /** The name; for a wildcard, the part behind `*.`, which stands for one whole label. */
  readonly host: HostName
  readonly wildcard: boolean
  /** 443 is reached by CONNECT, 80 by plain HTTP. */
  readonly port: BundleEndpoint['port']
  /** The rule as a person reads it: `*.blob.core.windows.net`. */
  readonly pattern: string
  /** The configuration key that the rule comes from, like `registries[0].regions`. */
  readonly source: string
  /** Blocks that the name may resolve to although they are not public. */
  readonly privateEndpoints: CidrSet
  /** The service tags that its other addresses must lie in, where service tags are looked at. */
  readonly tags: EndpointTags
}

/** What the rules are made from. */
export interface RuleSources {
  readonly registries: readonly Registry[]
  readonly bundles: readonly Bundle[]
  /** Names outside any registry, exact, port 443. */
  readonly extraHosts: readonly HostName[]
  readonly tagScope: TagScope
}

/**
 * Every rule, in the order of the configuration. A name or wildcard occurs once for a port; the first to ask for it
 * owns it.
 */
export function listRules ({ registries, bundles, extraHosts, tagScope }: RuleSources): readonly Rule[] {
  const rules = new Map<string, Rule>()
  const keyOf = ({ pattern, port }: Rule): string => `${pattern}:${port}`
  for (const [index, registry] of registries.entries()) {
    const privateEndpoints = createCidrSet(registry.privateEndpoints)
    for (const endpoint of listEndpoints(registry)) {
      const source = `registries[${index}].${endpoint.from}`
      const tags = listEndpointTags(endpoint, registry, tagScope)
      const rule = ruleOf(endpoint, registry, { source, privateEndpoints, tags })
      const earlier = rules.get(keyOf(rule))
      rules.set(keyOf(rule), earlier === undefined ? rule : shareRule(earlier, rule))
    }
  }
  for (const rule of [...listBundleRules(bundles, registries), ...extraHosts.map(extraRuleOf)]) {
    if (!rules.has(keyOf(rule))) rules.set(keyOf(rule), rule)
  }
  return [...rules.values()]
}

/** The rule by which a host that none lets through is let through all the same, where that is only reported. */
export function createUnlistedRule (host: HostName): Rule {
  return ownRule({ class: 'unlisted', host, source: 'policy.mode' })
}

function ruleOf (
  endpoint: Endpoint, registry: Registry,
  { source, privateEndpoints, tags }: Pick<Rule, 'source' | 'privateEndpoints' | 'tags'>,
): Rule {
  const isShared = endpoint.class === 'certificate'
  return {
    class: endpoint.class,
    registry: isShared ? '' : registry.loginServer.host,
    region: endpoint.region,
    host: endpoint.host,
    wildcard: endpoint.wildcard,
    port: 443,
    pattern: endpointPattern(endpoint),
    source,
    privateEndpoints: isShared ? emptyCidrSet : privateEndpoints,
    tags,
  }
}

/** Two registries may name the same storage: it may then be in the private endpoints, and the regions, of either. */
function shareRule (first: Rule, second: Rule): Rule {
  const blocks = [...first.privateEndpoints.blocks, ...second.privateEndpoints.blocks]
  const names = new Set([...first.tags.names, ...second.tags.names])
  return { ...first, privateEndpoints: createCidrSet(blocks), tags: { ...first.tags, names: [...names] } }
}

function listBundleRules (bundles: readonly Bundle[], registries: readonly Registry[]): readonly Rule[] {
  const clouds = registries.map(({ loginServer }) => loginServer.cloud)
  return bundles.flatMap((bundle, index) => listBundleEndpoints(bundle, clouds).map((endpoint) => {
    return ownRule({ ...endpoint, class: bundle, source: `bundles[${index}]`, tags: listBundleTags(bundle, clouds) })
  }))
}

function extraRuleOf (host: HostName, index: number): Rule {
  return ownRule({ class: 'extra', host, source: `extraHosts[${index}]` })
}

/** A rule of no registry: an exact host at port 443, at any public address, unless told otherwise. */
function ownRule (rule: Pick<Rule, 'class' | 'host' | 'source'> & Partial<Rule>): Rule {
  return {
    registry: '',
    region: '',
    wildcard: false,
    port: 443,
    pattern: endpointPattern({ wildcard: false, ...rule }),
    privateEndpoints: emptyCidrSet,
    tags: noTags,
    ...rule,
  }
}
