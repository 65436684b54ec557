import t from 'tap'
import { describeGround } from '../../../src/policy/explain.ts'
import type { Policy } from '../../../src/policy/policy.ts'
import { renderRefusal } from '../../../src/proxy/reply.ts'
import type { Refusal } from '../../../src/refusal/reasons.ts'
import { missingFiles, publishedFiles } from '../../support/service-tag-files.ts'
import { readPublished, tagsOf } from '../../support/service-tags.ts'
import { findRule, policyOver, readAddress } from './sources.ts'

const serviceTags = tagsOf({
  AzureContainerRegistry: ['20.1.0.0/16', '2603:1020::/48', '20.9.9.9/32'],
  'AzureContainerRegistry.EastUS': ['20.1.1.0/24', '2603:1020::/64'],
  'AzureContainerRegistry.WestEurope': ['20.1.2.0/24'],
  Storage: ['20.2.0.0/16'],
  'Storage.EastUS': ['20.2.1.0/24'],
  'Storage.WestEurope': ['20.2.2.0/24'],
})
const contoso = {
  loginServer: 'contoso.azurecr.io',
  regions: ['eastus', 'westeurope'],
  regionalEndpoints: true,
  storage: ['account'],
  privateEndpoints: ['10.1.0.0/16'],
}
const extra = 'packages.example.com'
const hosts = {
  login: 'contoso.azurecr.io',
  certificate: 'azurecr.io',
  data: 'contoso.eastus.data.azurecr.io',
  regional: 'contoso.eastus.geo.azurecr.io',
  storage: 'account.blob.core.windows.net',
  extra,
} as const

/** How an address is decided: the tag, `reported`, the reason of the refusal, or another ground. */
function judge (policy: Policy, host: string, address: string): string {
  const decision = policy.decideAddress(findRule(policy, host), readAddress(address))
  if (!decision.allow) return decision.refusal.reason
  return decision.ground.kind === 'service_tag' ? decision.ground.tag : decision.ground.kind
}

const outside = 'address_outside_service_tags'
const acr = 'AzureContainerRegistry'

t.test('each class of endpoint has its tags, everywhere or in its regions', async (t) => {
  const registryEast = '20.1.1.4'
  const registryWest = '20.1.2.4'
  const registryElsewhere = '20.1.3.4'
  const storageEast = '20.2.1.4'
  const storageElsewhere = '20.2.3.4'
  const table: ReadonlyArray<readonly [host: keyof typeof hosts, address: string, global: string, regional: string]> = [
    ['login', registryEast, acr, `${acr}.EastUS`],
    ['login', registryWest, acr, `${acr}.WestEurope`],
    ['login', registryElsewhere, acr, outside],
    ['login', '2603:1020::4', acr, `${acr}.EastUS`],
    ['login', '2603:1020:0:1::4', acr, outside],
    ['login', '2603:1021::4', outside, outside],
    ['login', storageEast, outside, outside],
    ['login', '8.8.8.8', outside, outside],
    ['certificate', registryEast, acr, acr],
    ['certificate', registryElsewhere, acr, acr],
    ['certificate', '8.8.8.8', 'reported', 'reported'],
    ['data', registryEast, acr, `${acr}.EastUS`],
    ['data', storageEast, 'Storage', 'Storage.EastUS'],
    ['data', registryWest, acr, outside],
    ['data', storageElsewhere, 'Storage', outside],
    ['data', '8.8.8.8', outside, outside],
    ['regional', registryEast, acr, `${acr}.EastUS`],
    ['regional', registryWest, acr, outside],
    ['regional', storageEast, outside, outside],
    ['storage', storageEast, 'Storage', 'Storage.EastUS'],
    ['storage', '20.2.2.4', 'Storage', 'Storage.WestEurope'],
    ['storage', storageElsewhere, 'Storage', outside],
    ['storage', registryEast, outside, outside],
    ['extra', registryEast, 'public', 'public'],
    ['extra', '8.8.8.8', 'public', 'public'],
  ]
  const policies = {
    global: policyOver([contoso], [extra], { serviceTags }),
    regional: policyOver([contoso], [extra], { serviceTags, tagScope: 'regional' }),
  }
  for (const [host, address, global, regional] of table) {
    t.equal(judge(policies.global, hosts[host], address), global, `${host} at ${address}`)
    t.equal(judge(policies.regional, hosts[host], address), regional, `${host} at ${address}, in its regions`)
  }
})

t.test('in report mode what would be refused is let through, with the refusal in hand', async (t) => {
  const enforcing = policyOver([contoso], [extra], { serviceTags })
  const reporting = policyOver([contoso], [extra], { serviceTags, tagMode: 'report' })
  for (const host of [hosts.login, hosts.data, hosts.regional, hosts.storage]) {
    const [denied, reported] = [enforcing, reporting].map((policy) => policy.decideAddress(findRule(policy, host), readAddress('8.8.8.8')))
    t.match(reported, { allow: true, ground: { kind: 'reported' } }, host)
    t.same(reported?.allow === true && reported.ground.kind === 'reported' && reported.ground.refusal,
      denied?.allow === false && denied.refusal, host)
  }
  t.equal(judge(reporting, hosts.login, '20.1.3.4'), acr, 'inside its tags there is nothing to report')
  t.equal(judge(reporting, hosts.extra, '8.8.8.8'), 'public')
})

t.test('without a file, and in mode off, any public address will do', async (t) => {
  for (const policy of [
    policyOver([contoso], [extra]),
    policyOver([contoso], [extra], { tagMode: 'report' }),
    policyOver([contoso], [extra], { tagScope: 'regional' }),
    policyOver([contoso], [extra], { serviceTags, tagMode: 'off' }),
  ]) {
    for (const host of Object.values(hosts)) t.equal(judge(policy, host, '8.8.8.8'), 'public', host)
  }
})

t.test('a tag that the file does not have holds no address', async (t) => {
  const policy = policyOver([contoso], [extra], { serviceTags: tagsOf({ Sql: ['0.0.0.0/0'] }) })
  for (const host of [hosts.login, hosts.data, hosts.storage]) t.equal(judge(policy, host, '20.1.1.4'), outside, host)
})

t.test('an address that is not public is refused in every mode, whatever the tags hold', async (t) => {
  const everything = tagsOf({ [acr]: ['0.0.0.0/0', '::/0'], Storage: ['0.0.0.0/0', '::/0'] })
  const addresses = [
    '10.2.0.1', '127.0.0.1', '169.254.169.254', '168.63.129.16', '100.64.0.1', '0.0.0.0', '255.255.255.255', '224.0.0.1', '203.0.113.1',
    '::1', '::', 'fe80::1', 'fd00::1', '::ffff:20.1.1.4', '64:ff9b::1', '2001:db8::1', '2002::1',
  ]
  for (const tagMode of ['enforce', 'report', 'off'] as const) {
    const policy = policyOver([contoso], [extra], { serviceTags: everything, tagMode })
    for (const host of Object.values(hosts)) {
      for (const address of addresses) t.equal(judge(policy, host, address), 'address_prohibited', `${tagMode}: ${host} at ${address}`)
    }
    t.not(judge(policy, hosts.login, '8.8.8.8'), 'address_prohibited')
  }
})

t.test('an address of a private endpoint needs no tag', async (t) => {
  for (const tagMode of ['enforce', 'report', 'off'] as const) {
    const policy = policyOver([contoso], [extra], { serviceTags, tagMode })
    for (const host of [hosts.login, hosts.data, hosts.regional, hosts.storage]) {
      t.equal(judge(policy, host, '10.1.2.3'), 'private_endpoint', `${tagMode}: ${host}`)
    }
    for (const host of [hosts.certificate, hosts.extra]) t.equal(judge(policy, host, '10.1.2.3'), 'address_prohibited')
  }
})

t.test('storage that two registries name may be in the regions of either', async (t) => {
  const registries = [
    { loginServer: 'contoso.azurecr.io', regions: ['eastus'], storage: ['shared'] },
    { loginServer: 'fabrikam.azurecr.io', regions: ['westeurope'], storage: ['shared', 'single'] },
  ]
  const policy = policyOver(registries, [], { serviceTags, tagScope: 'regional' })
  const shared = 'shared.blob.core.windows.net'
  t.equal(judge(policy, shared, '20.2.1.4'), 'Storage.EastUS')
  t.equal(judge(policy, shared, '20.2.2.4'), 'Storage.WestEurope')
  t.equal(judge(policy, shared, '20.2.3.4'), outside)
  t.equal(judge(policy, 'single.blob.core.windows.net', '20.2.1.4'), outside)
})

t.test('the ground of an address has the narrowest prefix', async (t) => {
  const policy = policyOver([contoso], [], { serviceTags: tagsOf({ [acr]: ['20.0.0.0/8', '20.1.0.0/16', '20.1.1.0/24'], Storage: ['0.0.0.0/0'] }) })
  const decision = policy.decideAddress(findRule(policy, hosts.data), readAddress('20.1.1.4'))
  t.equal(decision.allow && describeGround(decision.ground), `in ${acr} 20.1.1.0/24`)
})

/** The refusal of an address outside the tags of a name. */
function refuseOutside (policy: Policy, host: string, address: string): Refusal {
  const decision = policy.decideAddress(findRule(policy, host), readAddress(address))
  if (decision.allow) throw new Error(`${host} may be at ${address}`)
  return decision.refusal
}

t.test('a refusal names the address and the tags, and says what to do', async (t) => {
  const world = { serviceTags, tagScope: 'regional' } as const
  const table: ReadonlyArray<readonly [regions: readonly string[], host: keyof typeof hosts, tags: string]> = [
    [[], 'login', acr],
    [['eastus'], 'login', `${acr}.eastus`],
    [['eastus', 'westeurope'], 'login', `${acr}.eastus and ${acr}.westeurope`],
    [['eastus', 'westeurope', 'uksouth'], 'login', `${acr}.eastus and ${acr}.westeurope and 1 more tag`],
    [['eastus', 'westeurope', 'uksouth', 'ukwest'], 'login', `${acr}.eastus and ${acr}.westeurope and 2 more tags`],
    [['eastus'], 'data', `${acr}.eastus and Storage.eastus`],
  ]
  for (const [regions, host, tags] of table) {
    t.same(refuseOutside(policyOver([{ ...contoso, regions }], [], world), hosts[host], '8.8.8.8'), {
      reason: outside,
      detail: `the name resolves to 8.8.8.8, which is outside ${tags}`,
      hint: 'If the gateway\'s file of service tags is old, fetch a new one (acr-egress tags refresh); ' +
        'otherwise look at what answers the gateway\'s DNS questions.',
    })
  }
})

t.test('the answer is printable ASCII, and its status line short, for the longest address and many tags', async (t) => {
  const address = '2603:1020:2060:c020:1111:2222:3333:4444'
  const regions = Array.from({ length: 60 }, (_, index) => `southcentralus${index + 10}stg`)
  const policy = policyOver([{ ...contoso, regions }], [], { serviceTags, tagScope: 'regional' })
  for (const host of ['contoso.azurecr.io', `contoso.${regions[7]}.data.azurecr.io`, 'account.blob.core.windows.net']) {
    const refusal = refuseOutside(policy, host, address)
    t.match(refusal.detail + refusal.hint, /^[\x20-\x7e]+$/, host)
    const [statusLine = ''] = renderRefusal(refusal, { target: `${host}:443`, tunnelId: '1' }).split('\r\n')
    t.ok(statusLine.length < 200, `${statusLine.length} characters`)
    t.ok(statusLine.startsWith(`HTTP/1.1 403 ${outside}: the name resolves to ${address}, which is outside `), statusLine)
  }
})

t.test('addresses of published tags are let through by them, and no others', { skip: missingFiles }, async (t) => {
  const published = readPublished(publishedFiles.public20251028)
  const regional = { ...contoso, regions: ['francecentral', 'westeurope'] }
  const policy = policyOver([regional], [], { serviceTags: published, tagScope: 'regional' })
  const everywhere = policyOver([regional], [], { serviceTags: published })
  t.equal(judge(policy, hosts.login, '13.69.64.88'), `${acr}.WestEurope`)
  t.equal(judge(policy, hosts.login, '13.69.64.87'), outside)
  t.equal(judge(policy, hosts.login, '2603:1020:206:c02::400'), `${acr}.WestEurope`)
  t.equal(judge(policy, 'contoso.francecentral.data.azurecr.io', '13.69.64.88'), outside)
  t.equal(judge(policy, hosts.login, '9.205.35.64'), outside, 'of no region')
  t.equal(judge(everywhere, hosts.login, '9.205.35.64'), acr)
  t.equal(judge(everywhere, hosts.login, '8.8.8.8'), outside)
  for (const block of published.find(`${acr}.FranceCentral`)?.blocks.blocks ?? []) {
    t.equal(judge(policy, hosts.login, block.first.text), `${acr}.FranceCentral`, block.text)
  }
})
