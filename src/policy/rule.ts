import { type EndpointTags, type TagScope, listEndpointTags, noTags } from '../acr/address-tags.ts'
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
  /** Names outside any registry, exact, port 443. */
  readonly extraHosts: readonly HostName[]
  readonly tagScope: TagScope
}

/** Every rule, in the order of the configuration. A name or wildcard occurs once; the first to ask for it owns it. */
export function listRules ({ registries, extraHosts, tagScope }: RuleSources): readonly Rule[] {
  const rules = new Map<string, Rule>()
  for (const [index, registry] of registries.entries()) {
    const privateEndpoints = createCidrSet(registry.privateEndpoints)
    for (const endpoint of listEndpoints(registry)) {
      const source = `registries[${index}].${endpoint.from}`
      const tags = listEndpointTags(endpoint, registry, tagScope)
      const rule = ruleOf(endpoint, registry, { source, privateEndpoints, tags })
      const earlier = rules.get(rule.pattern)
      rules.set(rule.pattern, earlier === undefined ? rule : shareRule(earlier, rule))
    }
  }
  for (const [index, host] of extraHosts.entries()) {
    if (rules.has(host)) continue
    rules.set(host, {
      class: 'extra',
      registry: '',
      region: '',
      host,
      wildcard: false,
      pattern: host,
      source: `extraHosts[${index}]`,
      privateEndpoints: emptyCidrSet,
      tags: noTags,
    })
  }
  return [...rules.values()]
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
