import { isRegionName, isStorageAccountName } from '../acr/endpoints.ts'
import { type LoginServer, parseLoginServer } from '../acr/login-server.ts'
import { type Address, parseAddress } from '../net/address.ts'
import type { Cidr } from '../net/cidr.ts'
import { type HostName, canonicalHostName } from '../net/host-name.ts'
import { type ProxyUrl, type ProxyUrlForm, parseProxyUrl } from '../net/proxy-url.ts'
import { type Reading, mistaken, textField } from './fields.ts'
import { readCidr, readLoadBalancer, readPrivateEndpoint } from './network.ts'
import { quote } from './problem.ts'
import { type AddressWithPort, parseSocketAddress } from './socket-address.ts'

export const loginServer = textField<LoginServer>({
  title: 'login server',
  expected: 'the login server of a registry',
  write: 'loginServer: contoso.azurecr.io',
  maxLength: 300,
  read (text) {
    const parsed = parseLoginServer(text)
    return parsed.ok ? { ok: true, value: parsed.loginServer } : parsed
  },
})

export const region = textField<string>({
  title: 'region',
  expected: 'an Azure region',
  write: 'a name from az account list-locations, like eastus',
  read (text) {
    if (isRegionName(text)) return { ok: true, value: text }
    const guess = text.toLowerCase().replace(/[^a-z0-9]/g, '')
    return mistaken(`${quote(text)} is not an Azure region`, isRegionName(guess) ? guess : 'a name from az account list-locations, like eastus')
  },
})

export const storageAccount = textField<string>({
  title: 'storage account',
  expected: 'a storage account',
  write: (found) => typeof found === 'number' ? `'${found}', in quotes` : 'its name, 3 to 24 lower case letters and digits',
  read (text) {
    if (isStorageAccountName(text)) return { ok: true, value: text }
    const guess = text.toLowerCase().replace(/^https?:\/\//, '').replace(/\..*$/s, '')
    return mistaken(`${quote(text)} is not a storage account's name`, isStorageAccountName(guess) ? guess : '3 to 24 lower case letters and digits')
  },
})

export const cidr = textField<Cidr>({ title: 'CIDR', expected: 'a block of addresses', write: 'a block like 10.0.0.0/8', read: readCidr })

export const loadBalancer = textField<Cidr>({
  title: 'CIDR',
  expected: 'the address of a load balancer',
  write: 'its address, like 10.0.0.4, or the block it is in, like 10.0.0.0/28',
  read: readLoadBalancer,
})

export const privateEndpoint = textField<Cidr>({
  title: 'CIDR',
  expected: 'a block of addresses',
  write: 'a block like 10.1.2.0/24, or one address',
  read: readPrivateEndpoint,
})

export const extraHost = textField<HostName>({
  title: 'host name',
  expected: 'a host name',
  write: 'a full name like packages.example.com',
  read (text) {
    const host = canonicalHostName(text)
    if (host?.includes('.') === true) return { ok: true, value: host }
    const example = 'a full name like packages.example.com'
    if (host !== undefined) return mistaken(`${quote(text)} has no domain`, example)
    if (parseSocketAddress(text) !== undefined) return mistaken(`${text} is an address, and hosts are let through by name`, 'the host\'s name')
    if (text.includes('*')) return mistaken(`${quote(text)} is a wildcard, and only exact names are let through here`, 'each name by itself')
    const bare = canonicalHostName(text.replace(/^[a-z]+:\/\//i, '').replace(/[:/].*$/s, ''))
    if (bare?.includes('.') !== true) return mistaken(`${quote(text)} is not a host name`, example)
    return mistaken(`${quote(text)} is more than a host name`, `${bare} (the port is always 443)`)
  },
})

export const hostHeaderName = textField<HostName>({
  title: 'host name',
  expected: 'a host name',
  write: 'a name like gateway.example.com',
  read (text) {
    const host = canonicalHostName(text)
    return host === undefined ? mistaken(`${quote(text)} is not a host name`, 'a name without a port, like gateway.example.com') : { ok: true, value: host }
  },
})

export const listenAddress = textField<string>({
  title: 'IP address',
  expected: 'the IP address to listen at',
  write: '127.0.0.1, 0.0.0.0 or another address of this machine',
  read (text) {
    const address = parseAddress(text)
    if (address !== undefined) return { ok: true, value: address.text }
    const what = `${quote(text)} is not an IP address`
    if (text === 'localhost') return mistaken(what, '127.0.0.1')
    if (text === '*' || text === '') return mistaken(what, '0.0.0.0')
    const found = parseSocketAddress(text)?.address.text
    if (found !== undefined) return mistaken(what, `${quoteIpv6(found)}, and the port under port`)
    return mistaken(what, 'an address of this machine, 0.0.0.0 for all of them')
  },
})

export const nameServer = textField<{ readonly address: Address, readonly port: number }>({
  title: 'IP or IP:PORT',
  expected: 'the address of a name server',
  write: 'its address, like 10.0.0.53 or 10.0.0.53:5353',
  read (text) {
    const server = parseSocketAddress(text)
    return server === undefined ? mistakenSocketAddress(text) : { ok: true, value: { port: 53, ...server } }
  },
})

export const staticAddress = textField<AddressWithPort>({
  title: 'IP or IP:PORT',
  expected: 'an address',
  write: 'an address like 10.0.0.5 or 10.0.0.5:8443',
  read (text) {
    const found = parseSocketAddress(text)
    return found === undefined ? mistakenSocketAddress(text) : { ok: true, value: found }
  },
})

const upstreamProxyForm: ProxyUrlForm = {
  example: { host: 'proxy.example', port: 3128 },
  credentialsAdvice: 'write the user alone into it, percent-encoded (%40 for @, %5C for \\), and the password into the file of passwordFile',
}

/** The URL of the parent proxy, with a user perhaps, and never a password. */
export const upstreamProxyUrl = textField<ProxyUrl>({
  title: 'proxy URL',
  expected: 'the URL of a proxy',
  write: 'url: http://proxy.example:3128',
  maxLength: 500,
  isSecret: true,
  read (text) {
    const parsed = parseProxyUrl(text, upstreamProxyForm)
    if (!parsed.ok) return parsed
    const { proxy } = parsed
    if (proxy.credentials?.password === undefined) return { ok: true, value: proxy }
    return { ok: false, mistake: { what: 'there is a password in the URL', write: upstreamProxyForm.credentialsAdvice } }
  },
})

function mistakenSocketAddress (text: string): Reading<never> {
  // `fd00::53:53` is one address to a machine and two things to a person; only brackets tell them apart.
  return mistaken(`${quote(text)} is not IP or IP:PORT`, 'it like 10.0.0.53, 10.0.0.53:5353 or "[fd00::53]:5353"')
}

/** In YAML `::` is no plain text. */
function quoteIpv6 (text: string): string {
  return text.includes(':') ? `'${text}'` : text
}
