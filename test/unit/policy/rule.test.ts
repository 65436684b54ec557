import t from 'tap'
import type { Bundle } from '../../../src/acr/bundles.ts'
import { listRules } from '../../../src/policy/rule.ts'
import { type WrittenRegistry, readHost, readRegistry } from './sources.ts'

/** Each rule as `pattern class registry region source`, in order. */
function listLines (
  registries: readonly WrittenRegistry[], extraHosts: readonly string[] = [], bundles: readonly Bundle[] = [],
): string[] {
  const sources = { registries: registries.map(readRegistry), bundles, extraHosts: extraHosts.map(readHost), tagScope: 'global' } as const
  return listRules(sources).map((rule) => {
    return [rule.pattern, rule.class, rule.registry || '-', rule.region || '-', rule.source].join(' ')
  })
}

t.test('the rules stand in the order of the configuration, each with the key it comes from', async (t) => {
  const registries: WrittenRegistry[] = [
    { loginServer: 'contoso.azurecr.io', regions: ['eastus', 'westeurope'], regionalEndpoints: true },
    { loginServer: 'fabrikam.azurecr.us', storage: ['usgvaccount'] },
  ]
  t.same(listLines(registries, ['packages.example.com', 'mcr.microsoft.com']), [
    'contoso.azurecr.io login contoso.azurecr.io - registries[0].loginServer',
    'azurecr.io certificate - - registries[0].loginServer',
    'contoso.eastus.data.azurecr.io data contoso.azurecr.io eastus registries[0].regions',
    'contoso.westeurope.data.azurecr.io data contoso.azurecr.io westeurope registries[0].regions',
    'contoso.eastus.geo.azurecr.io regional contoso.azurecr.io eastus registries[0].regionalEndpoints',
    'contoso.westeurope.geo.azurecr.io regional contoso.azurecr.io westeurope registries[0].regionalEndpoints',
    'fabrikam.azurecr.us login fabrikam.azurecr.us - registries[1].loginServer',
    'azurecr.us certificate - - registries[1].loginServer',
    'usgvaccount.blob.core.usgovcloudapi.net storage fabrikam.azurecr.us - registries[1].storage',
    'packages.example.com extra - - extraHosts[0]',
    'mcr.microsoft.com extra - - extraHosts[1]',
  ])
})

t.test('a pattern occurs once, and the first to ask for it owns it', async (t) => {
  const registries: WrittenRegistry[] = [
    { loginServer: 'contoso.azurecr.io', storage: 'any' },
    { loginServer: 'fabrikam.azurecr.io', storage: 'any' },
  ]
  t.same(listLines(registries, ['fabrikam.azurecr.io', 'azurecr.io', 'blob.core.windows.net', 'a.example', 'a.example']), [
    'contoso.azurecr.io login contoso.azurecr.io - registries[0].loginServer',
    'azurecr.io certificate - - registries[0].loginServer',
    '*.blob.core.windows.net storage contoso.azurecr.io - registries[0].storage',
    'fabrikam.azurecr.io login fabrikam.azurecr.io - registries[1].loginServer',
    // Not the wildcard: the name above it.
    'blob.core.windows.net extra - - extraHosts[2]',
    'a.example extra - - extraHosts[3]',
  ])
})

t.test('a bundle stands behind the registries, with its port, in the form of their clouds', async (t) => {
  const rules = listRules({
    registries: [{ loginServer: 'contoso.azurecr.io' }, { loginServer: 'fabrikam.azurecr.us' }].map(readRegistry),
    bundles: ['mcr', 'entra', 'revocation', 'mcr'],
    extraHosts: ['mcr.microsoft.com', 'www.microsoft.com'].map(readHost),
    tagScope: 'regional',
  })
  const lines = rules.slice(4).map((rule) => `${rule.pattern}:${rule.port} ${rule.class} ${rule.source}`)
  t.same(lines.slice(0, 6), [
    'mcr.microsoft.com:443 mcr bundles[0]',
    '*.data.mcr.microsoft.com:443 mcr bundles[0]',
    'login.microsoftonline.com:443 entra bundles[1]',
    'management.azure.com:443 entra bundles[1]',
    'login.microsoftonline.us:443 entra bundles[1]',
    'management.usgovcloudapi.net:443 entra bundles[1]',
  ])
  t.ok(lines.slice(6, -1).every((line) => line.endsWith(':80 revocation bundles[2]')), lines.slice(6, -1).join('\n'))
  t.equal(lines.at(-1), 'www.microsoft.com:443 extra extraHosts[1]', 'at another port it is another name')
})
