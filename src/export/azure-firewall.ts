import { type Cidr, parseCidr } from '../net/cidr.ts'
import { coversBlock, createCidrSet, listOutermostBlocks } from '../net/cidr-set.ts'
import { type TemplateParameter, networkApiVersion, renderTemplate } from './arm-template.ts'
import { describeOpenStorage, describeOrigin } from './remarks.ts'
import type { Rule } from '../policy/rule.ts'
import { type ExportSources, type Port, groupByPort, protocolOf } from './sources.ts'

const protocolTypes: Readonly<Record<Port, 'Https' | 'Http'>> = { 443: 'Https', 80: 'Http' }

/** A template that puts a group of application rules, one for each registry, into a firewall policy that is there. */
export function renderAzureFirewall (sources: ExportSources): string {
  const rules = groupByPort(sources.rules).flatMap((group) => {
    return Array.from(groupByOwner(group.rules), ([owner, owned]) => createRule(group.port, owner, owned))
  })
  return renderTemplate({
    metadata: describe(sources),
    parameters: {
      firewallPolicyName: text('The name of the firewall policy, which is there already.'),
      ruleCollectionGroupName: text('The name of the group; one of this name is replaced.', 'acr-egress'),
      groupPriority: priority('The priority of the group in the policy, 100 (first) to 65000; no other group may have it.', 1000),
      sourceAddresses: createSourceParameter(sources.clients),
    },
    resources: [{
      type: 'Microsoft.Network/firewallPolicies/ruleCollectionGroups',
      apiVersion: networkApiVersion,
      name: '[format(\'{0}/{1}\', parameters(\'firewallPolicyName\'), parameters(\'ruleCollectionGroupName\'))]',
      properties: {
        priority: '[parameters(\'groupPriority\')]',
        ruleCollections: [{
          ruleCollectionType: 'FirewallPolicyFilterRuleCollection',
          name: 'container-registries',
          priority: 100,
          action: { type: 'Allow' },
          rules,
        }],
      },
    }],
  })
}

function text (description: string, defaultValue?: string): TemplateParameter {
  return { type: 'string', ...defaultValue === undefined ? {} : { defaultValue }, metadata: { description } }
}

function priority (description: string, defaultValue: number): TemplateParameter {
  return { type: 'int', defaultValue, minValue: 100, maxValue: 65000, metadata: { description } }
}

/** The rules of each registry; of names that belong to no single one, those of each class. */
function groupByOwner (rules: readonly Rule[]): ReadonlyMap<string, readonly Rule[]> {
  const owners = new Map<string, Rule[]>()
  for (const rule of rules) {
    const owner = rule.registry === '' ? rule.class : rule.registry
    owners.set(owner, [...owners.get(owner) ?? [], rule])
  }
  return owners
}

function createRule (port: Port, owner: string, rules: readonly Rule[]): object {
  const keys = [...new Set(rules.map(({ source }) => source.replace(/^(extraHosts)\[\d+\]$/, '$1')))].join(', ')
  const remark = rules.some(({ wildcard }) => wildcard) ? '; * is any number of labels' : ''
  return {
    ruleType: 'ApplicationRule',
    name: `${protocolOf[port]}-${owner}`,
    description: `From ${keys}${remark}`,
    sourceAddresses: '[parameters(\'sourceAddresses\')]',
    protocols: [{ protocolType: protocolTypes[port], port }],
    targetFqdns: rules.map(({ pattern }) => pattern),
    terminateTLS: false,
  }
}

/** Of no use behind another machine: loopback and link-local addresses are not forwarded (RFC 1122, RFC 3927). */
const unrouted = createCidrSet(['127.0.0.0/8', '169.254.0.0/16'].flatMap((block) => parseCidr(block) ?? []))

/** The networks of clients; none to choose from, and whoever deploys has to say. */
function createSourceParameter (clients: readonly Cidr[]): TemplateParameter {
  const routed = listOutermostBlocks(createCidrSet(clients))
    .filter((block) => block.first.family === 4 && !coversBlock(unrouted, block))
    .map((block) => block.text)
  return {
    type: 'array',
    ...routed.length === 0 ? {} : { defaultValue: routed },
    metadata: {
      description: 'Where connections come from: the gateway\'s own address, or the networks of clients that go without it ' +
        '(clients.allow, IPv4 as Azure Firewall has it).',
    },
  }
}

function describe (sources: ExportSources): Readonly<Record<string, string | readonly string[]>> {
  const hasWildcard = sources.rules.some(({ wildcard }) => wildcard)
  return {
    description: 'The way to Azure container registries, for Azure Firewall (Standard or Premium): application rules of a firewall policy.',
    origin: describeOrigin(sources).map((line) => line.trim()),
    check: 'az deployment group what-if --resource-group GROUP --template-file FILE --parameters firewallPolicyName=POLICY',
    load: 'az deployment group create --resource-group GROUP --template-file FILE --parameters firewallPolicyName=POLICY sourceAddresses=\'["10.1.2.3"]\'',
    limits: [
      ...hasWildcard
        ? ['A wildcard of Azure Firewall is anything on the left, also several labels.']
        : [],
      ...describeOpenStorage(sources.rules),
      'It compares the server name that the client sends (SNI), or the Host of plain HTTP, and resolves it by itself.',
      'Names do not change when the service tags do. For private endpoints its name servers must answer with their addresses.',
      'It only allows: that nothing else is let through is for the other rules of the policy, among which network rules go first.',
    ],
  }
}
