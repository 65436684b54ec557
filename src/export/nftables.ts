import { createCidrSet, listOutermostBlocks } from '../net/cidr-set.ts'
import { type BlockGroup, listBlockGroups, listTagNames, listUncovered, ofFamily } from './addresses.ts'
import { commentOut, describeFilterLimits, describeOrigin, listPatterns } from './remarks.ts'
import { ExportError, type ExportSources, groupByPort, protocolOf } from './sources.ts'

const table = 'acr_egress'
const chains = ['allowed_targets', 'allowed_output', 'allowed_forward'] as const
const families = [4, 6] as const

/** One set of addresses of one family. */
interface NamedSet {
  readonly name: string
  readonly family: 4 | 6
  readonly groups: readonly BlockGroup[]
}

/**
 * A file for `nft -f`: sets of the addresses, and chains that accept what leads there. It hooks nothing into the path
 * of packets, so that loading it locks nobody out; how to do that stands in it. Loaded again, it replaces its own sets
 * and chains at once and leaves the hooks as they are.
 *
 * @throws ExportError when the configuration has no addresses: no file of service tags, and no private endpoints.
 */
export function renderNftables (sources: ExportSources): string {
  const targets = groupByPort(sources.rules).map(({ port, rules }) => {
    const groups = listBlockGroups(rules, sources.tags?.serviceTags)
    return { port, sets: families.map((family) => createSet(`${protocolOf[port]}_ipv${family}`, family, groups)) }
  })
  if (targets.every(({ sets }) => sets.every(({ groups }) => groups.length === 0))) {
    throw new ExportError('nftables knows addresses and no names, and the configuration has no addresses; write ' +
      'addresses: {serviceTagsFile: FILE} there (acr-egress tags refresh fetches the file), or privateEndpoints')
  }
  const clientGroup = { title: 'clients.allow', blocks: listOutermostBlocks(createCidrSet(sources.clients)) }
  const clients = families.map((family) => createSet(`clients_ipv${family}`, family, [clientGroup]))
  const sets = [...targets.flatMap((target) => target.sets), ...clients]
  const accepted = targets.flatMap((target) => target.sets.map(({ name, family }) => {
    return `${ipOf(family)} daddr @${name} tcp dport ${target.port} counter accept`
  }))
  return [
    '#!/usr/sbin/nft -f',
    ...commentOut(describe(sources)),
    '',
    ...renderReset(sets),
    '',
    `table inet ${table} {`,
    ...sets.flatMap(renderSet),
    ...renderChains(sources, accepted),
    '}',
    '',
    ...commentOut(hooks),
    '',
  ].join('\n')
}

function createSet (name: string, family: 4 | 6, groups: readonly BlockGroup[]): NamedSet {
  const own = groups.map(({ title, blocks }) => ({ title, blocks: ofFamily(blocks, family) }))
  return { name, family, groups: own.filter(({ blocks }) => blocks.length > 0) }
}

function ipOf (family: 4 | 6): string {
  return family === 4 ? 'ip' : 'ip6'
}

function describe (sources: ExportSources): readonly string[] {
  const included = sources.tags === undefined ? [] : listTagNames(sources.rules)
  const uncovered = listUncovered(sources.rules, included)
  return [
    '',
    'The way to Azure container registries, for nftables.',
    '',
    ...describeOrigin(sources),
    '',
    'To load it:   nft -c -f FILE && nft -f FILE',
    'To keep it:   include "/etc/nftables.d/acr-egress.nft" in /etc/nftables.conf',
    'To check it:  nft get element inet acr_egress https_ipv4 \'{ 20.62.128.4 }\'    whether an address is let through',
    '              nft list chain inet acr_egress allowed_targets                 what was let through',
    'To end it:    nft delete table inet acr_egress',
    '',
    'What it cannot say:',
    ...describeFilterLimits(sources),
    ...weekly,
    '',
    'It is for these names:',
    ...listPatterns(sources.rules).map((line) => `    ${line}`),
    ...uncovered.length === 0 ? [] : ['', 'These of them are not let through, because no addresses are known for them:'],
    ...uncovered.map(({ pattern }) => `    ${pattern}`),
  ]
}

const weekly = [
  'The prefixes change weekly: Microsoft uses new ones a week after it has published them, and they are shut out here',
  'until this file is made anew.',
]

/** What empties the sets and chains, which must be there for that. */
function renderReset (sets: readonly NamedSet[]): readonly string[] {
  return [
    ...commentOut(['What an earlier version of this file has loaded is emptied first; all in one step, so that nothing is open or shut between.']),
    `table inet ${table} {`,
    ...sets.map(({ name, family }) => `  set ${name} { type ipv${family}_addr; flags interval; auto-merge; }`),
    ...chains.map((name) => `  chain ${name} { }`),
    '}',
    ...sets.map(({ name }) => `flush set inet ${table} ${name}`),
    ...chains.map((name) => `flush chain inet ${table} ${name}`),
  ]
}

function renderSet ({ name, family, groups }: NamedSet): readonly string[] {
  const head = [`  set ${name} {`, `    type ipv${family}_addr`, '    flags interval', '    auto-merge']
  // nft takes no empty list.
  if (groups.length === 0) return [...head, '  }', '']
  const elements = groups.flatMap(({ title, blocks }) => {
    return [`      # ${title}: ${blocks.length}`, ...blocks.map(({ text }) => `      ${text},`)]
  })
  return [...head, '    elements = {', ...elements, '    }', '  }', '']
}

function renderChains (sources: ExportSources, accepted: readonly string[]): readonly string[] {
  return [
    '  # What this host and its clients may reach.',
    '  chain allowed_targets {',
    ...renderNameServers(sources).map((line) => `    ${line}`),
    ...accepted.map((line) => `    ${line}`),
    '  }',
    '',
    '  # For what this host sends: the gateway itself.',
    '  chain allowed_output {',
    '    oifname "lo" accept',
    '    ct state established,related accept',
    '    # Without these IPv6 finds no neighbours.',
    '    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld2-listener-report } accept',
    '    jump allowed_targets',
    '  }',
    '',
    '  # For what this host forwards, where it is also the router of clients that go without a proxy.',
    '  chain allowed_forward {',
    '    ct state established,related accept',
    '    ip saddr @clients_ipv4 jump allowed_targets',
    '    ip6 saddr @clients_ipv6 jump allowed_targets',
    '  }',
  ]
}

function renderNameServers ({ nameServers }: ExportSources): readonly string[] {
  const dns = 'meta l4proto { tcp, udp }'
  if (nameServers.length === 0) {
    return [
      '# The configuration names no dns.servers, so every name server will do: name them, and only they are let through.',
      `${dns} th dport 53 counter accept`,
    ]
  }
  return nameServers.map(({ address: { family, text }, port }) => {
    return `${dns} ${ipOf(family)} daddr ${text} th dport ${port} counter accept`
  })
}

const hooks = [
  'NOTHING IS FILTERED YET: nothing leads into these chains. To switch them on, put the following into a file of your',
  'own, which is loaded after this one, say /etc/nftables.d/acr-egress-hooks.nft. It stays in force when this file is',
  'loaded anew, and may be loaded again itself. As it stands it only logs what it would reject:',
  'journalctl -k --grep acr-egress',
  '',
  '    add chain inet acr_egress output { type filter hook output priority filter; policy accept; }',
  '    add chain inet acr_egress forward { type filter hook forward priority filter; policy accept; }',
  '    flush chain inet acr_egress output',
  '    flush chain inet acr_egress forward',
  '    table inet acr_egress {',
  '      chain output {',
  '        # Only the gateway, and nothing else on this host (the number is that of: id -u acr-egress).',
  '        #meta skuid != 993 accept',
  '        jump allowed_output',
  '        # What else this host needs: time, DHCP, its updates, its logs, acr-egress tags refresh, ...',
  '        #udp dport { 67, 123, 547 } accept',
  '        limit rate 10/second log prefix "acr-egress output: "',
  '        #reject with icmpx admin-prohibited',
  '      }',
  '      chain forward {',
  '        jump allowed_forward',
  '        limit rate 10/second log prefix "acr-egress forward: "',
  '        #reject with icmpx admin-prohibited',
  '      }',
  '    }',
  '',
  'When a day of that log shows nothing that is needed, take the # away before each reject, and load your file again.',
  'Your ssh session goes on: its connection is established. Other tables are asked besides: what they drop stays dropped.',
]
