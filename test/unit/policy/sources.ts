import type { Registry } from '../../../src/acr/endpoints.ts'
import { parseLoginServer } from '../../../src/acr/login-server.ts'
import { type Address, parseAddress } from '../../../src/net/address.ts'
import { type Cidr, parseCidr } from '../../../src/net/cidr.ts'
import { type HostName, canonicalHostName } from '../../../src/net/host-name.ts'
import { type Policy, type PolicySources, createPolicy } from '../../../src/policy/policy.ts'
import type { Rule } from '../../../src/policy/rule.ts'

/** The keys of a registry as a person writes them; what is left out is as in the configuration. */
export interface WrittenRegistry extends Partial<Pick<Registry, 'regions' | 'regionalEndpoints' | 'storage'>> {
  readonly loginServer: string
  readonly privateEndpoints?: readonly string[]
}

export function readRegistry ({ loginServer, privateEndpoints = [], ...keys }: WrittenRegistry): Registry {
  const parsed = parseLoginServer(loginServer)
  if (!parsed.ok) throw new TypeError(parsed.mistake.what)
  return {
    regions: [],
    regionalEndpoints: false,
    storage: 'none',
    ...keys,
    loginServer: parsed.loginServer,
    privateEndpoints: privateEndpoints.map(readCidr),
  }
}

/** A strict policy over registries and further hosts, for clients from 10.0.0.0/8, without service tags, or as told. */
export function policyOver (
  registries: readonly WrittenRegistry[], extraHosts: readonly string[] = [],
  more: Partial<Pick<PolicySources, 'bundles' | 'hostMode' | 'tagMode' | 'tagScope' | 'serviceTags'>> = {},
): Policy {
  return createPolicy({
    registries: registries.map(readRegistry),
    bundles: [],
    extraHosts: extraHosts.map(readHost),
    hostMode: 'enforce',
    clients: [readCidr('10.0.0.0/8')],
    tagMode: 'enforce',
    tagScope: 'global',
    ...more,
  })
}

/** The rule that lets a name through. */
export function findRule (policy: Policy, host: string): Rule {
  const decision = policy.decideTarget(`${host}:443`)
  if (!decision.allow) throw new TypeError(`${host} is refused: ${decision.refusal.reason}`)
  return decision.rule
}

export function readHost (text: string): HostName {
  return known(canonicalHostName(text), text)
}

export function readAddress (text: string): Address {
  return known(parseAddress(text), text)
}

export function readCidr (text: string): Cidr {
  return known(parseCidr(text), text)
}

function known<T> (value: T | undefined, text: string): T {
  if (value === undefined) throw new TypeError(`cannot read ${text}`)
  return value
}
