import t from 'tap'
import {
  type Registry, dataHost, endpointClasses, endpointPattern, isRegionName, isStorageAccountName, listEndpoints,
} from '../../../src/acr/endpoints.ts'
import { parseLoginServer } from '../../../src/acr/login-server.ts'

/** A registry as a configuration without other keys has it. */
function describeRegistry (loginServer: string, keys: Partial<Registry> = {}): Registry {
  const parsed = parseLoginServer(loginServer)
  if (!parsed.ok) throw new TypeError(parsed.mistake.what)
  return { loginServer: parsed.loginServer, regions: [], regionalEndpoints: false, storage: 'none', privateEndpoints: [], ...keys }
}

/** Each endpoint as `class pattern region from`. */
function listLines (registry: Registry): string[] {
  return listEndpoints(registry).map((endpoint) => {
    return [endpoint.class, endpointPattern(endpoint), endpoint.region || '-', endpoint.from].join(' ')
  })
}

t.test('a registry by itself is its login server, and the host that is asked for the certificate', async (t) => {
  t.same(listLines(describeRegistry('contoso.azurecr.io')), [
    'login contoso.azurecr.io - loginServer',
    'certificate azurecr.io - loginServer',
  ])
})

t.test('each region adds a data endpoint, and a regional one if those are on', async (t) => {
  const regions = ['eastus', 'westeurope']
  const data = [
    'login contoso-a1b2.azurecr.io - loginServer',
    'certificate azurecr.io - loginServer',
    'data contoso-a1b2.eastus.data.azurecr.io eastus regions',
    'data contoso-a1b2.westeurope.data.azurecr.io westeurope regions',
  ]
  t.same(listLines(describeRegistry('contoso-a1b2.azurecr.io', { regions })), data)
  t.same(listLines(describeRegistry('contoso-a1b2.azurecr.io', { regions, regionalEndpoints: true })), [
    ...data,
    'regional contoso-a1b2.eastus.geo.azurecr.io eastus regionalEndpoints',
    'regional contoso-a1b2.westeurope.geo.azurecr.io westeurope regionalEndpoints',
  ])
})

t.test('storage is nothing, one wildcard, or the accounts by name', async (t) => {
  const linesOf = (storage: Registry['storage']) => listLines(describeRegistry('contoso.azurecr.io', { storage })).slice(2)
  t.same(linesOf('none'), [])
  t.same(linesOf('any'), ['storage *.blob.core.windows.net - storage'])
  t.same(linesOf(['weumanaged15', 'eusmanaged3']), [
    'storage weumanaged15.blob.core.windows.net - storage',
    'storage eusmanaged3.blob.core.windows.net - storage',
  ])
})

t.test('the sovereign clouds have suffixes of their own', async (t) => {
  const keys = { regionalEndpoints: true, storage: 'any' } as const
  t.same(listLines(describeRegistry('contoso.azurecr.us', { ...keys, regions: ['usgovvirginia'] })), [
    'login contoso.azurecr.us - loginServer',
    'certificate azurecr.us - loginServer',
    'data contoso.usgovvirginia.data.azurecr.us usgovvirginia regions',
    'regional contoso.usgovvirginia.geo.azurecr.us usgovvirginia regionalEndpoints',
    'storage *.blob.core.usgovcloudapi.net - storage',
  ])
  t.same(listLines(describeRegistry('contoso.azurecr.cn', { ...keys, regions: ['chinaeast2'] })), [
    'login contoso.azurecr.cn - loginServer',
    'certificate azurecr.cn - loginServer',
    'data contoso.chinaeast2.data.azurecr.cn chinaeast2 regions',
    'regional contoso.chinaeast2.geo.azurecr.cn chinaeast2 regionalEndpoints',
    'storage *.blob.core.chinacloudapi.cn - storage',
  ])
})

t.test('the classes are the closed list that metrics are labelled with', async (t) => {
  t.same(endpointClasses, [
    'login', 'certificate', 'data', 'regional', 'storage', 'mcr', 'entra', 'revocation', 'extra', 'unlisted',
  ])
})

t.test('a name that cannot be put together is a bug, and said so', async (t) => {
  const { loginServer: { cloud } } = describeRegistry('contoso.azurecr.io')
  t.equal(dataHost('contoso', 'eastus', cloud), 'contoso.eastus.data.azurecr.io')
  t.throws(() => dataHost('contoso', 'East US', cloud), TypeError)
})

t.test('a region has the form that az account list-locations prints', async (t) => {
  for (const name of ['eastus', 'westus2', 'germanywestcentral', 'chinaeast2', 'usgovvirginia', 'eastus2euap', 'uksouth']) {
    t.ok(isRegionName(name), name)
  }
  for (const name of ['', 'eus', 'East US', 'eastUS', 'east-us', 'eastus.', 'eastus.data', '2eastus', 'eastus\n', 'a'.repeat(64)]) {
    t.notOk(isRegionName(name), JSON.stringify(name))
  }
})

t.test('a storage account has 3 to 24 lower case letters and digits', async (t) => {
  for (const name of ['abc', 'weumanaged15', '123', 'a'.repeat(24)]) t.ok(isStorageAccountName(name), name)
  for (const name of ['', 'ab', 'a'.repeat(25), 'Account', 'my-account', 'account.blob', '*', 'abc\n']) {
    t.notOk(isStorageAccountName(name), JSON.stringify(name))
  }
})
