import t from 'tap'
import type { Refusal } from '../../../src/refusal/reasons.ts'
import { type WrittenRegistry, policyOver } from './sources.ts'

/** The refusal of a host by a policy over some registries. */
function readRefusal (host: string, ...registries: readonly WrittenRegistry[]): Refusal {
  const decision = policyOver(registries).decideTarget(`${host}:443`)
  if (decision.allow) throw new TypeError(`${host} is let through`)
  return decision.refusal
}

const contoso = { loginServer: 'contoso.azurecr.io', regions: ['eastus'] }
const fabrikam = { loginServer: 'fabrikam.azurecr.us' }

t.test('a strange host is refused with the names of the registries there are', async (t) => {
  t.same(readRefusal('evil.example', contoso), {
    reason: 'host_not_allowed',
    detail: 'evil.example is not an endpoint of contoso.azurecr.io',
    hint: 'If devices need it, add it to the gateway\'s configuration: a registry under registries, any other host under extraHosts.',
  })
  t.equal(readRefusal('evil.example', contoso, fabrikam).detail, 'evil.example is not an endpoint of contoso.azurecr.io or the other registry')
  t.equal(readRefusal('evil.example', contoso, fabrikam, { loginServer: 'third.azurecr.io' }).detail,
    'evil.example is not an endpoint of contoso.azurecr.io or the 2 other registries')
})

t.test('the frequent typo of the domain is pointed at', async (t) => {
  t.match(readRefusal('contoso.azureacr.io', contoso).hint, /^The domain is azurecr\.io, not azureacr\.io\. /)
  t.notMatch(readRefusal('contoso.notazureacr.io', contoso).hint, /The domain is/)
})

t.test('a data endpoint that lacks only its region says which region of which registry', async (t) => {
  t.same(readRefusal('contoso.westus2.data.azurecr.io', fabrikam, contoso), {
    reason: 'region_not_configured',
    detail: 'contoso.westus2.data.azurecr.io is a data endpoint of contoso.azurecr.io in a region that is not configured',
    hint: 'Add westus2 to the regions of contoso.azurecr.io.',
  })
  t.equal(readRefusal('fabrikam.usgovvirginia.data.azurecr.us', fabrikam).reason, 'region_not_configured')
})

t.test('a regional endpoint that is not enabled says what enables it', async (t) => {
  t.same(readRefusal('contoso.eastus.geo.azurecr.io', contoso), {
    reason: 'regional_not_enabled',
    detail: 'contoso.eastus.geo.azurecr.io is a regional endpoint of contoso.azurecr.io, which are not enabled for this region',
    hint: 'Set regionalEndpoints: true for contoso.azurecr.io, and see that its regions hold eastus.',
  })
  t.equal(readRefusal('contoso.westus.geo.azurecr.io', { ...contoso, regionalEndpoints: true }).reason, 'regional_not_enabled')
})

t.test('what the configuration would refuse as a region is not advised as one', async (t) => {
  for (const label of ['1', 'a', 'east-us', 'xn--eastus', 'eastus123', 'eastus2abcdefghijk']) {
    for (const kind of ['data', 'geo']) {
      const host = `contoso.${label}.${kind}.azurecr.io`
      t.equal(readRefusal(host, contoso).reason, 'host_not_allowed', host)
    }
  }
  for (const region of ['eastus2euap', 'westus3', 'usgovvirginia']) {
    t.equal(readRefusal(`contoso.${region}.data.azurecr.io`, contoso).reason, 'region_not_configured', region)
  }
})

t.test('blob storage that is not let through leads to dedicated data endpoints first', async (t) => {
  const refusal = readRefusal('weumanaged15.blob.core.windows.net', contoso)
  t.equal(refusal.reason, 'storage_not_enabled')
  t.match(refusal.hint, /^Turn on dedicated data endpoints \(az acr update --name contoso --data-endpoint-enabled\)/)
  t.match(refusal.hint, /or set storage of the registry to this account, or to any\.$/)
  t.equal(readRefusal('other.blob.core.windows.net', { ...contoso, storage: ['weumanaged15'] }).reason, 'storage_not_enabled')
})

t.test('blob storage is explained for a registry of its own cloud, by the name that az knows it by', async (t) => {
  const refusal = readRefusal('usgvaccount.blob.core.usgovcloudapi.net', contoso, { loginServer: 'fabrikam-a1b2.azurecr.us' })
  t.equal(refusal.reason, 'storage_not_enabled')
  t.match(refusal.hint, /az acr update --name fabrikam --data-endpoint-enabled/)
  t.equal(readRefusal('usgvaccount.blob.core.usgovcloudapi.net', contoso).reason, 'host_not_allowed',
    'no storage setting of a registry lets storage of another cloud through')
})
