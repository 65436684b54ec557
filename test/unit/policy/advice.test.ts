import t from 'tap'
import { parse } from 'yaml'
import { adviseAddress, formatAdvice } from '../../../src/policy/advice.ts'
import { type WrittenRegistry, findRule, policyOver, readAddress, readHost } from './sources.ts'

const contoso = { loginServer: 'contoso.azurecr.io', regions: ['eastus'] }

/** `KEY > LINE > OPENS` of the advice for a host. */
function advise (host: string, registry: WrittenRegistry = contoso, extraHosts: readonly string[] = []): string {
  const advice = policyOver([registry], extraHosts).adviseHost(readHost(host))
  return advice === undefined ? 'none' : `${advice.key} > ${formatAdvice(advice)} > ${advice.opens}`
}

t.test('each host that is refused has the line that would let it through, and what that line would open', async (t) => {
  const table: ReadonlyArray<readonly [host: string, advice: string]> = [
    ['contoso.westus.data.azurecr.io',
      'registries[0].regions > regions: [eastus, westus] > contoso.westus.data.azurecr.io at port 443'],
    ['contoso.eastus.geo.azurecr.io',
      'registries[0].regionalEndpoints > regionalEndpoints: true > contoso.eastus.geo.azurecr.io at port 443'],
    ['contoso.westus.geo.azurecr.io',
      'registries[0].regions > regions: [eastus, westus] > the data endpoint of contoso.azurecr.io in westus, ' +
      'and with regionalEndpoints: true contoso.westus.geo.azurecr.io, at port 443'],
    ['weumanaged15.blob.core.windows.net',
      'registries[0].storage > storage: [weumanaged15] > the blobs of weumanaged15 at port 443; ' +
      'dedicated data endpoints would need no storage at all'],
    ['ab.blob.core.windows.net',
      'extraHosts > extraHosts: [ab.blob.core.windows.net] > ab.blob.core.windows.net at port 443, at any public address and for whatever it serves'],
    ['fabrikam.azurecr.io',
      'registries > registries: [{loginServer: fabrikam.azurecr.io}] > fabrikam.azurecr.io, ' +
      'and with its regions or storage the places of its layers'],
    ['mcr.microsoft.com', 'bundles > bundles: [mcr] > mcr.microsoft.com and *.data.mcr.microsoft.com, every public image of Microsoft'],
    ['management.azure.com', 'bundles > bundles: [entra] > the sign-in and management hosts of the cloud, for every tenant'],
    ['crl3.digicert.com', 'bundles > bundles: [revocation] > the revocation hosts of Azure\'s certificates, by plain HTTP at port 80'],
    ['packages.example.com',
      'extraHosts > extraHosts: [packages.example.com] > packages.example.com at port 443, at any public address and for whatever it serves'],
    ['contoso.azurecr.io', 'none'],
  ]
  for (const [host, advice] of table) t.equal(advise(host), advice, host)
})

t.test('what a list holds already stays in the line', async (t) => {
  t.match(advise('b.example.com', contoso, ['a.example.com']), /> extraHosts: \[a\.example\.com, b\.example\.com\] >/)
  t.match(advise('second.blob.core.windows.net', { ...contoso, storage: ['first'] }), /> storage: \[first, second\] >/)
  t.match(advise('contoso.westus.geo.azurecr.io', { ...contoso, regionalEndpoints: true }),
    /> regions: \[eastus, westus\] > contoso\.westus\.geo\.azurecr\.io, at port 443$/)
})

t.test('a line of advice, put into the configuration, lets the host through', async (t) => {
  for (const host of [
    'contoso.westus.data.azurecr.io', 'contoso.eastus.geo.azurecr.io', 'weumanaged15.blob.core.windows.net', 'packages.example.com',
    'mcr.microsoft.com',
  ]) {
    const advice = policyOver([contoso]).adviseHost(readHost(host))
    if (advice === undefined) throw new TypeError('no advice')
    const keys = parse(formatAdvice(advice)) as { readonly extraHosts?: string[], readonly bundles?: ['mcr'] }
    const registry = advice.key.startsWith('registries[0]') ? { ...contoso, ...keys } : contoso
    const policy = policyOver([registry], keys.extraHosts, { bundles: keys.bundles ?? [] })
    t.ok(policy.decideTarget(`${host}:443`).allow, host)
  }
})

t.test('an address is advised as a private endpoint where it may be one, and otherwise by what holds it back', async (t) => {
  const policy = policyOver([{ ...contoso, privateEndpoints: ['10.1.2.0/24'] }], ['packages.example.com'])
  const rule = findRule(policy, 'contoso.azurecr.io')
  t.match(adviseAddress(rule, readAddress('10.9.9.9')), {
    key: 'registries[0].privateEndpoints', present: ['10.1.2.0/24'], add: '10.9.9.9', opens: '10.9.9.9 for the names of contoso.azurecr.io',
  })
  const ipv6 = adviseAddress(rule, readAddress('fd00::1'))
  t.equal(ipv6 === undefined ? '' : formatAdvice(ipv6), 'privateEndpoints: [10.1.2.0/24, \'fd00::1\']')
  t.equal(adviseAddress(rule, readAddress('169.254.169.254')), undefined)
  t.equal(adviseAddress(findRule(policy, 'packages.example.com'), readAddress('10.9.9.9')), undefined)
  t.match(adviseAddress(rule, readAddress('20.1.2.3')), { key: 'addresses.mode', add: 'report' })
})
