import { type Cidr, parseCidr } from '../net/cidr.ts'
import { coversBlock, createCidrSet, listOutermostBlocks } from '../net/cidr-set.ts'
import { listSpecialPurposeBlocks } from '../net/special-purpose.ts'
import { listPrivateBlocks } from './addresses.ts'
import { commentOut, describeOpenStorage, describeOrigin } from './remarks.ts'
import type { Rule } from '../policy/rule.ts'
import { type ExportSources, type Port, groupByPort } from './sources.ts'

/** How a port is asked for: through a tunnel, or by plain requests as for certificate revocation lists. */
const methodsOf: Readonly<Record<Port, string>> = { 443: 'CONNECT', 80: 'GET HEAD POST' }

/** Squid's own port, where the configuration asks for any free one. */
const usualPort = 3128

/** A whole squid.conf with the same names, clients and port; Squid 4 or later. */
export function renderSquid (sources: ExportSources): string {
  const { rules, listen: { address, port } } = sources
  const where = address.includes(':') ? `[${address}]` : address
  return [
    ...commentOut(describe(sources)),
    '',
    `http_port ${where}:${port === 0 ? usualPort : port}`,
    ...renderNameServers(sources),
    '',
    '# Who may ask: clients.allow.',
    ...renderBlocks('clients', 'src', listOutermostBlocks(createCidrSet(sources.clients))),
    'http_access deny !clients',
    '',
    '# Addresses that no registry has, and those of private endpoints.',
    ...renderBlocks('special_purpose', 'dst', listSpecialPurpose()),
    ...renderBlocks('private_endpoints', 'dst', listPrivateBlocks(rules)),
    '',
    ...groupByPort(rules).flatMap((group) => renderPort(group.port, group.rules, listPrivateBlocks(rules).length > 0)),
    'http_access deny all',
    '',
    '# Tunnels only: there is nothing to keep.',
    'cache deny all',
    '',
  ].join('\n')
}

function describe (sources: ExportSources): readonly string[] {
  return [
    'The way to Azure container registries, for Squid: a whole squid.conf.',
    '',
    ...describeOrigin(sources),
    '',
    'To check it:  squid -k parse -f FILE',
    'To load it:   put it in the place of /etc/squid/squid.conf, and squid -k reconfigure',
    'To try it:    curl --proxy http://HOST:PORT https://contoso.azurecr.io/v2/    401 is the registry, 403 is Squid',
    '',
    'What it cannot say:',
    ...sources.hasPasswords
      ? ['No user and password is asked for (clients.passwordFile): every client in clients.allow gets in, unless you add auth_param and proxy_auth.']
      : [],
    ...describeOpenStorage(sources.rules),
    'Squid goes by names: that an address is Azure\'s own, as the service tags have it, is not looked at. It does not change when they do.',
    'Squid refuses private addresses that lie outside privateEndpoints, for all registries together, and resolves names by itself.',
    'An https:// proxy URL (listen.tls) needs an https_port with a certificate; static addresses (dns.hosts) a hosts_file.',
    'A refusal does not say why: the reason is in access.log.',
  ]
}

function renderNameServers ({ nameServers }: ExportSources): readonly string[] {
  // Squid asks at port 53 only.
  const usual = nameServers.filter(({ port }) => port === 53).map(({ address }) => address.text)
  const other = nameServers.filter(({ port }) => port !== 53).map(({ address, port }) => `${address.text} (port ${port})`)
  return [
    ...usual.length === 0 ? [] : [`dns_nameservers ${usual.join(' ')}`],
    ...other.length === 0 ? [] : commentOut([`Left out, since Squid asks at port 53 only: ${other.join(', ')}`]),
  ]
}

function renderBlocks (name: string, kind: 'src' | 'dst', blocks: readonly Cidr[]): readonly string[] {
  return blocks.map(({ text }) => `acl ${name} ${kind} ${text}`)
}

/** IPv4-mapped addresses (RFC 4291 §2.5.5.2) are how Squid holds IPv4 ones: a block around them could be all IPv4. */
const mapped = parseCidr('::ffff:0:0/96')

function listSpecialPurpose (): readonly Cidr[] {
  const blocks = listSpecialPurposeBlocks().filter((block) => {
    return mapped === undefined || !coversBlock(createCidrSet([block]), mapped)
  })
  return listOutermostBlocks(createCidrSet(blocks))
}

function renderPort (port: Port, rules: readonly Rule[], hasPrivate: boolean): readonly string[] {
  const exact = rules.filter(({ wildcard }) => !wildcard)
  const wild = rules.filter(({ wildcard }) => wildcard)
  const parts = [...exact.length > 0 ? [`exact_${port}`] : [], ...wild.length > 0 ? [`label_${port}`] : []]
  return [
    `# Port ${port}. -n: no name is looked up for a bare address that a client asks for.`,
    `acl port_${port} port ${port}`,
    `acl method_${port} method ${methodsOf[port]}`,
    ...exact.map(({ host }) => `acl exact_${port} dstdomain -n ${host}`),
    ...wild.map(({ host }) => `acl label_${port} dstdom_regex -n -i ${renderWildcard(host)}`),
    `acl names_${port} any-of ${parts.join(' ')}`,
    `http_access deny names_${port} special_purpose${hasPrivate ? ' !private_endpoints' : ''}`,
    `http_access allow method_${port} port_${port} names_${port}`,
    '',
  ]
}

/** One whole label and the name behind it. Squid's own form, `.NAME`, is also NAME itself, and any number of labels. */
function renderWildcard (host: string): string {
  return `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.${host.replaceAll('.', '\\.')}\\.?$`
}
