import fc from 'fast-check'
import t from 'tap'
import { describeGround } from '../../../src/policy/explain.ts'
import type { Policy } from '../../../src/policy/policy.ts'
import { findRule, policyOver, readAddress } from './sources.ts'

const contoso = {
  loginServer: 'contoso.azurecr.io',
  regions: ['eastus', 'westeurope'],
  privateEndpoints: ['10.1.2.0/24', '10.1.0.0/16', 'fd00:1::/32'],
}

/** The pattern that lets a target through, or the reason why nothing does. */
function judge (policy: Policy, target: string): string {
  const decision = policy.decideTarget(target)
  return decision.allow ? decision.rule.pattern : decision.refusal.reason
}

t.test('the endpoints of a registry are let through, in any case and with a dot behind', async (t) => {
  const policy = policyOver([{ ...contoso, regionalEndpoints: true, storage: ['weumanaged15'] }], ['packages.example.com'])
  const allowed: ReadonlyArray<readonly [target: string, pattern: string]> = [
    ['contoso.azurecr.io:443', 'contoso.azurecr.io'],
    ['Contoso.AzureCR.IO.:443', 'contoso.azurecr.io'],
    ['azurecr.io:443', 'azurecr.io'],
    ['contoso.eastus.data.azurecr.io:443', 'contoso.eastus.data.azurecr.io'],
    ['contoso.westeurope.data.azurecr.io:443', 'contoso.westeurope.data.azurecr.io'],
    ['contoso.eastus.geo.azurecr.io:443', 'contoso.eastus.geo.azurecr.io'],
    ['weumanaged15.blob.core.windows.net:443', 'weumanaged15.blob.core.windows.net'],
    ['packages.example.com:443', 'packages.example.com'],
  ]
  for (const [target, pattern] of allowed) t.equal(judge(policy, target), pattern, target)
  const decision = policy.decideTarget('Contoso.AzureCR.IO.:443')
  t.same(decision.authority, { host: 'contoso.azurecr.io', port: 443 }, 'the canonical authority is what is looked up')
})

t.test('everything else is refused, under the reason that says what is missing', async (t) => {
  const policy = policyOver([contoso])
  const refused: ReadonlyArray<readonly [target: string, reason: string]> = [
    ['evil.example:443', 'host_not_allowed'],
    ['fabrikam.azurecr.io:443', 'host_not_allowed'],
    ['evilcontoso.azurecr.io:443', 'host_not_allowed'],
    ['contoso.evilazurecr.io:443', 'host_not_allowed'],
    ['contosoazurecr.io:443', 'host_not_allowed'],
    ['x.contoso.azurecr.io:443', 'host_not_allowed'],
    ['contoso.azurecr.io.evil.example:443', 'host_not_allowed'],
    ['contoso.azurecr.us:443', 'host_not_allowed'],
    ['contoso.azureacr.io:443', 'host_not_allowed'],
    ['azurecr.us:443', 'host_not_allowed'],
    ['io:443', 'host_not_allowed'],
    ['data.azurecr.io:443', 'host_not_allowed'],
    ['eastus.data.azurecr.io:443', 'host_not_allowed'],
    ['fabrikam.eastus.data.azurecr.io:443', 'host_not_allowed'],
    ['x.contoso.eastus.data.azurecr.io:443', 'host_not_allowed'],
    ['contoso.x.eastus.data.azurecr.io:443', 'host_not_allowed'],
    ['contoso.eastus.data.azurecr.us:443', 'host_not_allowed'],
    ['contoso.eastus.other.azurecr.io:443', 'host_not_allowed'],
    ['contoso.westus.data.azurecr.io:443', 'region_not_configured'],
    ['contoso.eastus.geo.azurecr.io:443', 'regional_not_enabled'],
    ['weumanaged15.blob.core.windows.net:443', 'storage_not_enabled'],
    ['usgvaccount.blob.core.usgovcloudapi.net:443', 'host_not_allowed'],
    ['account.blob.core.chinacloudapi.cn:443', 'host_not_allowed'],
    ['x.weumanaged15.blob.core.windows.net:443', 'host_not_allowed'],
    ['blob.core.windows.net:443', 'host_not_allowed'],
    ['contoso.azurecr.io:80', 'port_not_allowed'],
    ['contoso.azurecr.io:8443', 'port_not_allowed'],
    ['evil.example:80', 'host_not_allowed'],
    ['127.0.0.1:443', 'ip_literal_not_allowed'],
    ['[::1]:443', 'ip_literal_not_allowed'],
    ['0x7f.1:443', 'ip_literal_not_allowed'],
    ['169.254.169.254:80', 'ip_literal_not_allowed'],
    ['contoso.azurecr.io', 'bad_request'],
    ['contoso.azurecr.io:443@evil.example', 'bad_request'],
    ['contoso.azurecr.io%2eevil.example:443', 'bad_request'],
    ['contoso.azurecr.io\0.evil.example:443', 'bad_request'],
    ['*.azurecr.io:443', 'bad_request'],
    ['', 'bad_request'],
  ]
  for (const [target, reason] of refused) t.equal(judge(policy, target), reason, JSON.stringify(target))
})

t.test('a refused target has its canonical form in the decision if it has one', async (t) => {
  const policy = policyOver([contoso])
  t.same(policy.decideTarget('Evil.EXAMPLE.:443').authority, { host: 'evil.example', port: 443 })
  t.same(policy.decideTarget('contoso.azurecr.io:80').authority, { host: 'contoso.azurecr.io', port: 80 })
  t.equal(policy.decideTarget('127.0.0.1:443').authority, undefined)
  t.equal(policy.decideTarget('a b:443').authority, undefined)
})

t.test('a wildcard stands for exactly one label, and an exact rule goes before it', async (t) => {
  const policy = policyOver([{ ...contoso, storage: 'any' }], ['named.blob.core.windows.net'])
  t.equal(judge(policy, 'weumanaged15.blob.core.windows.net:443'), '*.blob.core.windows.net')
  t.equal(judge(policy, 'named.blob.core.windows.net:443'), 'named.blob.core.windows.net')
  for (const host of ['blob.core.windows.net', 'a.b.blob.core.windows.net', 'a.blob.core.windows.net.evil.example', 'ablob.core.windows.net']) {
    t.equal(judge(policy, `${host}:443`), 'host_not_allowed', host)
  }
  t.equal(judge(policy, 'account.blob.core.usgovcloudapi.net:443'), 'host_not_allowed', 'of its own cloud only')
})

t.test('whatever is let through is a name of the list at port 443', async () => {
  const policy = policyOver([{ ...contoso, storage: 'any' }])
  const exact = new Set(policy.rules.filter(({ wildcard }) => !wildcard).map(({ host }) => String(host)))
  const part = fc.constantFrom('contoso', 'azurecr', 'io', 'eastus', 'westus', 'data', 'geo', 'blob', 'core', 'windows', 'net', 'a', 'X', '', '.', '%2e', '1', '@')
  const target = fc.tuple(fc.array(part, { maxLength: 7 }), fc.constantFrom(':443', ':80', ':0443', '', '.:443', ':443.'))
    .map(([parts, port]) => parts.join('.') + port)
  fc.assert(fc.property(fc.oneof(target, fc.constantFrom(...exact).chain((host) => fc.constantFrom(`${host}:443`, `x${host}:443`, `${host}x:443`))), (text) => {
    if (!policy.decideTarget(text).allow) return true
    const host = text.toLowerCase().replace(/\.?:443$/, '')
    return exact.has(host) || /^[a-z0-9]+\.blob\.core\.windows\.net$/.test(host)
  }), { numRuns: 5000 })
})

t.test('a client is judged by the blocks it may come from', async (t) => {
  const policy = policyOver([contoso])
  t.same(policy.decideClient(readAddress('10.255.0.1')), { allow: true })
  for (const text of ['11.0.0.1', '::1', '::ffff:10.0.0.1']) {
    const decision = policy.decideClient(readAddress(text))
    t.equal(!decision.allow && decision.refusal.reason, 'client_not_allowed', text)
    t.equal(!decision.allow && decision.refusal.detail, `clients at ${text === '::ffff:10.0.0.1' ? '::ffff:a00:1' : text} may not use this gateway`)
  }
})

t.test('a public address may be dialled; a private one only within the private endpoints of its own registry', async (t) => {
  const policy = policyOver([contoso, { loginServer: 'fabrikam.azurecr.io', privateEndpoints: ['10.9.0.0/16'] }], ['packages.example.com'])
  const table: ReadonlyArray<readonly [host: string, address: string, ground: string | undefined]> = [
    ['contoso.azurecr.io', '20.62.128.4', 'public address'],
    ['contoso.azurecr.io', '2603:1030:408::1', 'public address'],
    ['contoso.azurecr.io', '10.1.2.3', 'in privateEndpoints 10.1.2.0/24'],
    ['contoso.azurecr.io', '10.1.3.3', 'in privateEndpoints 10.1.0.0/16'],
    ['contoso.eastus.data.azurecr.io', '10.1.2.4', 'in privateEndpoints 10.1.2.0/24'],
    ['contoso.azurecr.io', 'fd00:1::5', 'in privateEndpoints fd00:1::/32'],
    ['contoso.azurecr.io', '10.2.0.1', undefined],
    ['contoso.azurecr.io', '10.9.0.1', undefined],
    ['contoso.azurecr.io', '::ffff:10.1.2.3', undefined],
    ['contoso.azurecr.io', '169.254.169.254', undefined],
    ['fabrikam.azurecr.io', '10.9.0.1', 'in privateEndpoints 10.9.0.0/16'],
    ['fabrikam.azurecr.io', '10.1.2.3', undefined],
    ['azurecr.io', '10.1.2.3', undefined],
    ['azurecr.io', '20.62.128.4', 'public address'],
    ['packages.example.com', '10.1.2.3', undefined],
  ]
  for (const [host, address, ground] of table) {
    const decision = policy.decideAddress(findRule(policy, host), readAddress(address))
    t.equal(decision.allow ? describeGround(decision.ground) : undefined, ground, `${host} at ${address}`)
    if (!decision.allow) t.equal(decision.refusal.reason, 'address_prohibited')
  }
})

t.test('storage that two registries name may resolve to the private endpoints of either', async (t) => {
  const policy = policyOver([
    { loginServer: 'contoso.azurecr.io', storage: ['shared', 'single'], privateEndpoints: ['10.1.0.0/16'] },
    { loginServer: 'fabrikam.azurecr.io', storage: ['shared'], privateEndpoints: ['10.2.0.0/16'] },
  ])
  const shared = findRule(policy, 'shared.blob.core.windows.net')
  t.equal(shared.registry, 'contoso.azurecr.io')
  t.ok(policy.decideAddress(shared, readAddress('10.1.0.1')).allow)
  t.ok(policy.decideAddress(shared, readAddress('10.2.0.1')).allow)
  t.notOk(policy.decideAddress(shared, readAddress('10.3.0.1')).allow)
  t.notOk(policy.decideAddress(findRule(policy, 'single.blob.core.windows.net'), readAddress('10.2.0.1')).allow)
})

t.test('privateEndpoints are advised only where they would help', async (t) => {
  const policy = policyOver([{ loginServer: 'contoso.azurecr.io' }, { loginServer: 'fabrikam.azurecr.io', regions: ['eastus'] }], ['packages.example.com'])
  function readHint (host: string, address: string): string {
    const decision = policy.decideAddress(findRule(policy, host), readAddress(address))
    return decision.allow ? 'allowed' : decision.refusal.hint
  }
  t.match(readHint('contoso.azurecr.io', '10.1.2.3'), /add its address to registries\[0\]\.privateEndpoints; otherwise look at what answers/)
  t.match(readHint('fabrikam.eastus.data.azurecr.io', 'fd00::1'), /add its address to registries\[1\]\.privateEndpoints;/)
  t.match(readHint('contoso.azurecr.io', '127.0.0.1'), /registries\[0\]\.privateEndpoints/)
  for (const address of ['169.254.169.254', '168.63.129.16', '224.0.0.1', '192.0.2.1', '::', 'fe80::1', '::ffff:10.0.0.1', '64:ff9b::1']) {
    t.equal(readHint('contoso.azurecr.io', address), 'Look at what answers the gateway\'s DNS questions.', address)
  }
  for (const host of ['azurecr.io', 'packages.example.com']) {
    t.equal(readHint(host, '10.1.2.3'), 'Look at what answers the gateway\'s DNS questions.', host)
  }
})
