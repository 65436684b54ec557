import { resolve } from 'node:path'
import { createOwnEnd } from '../host/own-end.ts'
import { readSecretFile } from '../host/secret-file.ts'
import { readCertificateFile, readTrustStore } from '../host/trust-store.ts'
import { parseAddress } from '../net/address.ts'
import { type ProxyUrl, findCredentialsProblem } from '../net/proxy-url.ts'
import type { UpstreamProxy } from './configuration.ts'
import { type Finding, escapeControls } from './problem.ts'
import { type CheckedSettings, upstreamProxySchema } from './schema.ts'
import { type Settings, isMapping } from './settings.ts'

/** What there is of the parent proxy: its URL with the password, and whom to trust. */
export interface LoadedUpstreamProxy {
  /** Absent when there is none, or not as it should be. */
  readonly proxy?: Omit<UpstreamProxy, 'resolve'>
  readonly problems: readonly Finding[]
}

const urlPath = ['upstreamProxy', 'url'] as const
const passwordPath = ['upstreamProxy', 'passwordFile'] as const
const authorityPath = ['upstreamProxy', 'caFile'] as const

/** Reads the files that are named for the parent proxy, whatever else is wrong. Never rejects. */
export async function loadUpstreamProxy ({ value }: Settings, folder: string): Promise<LoadedUpstreamProxy> {
  const settings = isMapping(value) && isMapping(value.upstreamProxy) ? value.upstreamProxy : {}
  const url = upstreamProxySchema.shape.url.safeParse(settings.url).data
  const [passwordFile, caFile] = (['passwordFile', 'caFile'] as const).map((key) => {
    const named = upstreamProxySchema.shape[key].safeParse(settings[key]).data
    return named === undefined ? undefined : resolve(folder, named)
  })
  const password = await readPassword(passwordFile, url)
  const authorities = await readAuthorities(caFile, url)
  const problems = [password, authorities].flatMap((read) => 'problem' in read ? [read.problem] : [])
  if (url === undefined || 'problem' in password || 'problem' in authorities) return { problems }
  const { credentials } = url
  return {
    proxy: {
      url: credentials === undefined ? url : { ...url, credentials: { ...credentials, ...password } },
      ...passwordFile === undefined ? {} : { passwordFile },
      ...caFile === undefined ? {} : { caFile },
      authorities: authorities.certificates,
    },
    problems,
  }
}

async function readPassword (
  file: string | undefined, url: ProxyUrl | undefined,
): Promise<{ readonly password?: string } | { readonly problem: Finding }> {
  if (file === undefined) return {}
  const read = await readSecretFile(file)
  if (!read.ok) return { problem: { path: passwordPath, message: escapeControls(`${file} ${read.message}`) } }
  if (url !== undefined && url.credentials === undefined) {
    return { problem: { path: passwordPath, message: 'is for nobody: there is no user; write the user into url, like http://USER@proxy.example:3128' } }
  }
  const wrong = findCredentialsProblem({ user: url?.credentials?.user ?? 'user', password: read.secret })
  if (wrong === undefined) return { password: read.secret }
  return { problem: { path: passwordPath, message: escapeControls(`${file}: ${wrong}; write the password that the proxy knows`) } }
}

async function readAuthorities (
  file: string | undefined, url: ProxyUrl | undefined,
): Promise<{ readonly certificates: readonly string[] } | { readonly problem: Finding }> {
  if (file !== undefined) {
    const read = await readCertificateFile(file)
    return read.ok ? read : { problem: { path: authorityPath, message: escapeControls(`${file} ${read.message}`) } }
  }
  if (url?.scheme !== 'https') return { certificates: [] }
  const read = await readTrustStore()
  return read.ok ? read.store : { problem: { path: authorityPath, message: read.message } }
}

/** A parent that is the gateway itself: each tunnel would ask for another one, until no more are let in. */
export function listProxyLoops (checked: CheckedSettings): Finding[] {
  const { upstreamProxy, listen, dns } = checked
  if (upstreamProxy === undefined) return []
  const { host, port } = upstreamProxy.url
  const places = [
    { address: host, port },
    ...host === 'localhost' ? [{ address: '127.0.0.1', port }, { address: '::1', port }] : [],
    ...(dns.hosts?.[host] ?? []).map((place) => ({ address: place.address.text, port: place.port ?? port })),
  ]
  const ownEnd = createOwnEnd()
  ownEnd.listenAt(listen)
  if (!places.some((place) => ownEnd.leadsBack(place.address, place.port))) return []
  return [{ path: urlPath, message: 'is the gateway itself (listen); write the host and port of the proxy that is between the gateway and the registries' }]
}

/** What is written for the parent proxy, or beside it, and changes nothing. */
export function listProxyWarnings (
  { upstreamProxy, registries, dns }: CheckedSettings, { value }: Settings,
): Finding[] {
  if (upstreamProxy === undefined) return []
  const { url, passwordFile, caFile, resolve: resolver } = upstreamProxy
  const findings: Finding[] = []
  if (url.credentials !== undefined && passwordFile === undefined) {
    findings.push({ path: urlPath, message: 'has a user, who is sent with an empty password; write passwordFile, or drop the user' })
  }
  if (parseAddress(url.host) === undefined && !url.host.includes('.') && dns.hosts?.[url.host] === undefined) {
    const right = url.host === 'localhost' ? '127.0.0.1' : 'the whole name, or the address'
    findings.push({ path: urlPath, message: `asks the name servers for ${url.host} as it stands, without the domains of /etc/resolv.conf; write ${right}` })
  }
  if (caFile !== undefined && url.scheme === 'http') {
    findings.push({ path: authorityPath, isKey: true, message: 'has no effect with an http:// URL; write https:// there, or drop the key' })
  }
  if (resolver === 'gateway') return findings
  const why = 'has no effect: the parent proxy resolves, and no address is judged; write upstreamProxy.resolve: gateway, or drop the key'
  const addresses = isMapping(value) && isMapping(value.addresses) ? value.addresses : {}
  return [
    ...findings,
    ...Object.keys(addresses).map((key) => ({ path: ['addresses', key], isKey: true, message: why })),
    ...registries.flatMap(({ privateEndpoints }, index) => {
      return privateEndpoints === undefined ? [] : [{ path: ['registries', index, 'privateEndpoints'], isKey: true, message: why }]
    }),
    ...Object.keys(dns.hosts ?? {}).filter((name) => name !== url.host)
      .map((name) => ({ path: ['dns', 'hosts', name], isKey: true, message: why })),
  ]
}
