import { formatSocketAddress } from '../net/address.ts'
import { formatProxyUrl } from '../net/proxy-url.ts'
import type { TlsFiles } from '../tls/tls-files.ts'
import type { Configuration, UpstreamProxy } from './configuration.ts'
import { formatDuration } from './duration.ts'
import type { AddressWithPort } from './socket-address.ts'

/**
 * The configuration in force, every default written out, as a value in the form of the file: read again as YAML or JSON
 * it makes the same configuration. Keys and certificates appear as the paths of their files only.
 */
export function describeConfiguration (configuration: Configuration): Readonly<Record<string, unknown>> {
  const {
    registries, bundles, extraHosts, listen, clients, upstreamProxy, tunnel, relay, dns, addresses, policy, state,
    admin, log, shutdown,
  } = configuration
  return {
    registries: registries.map(({ loginServer, regions, regionalEndpoints, storage, privateEndpoints }) => ({
      loginServer: loginServer.host,
      ...omitEmpty({ regions }),
      regionalEndpoints,
      storage,
      ...omitEmpty({ privateEndpoints: privateEndpoints.map(({ text }) => text) }),
    })),
    ...omitEmpty({ bundles, extraHosts }),
    listen: {
      address: listen.address,
      port: listen.port,
      headTimeout: formatDuration(listen.headTimeoutMs),
      ...omitEmpty({ proxyProtocol: listen.proxyProtocol.map(({ text }) => text) }),
      transparent: listen.isTransparent,
      ...listen.tls === undefined ? {} : { tls: describeTls(listen.tls) },
    },
    clients: {
      allow: clients.allow.map(({ text }) => text),
      ...clients.passwordFile === undefined ? {} : { passwordFile: clients.passwordFile.file },
    },
    ...upstreamProxy === undefined ? {} : { upstreamProxy: describeUpstreamProxy(upstreamProxy) },
    tunnel: {
      serverName: tunnel.serverName.mode,
      helloTimeout: formatDuration(tunnel.serverName.timeoutMs),
      connectTimeout: formatDuration(tunnel.connectTimeoutMs),
      idleTimeout: formatDuration(tunnel.idleTimeoutMs),
      maxTunnels: tunnel.maxTunnels,
      maxTunnelsPerClient: tunnel.maxTunnelsPerClient,
      maxSetupsPerSecondPerClient: tunnel.maxSetupsPerSecondPerClient,
    },
    relay: { ...relay },
    dns: {
      ...dns.servers === undefined ? {} : { servers: dns.servers.map(formatAddress) },
      timeout: formatDuration(dns.timeoutMs),
      minTtl: formatDuration(dns.minTtlMs),
      maxTtl: formatDuration(dns.maxTtlMs),
      negativeTtl: formatDuration(dns.negativeTtlMs),
      staleFor: formatDuration(dns.staleForMs),
      hosts: Object.fromEntries([...dns.hosts].map(([name, addresses]) => [name, addresses.map(formatAddress)])),
    },
    addresses: {
      mode: addresses.mode,
      ...addresses.serviceTagsFile === undefined ? {} : { serviceTagsFile: addresses.serviceTagsFile },
      scope: addresses.scope,
      maxAge: formatDuration(addresses.maxAgeMs),
    },
    policy: { mode: policy.mode },
    state: { ...state },
    admin: { address: admin.address, port: admin.port, ...omitEmpty({ names: admin.names }) },
    log: { level: log.level },
    shutdown: { drainTimeout: formatDuration(shutdown.drainTimeoutMs) },
  }
}

/** Of the credentials the user alone: the password is in its file. */
function describeUpstreamProxy ({ url, passwordFile, caFile, resolve }: UpstreamProxy): object {
  const { credentials } = url
  return {
    url: formatProxyUrl(credentials === undefined ? url : { ...url, credentials: { user: credentials.user } }),
    ...passwordFile === undefined ? {} : { passwordFile },
    ...caFile === undefined ? {} : { caFile },
    resolve,
  }
}

function describeTls ({ pairs, clientAuthorities }: TlsFiles): object {
  const [first, ...further] = pairs.map(({ certFile, keyFile }) => ({ certFile, keyFile }))
  const { caFile, revocation } = clientAuthorities ?? {}
  return {
    ...first,
    ...omitEmpty({ furtherCertificates: further }),
    ...caFile === undefined ? {} : { clientCaFile: caFile },
    ...revocation === undefined ? {} : { clientCrlFile: revocation.crlFile },
  }
}

/** An empty list is an error in a file; its key is absent. */
function omitEmpty<Lists extends Readonly<Record<string, readonly unknown[]>>> (lists: Lists): Partial<Lists> {
  return Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0)) as Partial<Lists>
}

function formatAddress ({ address, port }: AddressWithPort): string {
  return port === undefined ? address.text : formatSocketAddress(address.text, port)
}
