import t from 'tap'
import { parse } from 'yaml'
import type { HostName } from '../../../src/net/host-name.ts'
import { formatAdditions, listAdditions } from '../../../src/outlook/additions.ts'
import type { AdviceSources } from '../../../src/policy/advice.ts'
import { type Policy, createPolicy } from '../../../src/policy/policy.ts'
import { type WrittenRegistry, readCidr, readHost, readRegistry } from '../policy/sources.ts'

const contoso: WrittenRegistry = { loginServer: 'contoso.azurecr.io', regions: ['eastus'] }
const fabrikam: WrittenRegistry = { loginServer: 'fabrikam.azurecr.us', storage: ['first'] }

function makePolicy (lists: AdviceSources): Policy {
  const clients = [readCidr('10.0.0.0/8')]
  return createPolicy({ ...lists, clients, hostMode: 'enforce', tagMode: 'enforce', tagScope: 'global' })
}

function listsOf (registries: readonly WrittenRegistry[], extraHosts: readonly string[] = []): AdviceSources {
  return { registries: registries.map(readRegistry), bundles: [], extraHosts: extraHosts.map(readHost) }
}

function format (hosts: readonly string[], lists: AdviceSources): string {
  return formatAdditions(listAdditions(hosts as HostName[], lists, makePolicy))
}

t.test('each key comes once, with what stands there, and each new value with what it opens', async (t) => {
  const lists = listsOf([contoso, fabrikam], ['old.example.com'])
  const hosts = [
    'a.example.com', 'contoso.westus.data.azurecr.io', 'b.example.com', 'contoso.northeurope.data.azurecr.io',
    'second.blob.core.usgovcloudapi.net', 'mcr.microsoft.com', 'eus.data.mcr.microsoft.com', 'newcorp.azurecr.io',
  ]
  t.equal(format(hosts, lists), `\
# a.example.com: a.example.com at port 443, at any public address and for whatever it serves.
# b.example.com: b.example.com at port 443, at any public address and for whatever it serves.
extraHosts: [old.example.com, a.example.com, b.example.com]
# mcr: mcr.microsoft.com and *.data.mcr.microsoft.com, every public image of Microsoft.
bundles: [mcr]
registries:
  # There already: change these keys of it.
  - loginServer: contoso.azurecr.io
    # westus: contoso.westus.data.azurecr.io at port 443.
    # northeurope: contoso.northeurope.data.azurecr.io at port 443.
    regions: [eastus, westus, northeurope]
  # There already: change these keys of it.
  - loginServer: fabrikam.azurecr.us
    # second: the blobs of second at port 443; dedicated data endpoints would need no storage at all.
    storage: [first, second]
  # New: newcorp.azurecr.io, and with its regions or storage the places of its layers.
  - loginServer: newcorp.azurecr.io
`)
})

t.test('with the lines, put into the configuration, every host is let through by CONNECT', async (t) => {
  const hosts = [
    'contoso.westus.geo.azurecr.io', 'crl3.digicert.com', '123.blob.core.windows.net', '1e5.blob.core.windows.net',
    'null.blob.core.windows.net', 'ab.blob.core.windows.net', 'packages.example.com', 'login.microsoftonline.com',
  ]
  const yaml = format(hosts, listsOf([contoso]))
  const written = parse(yaml) as {
    readonly extraHosts: string[], readonly bundles: ['entra'], readonly registries: readonly WrittenRegistry[],
  }
  t.match(written.registries, [{
    loginServer: 'contoso.azurecr.io', regions: ['eastus', 'westus'], regionalEndpoints: true, storage: ['123', '1e5', 'null'],
  }])
  const [changed] = written.registries
  const lists = { ...listsOf([{ ...contoso, ...changed }], written.extraHosts), bundles: written.bundles }
  for (const host of hosts) t.ok(makePolicy(lists).decideTarget(`${host}:443`).allow, host)
  t.notMatch(yaml, /revocation/, 'a bundle for plain HTTP would not help')
})

t.test('of nothing there are no lines', async (t) => {
  t.equal(format([], listsOf([contoso])), '')
  t.equal(format(['contoso.azurecr.io'], listsOf([contoso])), '')
})
