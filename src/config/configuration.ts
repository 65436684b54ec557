import type { TagMode, TagScope } from '../acr/address-tags.ts'
import type { Bundle } from '../acr/bundles.ts'
import type { Registry } from '../acr/endpoints.ts'
import type { Address } from '../net/address.ts'
import type { Cidr } from '../net/cidr.ts'
import { type HostName, canonicalHostName } from '../net/host-name.ts'
import type { ProxyUrl } from '../net/proxy-url.ts'
import type { TagFile } from '../tags/tag-file.ts'
import type { TlsFiles } from '../tls/tls-files.ts'
import type { PasswordFile } from './password-file.ts'
import type {
  CheckedSettings, logLevels, policyModes, proxyResolvers, relayEngines, serverNameModes,
} from './schema.ts'
import type { AddressWithPort } from './socket-address.ts'

/** What the program runs on: checked, complete, in the program's own units, and frozen. */
export interface Configuration {
  readonly registries: readonly Registry[]
  readonly bundles: readonly Bundle[]
  readonly extraHosts: readonly HostName[]
  readonly listen: {
    readonly address: string
    readonly port: number
    readonly headTimeoutMs: number
    /** Load balancers that speak the PROXY protocol. */
    readonly proxyProtocol: readonly Cidr[]
    readonly isTransparent: boolean
    /** The files as they were when the configuration was read; absent: clear text only. */
    readonly tls?: TlsFiles
  }
  readonly clients: {
    readonly allow: readonly Cidr[]
    /** The users as they were when the configuration was read; absent: no password is asked for. */
    readonly passwordFile?: PasswordFile
  }
  /** Absent: directly. */
  readonly upstreamProxy?: UpstreamProxy
  readonly tunnel: {
    readonly serverName: { readonly mode: typeof serverNameModes[number], readonly timeoutMs: number }
    readonly connectTimeoutMs: number
    readonly idleTimeoutMs: number
    readonly maxTunnels: number
    readonly maxTunnelsPerClient: number
    readonly maxSetupsPerSecondPerClient: number
  }
  readonly relay: { readonly engine: typeof relayEngines[number], readonly threads: number }
  readonly dns: {
    /** Absent: the system's. */
    readonly servers?: ReadonlyArray<{ readonly address: Address, readonly port: number }>
    readonly timeoutMs: number
    readonly minTtlMs: number
    readonly maxTtlMs: number
    readonly negativeTtlMs: number
    readonly staleForMs: number
    readonly hosts: ReadonlyMap<HostName, readonly AddressWithPort[]>
  }
  readonly addresses: {
    readonly mode: TagMode
    readonly scope: TagScope
    readonly maxAgeMs: number
    /** The path of the file of service tags, absolute. */
    readonly serviceTagsFile?: string
    /** The file as it was when the configuration was read; absent: no tags are looked at. */
    readonly tagFile?: TagFile
  }
  readonly policy: { readonly mode: typeof policyModes[number] }
  /** The file for what was seen, absolute; absent: memory only. */
  readonly state: { readonly file?: string }
  readonly admin: { readonly address: string, readonly port: number, readonly names: readonly string[] }
  readonly log: { readonly level: typeof logLevels[number] }
  readonly shutdown: { readonly drainTimeoutMs: number }
}

/** The proxy that the gateway itself goes through. */
export interface UpstreamProxy {
  /** With the password, where there is a user. */
  readonly url: ProxyUrl
  /** Who resolves the names of tunnels. */
  readonly resolve: typeof proxyResolvers[number]
  /** Absolute paths. */
  readonly passwordFile?: string
  readonly caFile?: string
  /** Whom an https:// proxy must have its certificate from, PEM; empty for http://. */
  readonly authorities: readonly string[]
}

/** What was in the files that the settings name, where they name any. */
export interface NamedFiles {
  readonly tls: TlsFiles | undefined
  readonly serviceTagsFile: string | undefined
  readonly tagFile: TagFile | undefined
  readonly stateFile: string | undefined
  readonly passwordFile: PasswordFile | undefined
  readonly upstreamProxy: Omit<UpstreamProxy, 'resolve'> | undefined
}

/** Puts the value together. */
export function createConfiguration (checked: CheckedSettings, files: NamedFiles): Configuration {
  const { tls, serviceTagsFile, tagFile, stateFile, passwordFile, upstreamProxy } = files
  const { listen, clients, tunnel, relay, dns, addresses, policy, admin, log, shutdown } = checked
  return freezeDeep({
    registries: createRegistries(checked.registries),
    bundles: checked.bundles ?? [],
    extraHosts: checked.extraHosts ?? [],
    listen: {
      address: listen.address,
      port: listen.port,
      headTimeoutMs: listen.headTimeout,
      proxyProtocol: listen.proxyProtocol ?? [],
      isTransparent: listen.transparent,
      ...tls === undefined ? {} : { tls },
    },
    clients: { allow: clients.allow, ...passwordFile === undefined ? {} : { passwordFile } },
    ...checked.upstreamProxy === undefined
      ? {}
      : { upstreamProxy: { ...demandRead(upstreamProxy), resolve: checked.upstreamProxy.resolve } },
    tunnel: {
      serverName: { mode: tunnel.serverName, timeoutMs: tunnel.helloTimeout },
      connectTimeoutMs: tunnel.connectTimeout,
      idleTimeoutMs: tunnel.idleTimeout,
      maxTunnels: tunnel.maxTunnels,
      maxTunnelsPerClient: tunnel.maxTunnelsPerClient,
      maxSetupsPerSecondPerClient: tunnel.maxSetupsPerSecondPerClient,
    },
    relay: { engine: relay.engine, threads: relay.threads },
    dns: {
      ...dns.servers === undefined ? {} : { servers: dns.servers },
      timeoutMs: dns.timeout,
      minTtlMs: dns.minTtl,
      maxTtlMs: dns.maxTtl,
      negativeTtlMs: dns.negativeTtl,
      staleForMs: dns.staleFor,
      hosts: collectHosts(dns.hosts ?? {}),
    },
    addresses: {
      mode: addresses.mode,
      scope: addresses.scope,
      maxAgeMs: addresses.maxAge,
      ...serviceTagsFile === undefined ? {} : { serviceTagsFile },
      ...tagFile === undefined ? {} : { tagFile },
    },
    policy: { mode: policy.mode },
    state: stateFile === undefined ? {} : { file: stateFile },
    admin: { address: admin.address, port: admin.port, names: admin.names ?? [] },
    log: { level: log.level },
    shutdown: { drainTimeoutMs: shutdown.drainTimeout },
  })
}

/** The registries, with empty lists for what is left out. */
export function createRegistries (registries: CheckedSettings['registries']): readonly Registry[] {
  return registries.map(({ regions = [], privateEndpoints = [], ...registry }) => {
    return { ...registry, regions, privateEndpoints }
  })
}

/** Without what was read of it the parent proxy would be missing, and everything would leave directly. */
function demandRead (upstreamProxy: NamedFiles['upstreamProxy']): Omit<UpstreamProxy, 'resolve'> {
  if (upstreamProxy === undefined) throw new TypeError('there is a parent proxy, and it was not read')
  return upstreamProxy
}

/** The schema has seen to it that every name is one. */
function collectHosts (hosts: Readonly<Record<string, readonly AddressWithPort[]>>): Configuration['dns']['hosts'] {
  return new Map(Object.entries(hosts).flatMap(([text, addresses]) => {
    const name = canonicalHostName(text)
    return name === undefined ? [] : [[name, addresses]]
  }))
}

/** Freezes a value made here, with all it holds. A map can only be kept from changing by its type. */
function freezeDeep<T> (value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const part of value instanceof Map ? value.values() : Object.values(value)) freezeDeep(part)
  return Object.freeze(value)
}
