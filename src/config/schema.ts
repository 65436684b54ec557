import { z } from 'zod'
import { tagModes, tagScopes } from '../acr/address-tags.ts'
import { bundles } from '../acr/bundles.ts'
import { canonicalHostName } from '../net/host-name.ts'
import { formatDuration, parseDuration } from './duration.ts'
import { bool, choice, count, duration, expecting, listOf, listenPort, path, section } from './fields.ts'
import { quote } from './problem.ts'
import {
  cidr, extraHost, hostHeaderName, listenAddress, loadBalancer, loginServer, nameServer, privateEndpoint, region,
  staticAddress, storageAccount, upstreamProxyUrl,
} from './values.ts'

/** The choices of `relay.engine`. */
export const relayEngines = ['auto', 'splice', 'stream'] as const

/** What becomes of a host that nothing lets through: refused, or told of and let through. */
export const policyModes = ['enforce', 'report'] as const

/** What becomes of a tunnel that does not begin with the TLS of its host. */
export const serverNameModes = ['enforce', 'report', 'off'] as const

/** What is written to a log: these and what is graver. */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const

/**
 * Loopback, the private ranges (RFC 1918, RFC 4193) and link-local: nobody out there can have such an address. Not
 * 100.64.0.0/10 (RFC 6598): behind a carrier's NAT it is the address of that carrier's other customers.
 */
const defaultClients = [
  '127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', '::1/128', 'fc00::/7', 'fe80::/10',
]

const certFile = () => path().meta({
  description: 'File with the certificate in PEM form, followed by its intermediates. A relative path begins at the folder of the configuration file.',
})
const keyFile = () => path().meta({
  description: 'File with the private key in PEM form, without a passphrase. It must not be readable by others (`chmod 600`).',
})

/** TLS of the listener: a schema by itself, so that its files can be looked at while other keys are bad. */
export const tlsSchema = section({
  certFile: certFile(),
  keyFile: keyFile(),
  furtherCertificates: listOf(section({ certFile: certFile(), keyFile: keyFile() }), {
    expected: 'a list of certificates', write: '[{certFile: other.crt, keyFile: other.key}]',
  }).optional().meta({
    description: 'More certificates, for other names: a client is shown the one that has the name it asks for, or else that of `certFile`.',
  }),
  clientCaFile: path().optional().meta({
    description: 'File with the authorities that clients must have their certificates from, in PEM form, each up to its root. Present: nobody is served without such a certificate, nor in clear text. Absent: clients are asked for none.',
  }),
  clientCrlFile: path().optional().meta({
    description: 'File with the revocation lists of these authorities, in PEM form, one or more of each. Absent: no certificate counts as revoked.',
  }),
})

const registrySchema = section({
  loginServer: loginServer.meta({
    description: 'The registry\'s full name, as `az acr show` prints it. Its suffix says which cloud it is in: `azurecr.io`, `azurecr.us` or `azurecr.cn`.',
  }),
  regions: listOf(region, { expected: 'a list of regions', write: '[eastus, westeurope]' }).optional().meta({
    description: 'Regions that hold a replica, for a registry with dedicated data endpoints: layers come from `NAME.REGION.data.azurecr.io`.',
  }),
  regionalEndpoints: bool().prefault(false).meta({
    description: 'Whether `NAME.REGION.geo.azurecr.io` is let through too, for each of `regions`.',
  }),
  storage: z.union([
    z.enum(['none', 'any']),
    listOf(storageAccount, { expected: 'a list of storage accounts', write: '[account]' }),
  ], { error: expecting({ expected: 'none, any, or a list of storage accounts', write: 'none, any or [account]' }) }).prefault('none').meta({
    description: 'Blob storage that layers come from, for a registry without dedicated data endpoints: the names of its accounts, or `any`, which opens the blobs of every Azure customer.',
  }),
  privateEndpoints: listOf(privateEndpoint, { expected: 'a list of blocks', write: '[10.1.2.0/24]' }).optional().meta({
    description: 'Private blocks that the registry\'s names may resolve to (Azure Private Link). All other addresses that are not public are refused.',
  }),
})

const listenSchema = section({
  address: listenAddress.prefault('0.0.0.0').meta({ description: 'Address to listen at for clients; `\'::\'` is every address of both families.' }),
  port: listenPort().prefault(443).meta({ description: 'Port to listen at; 0 takes any free one, for tests and labs.' }),
  headTimeout: duration({ from: '1ms', to: '5m' }).prefault('10s').meta({
    description: 'How long a client may take to say what it wants, from the connection to the end of its request\'s head.',
  }),
  proxyProtocol: listOf(loadBalancer, { expected: 'a list of addresses of load balancers', write: '[10.0.0.4]' }).optional().meta({
    description: 'Load balancers in front of the gateway that speak the PROXY protocol, version 1 or 2. A connection from these addresses must begin with its header, and the client is then the one in the header: for `clients.allow`, for the limits on a client, and in the log. From all other addresses a header is refused. Absent: from all (docs/load-balancers.md).',
  }),
  transparent: bool().prefault(false).meta({
    description: 'Whether TLS that comes without a CONNECT is tunnelled to the host that it names, if that is let through: for devices that cannot be given a proxy, and are pointed here by DNS (docs/transparent.md).',
  }),
  tls: tlsSchema.optional().meta({ description: 'Serves TLS besides clear text on the same port, for `https://` proxy URLs. Its files may be replaced at any time (docs/tls.md). Absent: clear text only.' }),
})

const tunnelSchema = section({
  serverName: choice(serverNameModes).prefault('enforce').meta({
    description: 'What becomes of a tunnel that does not begin with TLS for its own host (the server name of the ClientHello): `enforce` ends it with a TLS alert, `report` carries it and tells of it in the log and in `would_refuse_total`, `off` does not look.',
  }),
  helloTimeout: duration({ from: '1ms', to: '5m' }).prefault('10s').meta({
    description: 'How long a client may take to send that ClientHello, from the opening of the tunnel.',
  }),
  connectTimeout: duration({ from: '1ms', to: '5m' }).prefault('10s').meta({
    description: 'How long finding and connecting to the registry may take, over all its addresses.',
  }),
  idleTimeout: duration({ from: '1ms', to: '14d' }).prefault('15m').meta({ description: 'A tunnel through which nothing has moved for this long is closed.' }),
  maxTunnels: count({ from: 1, to: 100_000 }).prefault(10_000).meta({ description: 'Most tunnels at a time; each takes two file descriptors.' }),
  maxTunnelsPerClient: count({ from: 1, to: 100_000 }).prefault(1000).meta({ description: 'Most tunnels at a time from one client: an IPv4 address, or a /64 of IPv6.' }),
  maxSetupsPerSecondPerClient: count({ from: 1, to: 100_000 }).prefault(100).meta({ description: 'Most requests for a tunnel a second from one client, likewise. One that has asked for less may catch up on ten seconds of them at once.' }),
})

const relaySchema = section({
  engine: choice(relayEngines).prefault('auto').meta({ description: 'How bytes are moved. `splice`: by the kernel, without copies, on threads of their own; it needs the optional package koffi. `stream`: through memory. `auto`: splice where it works, with a line in the log where it does not.' }),
  threads: count({ from: 1, to: 64 }).prefault(1).meta({ description: 'Threads of the splice engine. One moves several GB a second; more help where that is too little and there are idle processors.' }),
})

/**
 * Names must be written in the form they are compared in: two spellings of one name would be two entries. As with the
 * other comparisons, `when` has them made although something else is bad.
 */
const hostsSchema = z.record(
  z.string(),
  listOf(staticAddress, { expected: 'a list of addresses', write: '[10.0.0.5]' }),
  { error: expecting({ expected: 'a map of host names', write: '{contoso.azurecr.io: [10.0.0.5]}' }) },
).superRefine((hosts: unknown, context) => {
  for (const name of typeof hosts === 'object' && hosts !== null && !Array.isArray(hosts) ? Object.keys(hosts) : []) {
    const canonical = canonicalHostName(name)
    if (canonical === name) continue
    const message = canonical === undefined
      ? `${quote(name)} is not a host name; write a name like contoso.azurecr.io`
      : `${quote(name)} is not in the form that names are compared in; write ${canonical}`
    context.addIssue({ code: 'custom', path: [name], message, params: { isKey: true } })
  }
}, { when: () => true })

/** Azure moves a geo-replicated registry by changing its records, and asks not to keep them long. */
const longestTtl = '1h'

const defaultMinTtl = '1s'

const dnsSchema = section({
  servers: listOf(nameServer, { expected: 'a list of name servers', write: '[10.0.0.53]' }).optional().meta({
    description: 'Name servers to ask; port 53 unless told. When one is silent or fails, the next is asked, and the one that answered last is asked first. Absent: those of the system (`/etc/resolv.conf`).',
  }),
  timeout: duration({ from: '1ms', to: '1m' }).prefault('2s').meta({ description: 'How long one name server may take to answer.' }),
  minTtl: duration({ from: '1ms', to: longestTtl }).prefault(defaultMinTtl).meta({ description: 'An answer is kept at least this long, whatever its own time to live.' }),
  maxTtl: duration({ from: '1ms', to: longestTtl }).prefault('5m').meta({ description: 'An answer is kept at most this long, whatever its own time to live.' }),
  // RFC 9520 §3.2 has both bounds: failures are kept at least a second, and at most five minutes.
  negativeTtl: duration({ from: '1s', to: '5m' }).prefault('5s').meta({ description: 'How long a failure to resolve a name is kept.' }),
  staleFor: duration({ from: '0s', to: '7d' }).prefault('1h').meta({ description: 'How long a name keeps its last addresses while the name servers fail; `0s` for not at all. An answer that there is no such name ends it at once.' }),
  hosts: hostsSchema.optional().meta({
    description: 'Names that are not asked for, with their addresses. An address that is not public must also lie in `privateEndpoints` of its registry. A port is for labs: it is dialled in place of 443.',
  }),
}).superRefine((dns: { minTtl?: unknown, maxTtl?: unknown } | null, context) => {
  const { minTtl, maxTtl } = dns ?? {}
  if (typeof minTtl !== 'number' || typeof maxTtl !== 'number' || minTtl <= maxTtl) return
  // The key to point at is the one that was written.
  const path = minTtl === parseDuration(defaultMinTtl) ? 'maxTtl' : 'minTtl'
  const message = `minTtl, ${formatDuration(minTtl)}, is longer than maxTtl, ${formatDuration(maxTtl)}; write a shorter minTtl, or a longer maxTtl`
  context.addIssue({ code: 'custom', path: [path], message })
}, { when: () => true })

/** Who may use the gateway: a schema by itself, like that of the certificate. */
export const clientsSchema = section({
  allow: listOf(cidr, { expected: 'a list of blocks', write: '[10.0.0.0/8]' }).prefault(defaultClients).meta({
    description: 'Where clients may come from; all others are refused. The default is loopback, private and link-local addresses. Not among them is 100.64.0.0/10, shared by the customers of a carrier: add it if your own network uses it.',
  }),
  passwordFile: path().optional().meta({
    description: 'File of users that clients have to be one of, as `htpasswd -B -C 10` writes it, with bcrypt only (docs/passwords.md). It must not be readable by others (`chmod o=`), and may be replaced at any time. Absent: no password is asked for.',
  }),
})

/** How addresses are judged: a schema by itself, like that of the certificate. */
export const addressesSchema = section({
  mode: choice(tagModes).prefault('enforce').meta({ description: 'What becomes of an address that lies outside the service tags of its name: `enforce` refuses it, `report` dials it and tells of it in the log and in `would_refuse_total`, `off` looks at no tags. Addresses that are not public are refused in each of them.' }),
  serviceTagsFile: path().optional().meta({ description: 'Microsoft\'s file of service tags for the cloud of the registries ("Azure IP Ranges and Service Tags", new each week), as `acr-egress tags refresh` fetches it. It may be replaced at any time. Absent: no tags are looked at.' }),
  scope: choice(tagScopes).prefault('global').meta({ description: 'Whose addresses count: those of the service everywhere (`global`), or only those of each registry\'s `regions`. Some addresses of registries lie in no region; `acr-egress check` names them.' }),
  maxAge: duration({ from: '1d', to: '365d' }).prefault('14d').meta({ description: 'How old the file may be before `check` and `/readyz` speak of it; an old one goes on serving. Microsoft uses new addresses a week after it has published them.' }),
})

/** Where what was seen is kept: a schema by itself, like that of the certificate. */
export const stateSchema = section({
  // What is no record is moved away and replaced: the name keeps a slip from hitting the configuration or a key.
  file: path().regex(/\.json$/, {
    error: 'the file is written by the gateway, so its name must end in .json; write a path like /var/lib/acr-egress/sightings.json',
  }).optional().meta({
    description: 'File for what the gateway has seen: storage accounts, data endpoints, and hosts that are only reported on. It is written once a minute at most, and read at the start, so that `acr-egress explain --migration` need not begin anew; each gateway needs a file of its own. Absent: `sightings.json` in the folder that systemd names (`StateDirectory=` of the unit, as `$STATE_DIRECTORY`), or else memory only.',
  }),
})

/** Who resolves the names of tunnels when there is a parent proxy. */
export const proxyResolvers = ['parent', 'gateway'] as const

/** The parent proxy: a schema by itself, like that of the certificate. No message quotes what may hold a password. */
export const upstreamProxySchema = section({
  url: upstreamProxyUrl.meta({
    description: 'Where the proxy is, `http://HOST:PORT` or `https://HOST:PORT`; with `USER@` in front of the host for Basic authentication. The password has a file of its own.',
  }),
  passwordFile: path().optional().meta({
    description: 'File with the password of the user in `url`, and nothing else. It must not be readable by others (`chmod 600`).',
  }),
  caFile: path().optional().meta({
    description: 'File with the authorities (PEM) that the certificate of an `https://` proxy must come from. Absent: those of the system.',
  }),
  resolve: choice(proxyResolvers).prefault('parent').meta({ description: 'Who resolves the names of registries. `parent`: the proxy is asked for `HOST:443`; the gateway asks no name server for it, and judges no address. `gateway`: the gateway resolves and judges as without a proxy, and asks the proxy for an address that it has judged, which many proxies refuse.' }),
}, ({ input }) => input === undefined
  ? 'is missing; write url: http://proxy.example:3128 below it'
  : 'expected a map; write url: http://proxy.example:3128 below it, indented')

/** Where the admin listener is when nobody says. */
export const defaultAdmin = { address: '127.0.0.1', port: 9180 } as const

/** The configuration file, whole: the source of its checks, defaults, JSON Schema and reference page. */
export const schema = section({
  registries: listOf(registrySchema, {
    expected: 'a list of registries',
    write: '[{loginServer: contoso.azurecr.io, regions: [eastus]}]',
    isRequired: true,
  }).meta({
    description: 'The registries that are let through: each one\'s login server, and what follows from the keys below. At least one.',
  }),
  bundles: listOf(choice(bundles), { expected: 'a list of bundles', write: '[mcr]' }).optional().meta({
    description: 'Sets of hosts that go with registries. `mcr`: Microsoft\'s own registry, for base images and the layers of Windows. `entra`: signing in with `az acr login`. `revocation`: the revocation lists, OCSP responders and issuers of Azure\'s certificates, by plain HTTP at port 80 only (docs/bundles.md).',
  }),
  extraHosts: listOf(extraHost, { expected: 'a list of host names', write: '[packages.example.com]' }).optional().meta({
    description: 'Further hosts that are let through, at port 443: exact names, no wildcards, no addresses.',
  }),
  listen: listenSchema.prefault({}).meta({ description: 'Where clients find the gateway.' }),
  clients: clientsSchema.prefault({}).meta({ description: 'Who may use the gateway.' }),
  upstreamProxy: upstreamProxySchema.optional().meta({ description: 'The proxy that the gateway itself goes through. With it nothing leaves for registries in another way, also when it fails. Absent: directly.' }),
  tunnel: tunnelSchema.prefault({}).meta({ description: 'Bounds on tunnels.' }),
  relay: relaySchema.prefault({}).meta({ description: 'The moving of bytes.' }),
  dns: dnsSchema.prefault({}).meta({ description: 'How names are resolved.' }),
  addresses: addressesSchema.prefault({}).meta({ description: 'Which addresses names may resolve to.' }),
  policy: section({
    mode: choice(policyModes).prefault('enforce').meta({ description: 'What becomes of a host that nothing lets through: `enforce` refuses it; `report` lets it through at port 443 and tells of it in the log, in `would_refuse_total` and in `acr-egress explain --would-refuse`. Ports, IP addresses, addresses that are not public and the rules for clients hold in both.' }),
  }).prefault({}).meta({ description: 'How strict the list of hosts is.' }),
  state: stateSchema.prefault({}).meta({ description: 'What outlives a restart.' }),
  admin: section({
    address: listenAddress.prefault(defaultAdmin.address).meta({ description: 'Address of the admin listener: metrics, health, status page. It asks for no password, so keep it from strangers.' }),
    port: listenPort().prefault(defaultAdmin.port).meta({ description: 'Port of the admin listener; 0 takes any free one, for tests and labs.' }),
    names: listOf(hostHeaderName, { expected: 'a list of host names', write: '[gateway.example.com]' }).optional().meta({
      description: 'Further names that the admin listener is asked by; it answers to `localhost` and to addresses without being told.',
    }),
  }).prefault({}).meta({ description: 'The admin listener.' }),
  log: section({
    level: choice(logLevels).prefault('info').meta({ description: 'What is logged: this and what is graver. Tunnels are logged at `info`, refusals at `warn`.' }),
  }).prefault({}).meta({ description: 'The log, JSON lines on standard output.' }),
  shutdown: section({
    drainTimeout: duration({ from: '0s', to: '1d' }).prefault('10m').meta({ description: 'How long open tunnels may go on after SIGTERM, before they are closed.' }),
  }).prefault({}).meta({ description: 'The end of the process.' }),
}).superRefine(({ listen, admin }: { listen?: Listener, admin?: Listener }, context) => {
  if (listen?.port === undefined || listen.port === 0 || listen.port !== admin?.port) return
  const everywhere = ['0.0.0.0', '::']
  if (listen.address !== admin.address && ![listen.address, admin.address].some((address) => everywhere.includes(address ?? ''))) return
  const path = admin.port === defaultAdmin.port ? ['listen', 'port'] : ['admin', 'port']
  context.addIssue({ code: 'custom', path, message: 'both listeners have this port; write 443 for listen and 9180 for admin, or any two' })
}, { when: () => true }).meta({ title: 'Configuration of acr-egress-gateway' })

/** The part of a listener that two of them cannot share; while other keys are bad, either may be anything. */
interface Listener {
  readonly address?: string
  readonly port?: number
}

/** What the schema makes of a good file. */
export type CheckedSettings = z.output<typeof schema>
