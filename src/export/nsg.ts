import { spellTag } from '../acr/tag-spelling.ts'
import type { Cidr } from '../net/cidr.ts'
import { listPrivateBlocks, listTagNames, listUncovered, ofFamily } from './addresses.ts'
import { networkApiVersion, renderTemplate } from './arm-template.ts'
import { describeFilterLimits, describeOrigin } from './remarks.ts'
import { ExportError, type ExportSources, groupByPort, protocolOf } from './sources.ts'

/** Rules of a group, and prefixes that its rules name as destinations (Azure subscription limits, 2022-12). */
const maxRules = 1000
const maxPrefixes = 4000
/** Priorities go from 100 to 4096; the last is for the rule that denies. */
const firstPriority = 100
const lastPriority = 4096
/** Room for a rule of one's own between two, as long as there is any. */
const usualStep = 10

/** A rule before it has its priority. */
interface RuleDraft {
  /** Unique, of letters, digits and `._-`, at most 80 long. */
  readonly name: string
  /** At most 140 characters. */
  readonly description: string
  readonly protocol: 'Tcp' | '*'
  readonly port: number
  /** One service tag, or prefixes of one family: Azure takes no mixture. */
  readonly to: string | readonly string[]
}

/**
 * A template of a network security group: outbound rules to service tags and private endpoints, then none to the
 * Internet. It is attached to nothing, so that it shuts nobody out.
 *
 * @throws ExportError past the limits of Azure.
 */
export function renderNsg (sources: ExportSources): string {
  const drafts = listDrafts(sources)
  demandLimits(drafts)
  return renderTemplate({
    metadata: describe(sources),
    parameters: {
      networkSecurityGroupName: {
        type: 'string',
        defaultValue: 'acr-egress',
        metadata: { description: 'The name of the group. One of this name that is there loses all of its own rules.' },
      },
      location: {
        type: 'string',
        defaultValue: '[resourceGroup().location]',
        metadata: { description: 'The region of the virtual network.' },
      },
    },
    resources: [{
      type: 'Microsoft.Network/networkSecurityGroups',
      apiVersion: networkApiVersion,
      name: '[parameters(\'networkSecurityGroupName\')]',
      location: '[parameters(\'location\')]',
      properties: { securityRules: [...drafts.map(finishRule(drafts.length)), denyInternet] },
    }],
  })
}

function listDrafts (sources: ExportSources): readonly RuleDraft[] {
  const targets = groupByPort(sources.rules).flatMap(({ port, rules }) => [
    ...listTagNames(rules).map((name) => draftTag(protocolOf[port], port, spell(name, sources))),
    ...draftPrefixes(`${protocolOf[port]}-privateEndpoints`, {
      description: 'Private endpoints of the registries, from registries[].privateEndpoints',
      protocol: 'Tcp',
      port,
      to: listPrivateBlocks(rules),
    }),
  ])
  return [...targets, ...draftNameServers(sources)]
}

/** As the file has it, or else as Microsoft builds such names. */
function spell (name: string, { tags }: ExportSources): string {
  return tags?.serviceTags.find(name)?.name ?? spellTag(name)
}

function draftTag (protocol: string, port: number, tag: string): RuleDraft {
  const whose = tag.split('.')[0] === 'Storage' ? ': the blobs of every Azure customer' : ''
  return { name: `${protocol}-${tag}`, description: `Service tag ${tag}${whose}`, protocol: 'Tcp', port, to: tag }
}

function draftPrefixes (
  name: string, { to, ...draft }: Omit<RuleDraft, 'name' | 'to'> & { readonly to: readonly Cidr[] },
): readonly RuleDraft[] {
  return ([4, 6] as const).flatMap((family) => {
    const prefixes = ofFamily(to, family).map(({ text }) => text)
    return prefixes.length === 0 ? [] : [{ ...draft, name: `${name}-ipv${family}`, to: prefixes }]
  })
}

/** Name servers outside the virtual network would be shut out by the last rule. */
function draftNameServers ({ nameServers }: ExportSources): readonly RuleDraft[] {
  return [...new Set(nameServers.map(({ port }) => port))].flatMap((port) => ([4, 6] as const).flatMap((family) => {
    const servers = nameServers.filter((server) => server.port === port && server.address.family === family)
    const to = [...new Set(servers.map(({ address }) => address.text))]
    if (to.length === 0) return []
    const description = 'Name servers, from dns.servers'
    return [{ name: `dns-${port}-ipv${family}`, description, protocol: '*' as const, port, to }]
  }))
}

function demandLimits (drafts: readonly RuleDraft[]): void {
  const prefixes = drafts.reduce((sum, { to }) => sum + (typeof to === 'string' ? 0 : to.length), 0)
  if (drafts.length + 1 <= maxRules && prefixes <= maxPrefixes) return
  throw new ExportError(`a network security group has at most ${maxRules} rules and ${maxPrefixes} prefixes, and these would be ` +
    `${drafts.length + 1} and ${prefixes}; write addresses: {scope: global}, or wider privateEndpoints`)
}

function finishRule (count: number): (draft: RuleDraft, index: number) => object {
  const step = Math.min(usualStep, Math.floor((lastPriority - firstPriority) / Math.max(count, 1)))
  return ({ name, description, protocol, port, to }, index) => ({
    name,
    properties: {
      description,
      priority: firstPriority + index * step,
      direction: 'Outbound',
      access: 'Allow',
      protocol,
      sourceAddressPrefix: '*',
      sourcePortRange: '*',
      ...typeof to === 'string' ? { destinationAddressPrefix: to } : { destinationAddressPrefixes: to },
      destinationPortRange: String(port),
    },
  })
}

const denyInternet = {
  name: 'deny-Internet',
  properties: {
    description: 'Nothing else outside the virtual network, at any port',
    priority: lastPriority,
    direction: 'Outbound',
    access: 'Deny',
    protocol: '*',
    sourceAddressPrefix: '*',
    sourcePortRange: '*',
    destinationAddressPrefix: 'Internet',
    destinationPortRange: '*',
  },
} as const

function describe (sources: ExportSources): Readonly<Record<string, string | readonly string[]>> {
  const uncovered = listUncovered(sources.rules, listTagNames(sources.rules))
  return {
    description: 'The way to Azure container registries, for a network security group: outbound rules by service tags.',
    origin: describeOrigin(sources).map((line) => line.trim()),
    check: 'az deployment group what-if --resource-group GROUP --template-file FILE',
    load: [
      'az deployment group create --resource-group GROUP --template-file FILE',
      'It takes effect when it is attached: az network vnet subnet update --resource-group GROUP --vnet-name VNET --name SUBNET --network-security-group acr-egress',
      'To take it back: the same with --network-security-group null',
    ],
    limits: [
      ...describeFilterLimits(sources),
      'The prefixes of service tags change weekly, and Azure itself follows: nothing is to be done.',
      'What is inside the virtual network, peered ones included, stays open by Azure\'s own rule AllowVnetOutBound, and its name service (168.63.129.16) always.',
      'Machines in the subnet that need other services of Azure need rules for them, between 100 and 4095.',
    ],
    ...uncovered.length === 0 ? {} : { notLetThrough: uncovered.map(({ pattern }) => `${pattern}: no service tag is known for it; if it is needed, add a rule for its addresses`) },
  }
}
