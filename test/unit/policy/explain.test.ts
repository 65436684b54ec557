import t from 'tap'
import { type ExplainLookup, explainTarget } from '../../../src/policy/explain.ts'
import { refuse } from '../../../src/refusal/reasons.ts'
import { tagsOf } from '../../support/service-tags.ts'
import { policyOver, readAddress } from './sources.ts'

const policy = policyOver([{ loginServer: 'contoso.azurecr.io', regions: ['eastus'], privateEndpoints: ['10.1.2.0/24'] }])

/** A look-up that finds these addresses, and keeps the names it was asked for. */
function lookupOf (...addresses: readonly string[]): ExplainLookup & { readonly asked: string[] } {
  const asked: string[] = []
  return Object.assign(async ({ host }: { host: string }) => {
    asked.push(host)
    return addresses.map(readAddress)
  }, { asked })
}

t.test('an allowed target is explained by its rule and its addresses; the port may be left out', async (t) => {
  const lookup = lookupOf('20.62.128.4', '10.1.2.3', '10.9.9.9')
  t.same(await explainTarget(policy, 'Contoso.EastUS.data.azurecr.io', lookup), {
    target: 'Contoso.EastUS.data.azurecr.io:443',
    canonical: 'contoso.eastus.data.azurecr.io:443',
    allow: true,
    rule: {
      pattern: 'contoso.eastus.data.azurecr.io',
      class: 'data',
      registry: 'contoso.azurecr.io',
      region: 'eastus',
      source: 'registries[0].regions',
    },
    addresses: [
      { address: '20.62.128.4', allow: true, ground: 'public address' },
      { address: '10.1.2.3', allow: true, ground: 'in privateEndpoints 10.1.2.0/24' },
      { address: '10.9.9.9', allow: false, ground: 'the name resolves to 10.9.9.9, private use (RFC 1918)' },
    ],
  })
  t.same(lookup.asked, ['contoso.eastus.data.azurecr.io'])
})

t.test('a name that another resolves is allowed without its addresses, and with the word who resolves it', async (t) => {
  const resolver = 'the parent proxy http://proxy.example:3128'
  const explanation = await explainTarget(policy, 'contoso.azurecr.io', async () => ({ resolver }))
  t.match(explanation, { allow: true, resolver, rule: { source: 'registries[0].loginServer' } })
  t.notOk('addresses' in explanation)
  t.match(await explainTarget(policy, 'registry.example', async () => ({ resolver })), { allow: false, resolver: undefined })
})

t.test('a target whose every address is prohibited is denied, on the ground of the first', async (t) => {
  const explanation = await explainTarget(policy, 'contoso.azurecr.io:443', lookupOf('169.254.169.254', '10.9.9.9'))
  t.equal(explanation.allow, false)
  t.equal(explanation.rule?.pattern, 'contoso.azurecr.io')
  t.equal(explanation.refusal?.reason, 'address_prohibited')
  t.match(explanation.refusal?.detail, /169\.254\.169\.254/)
  t.same(explanation.addresses?.map(({ allow }) => allow), [false, false])
})

t.test('an address is explained by its service tag and prefix, or by the tags that it is outside of', async (t) => {
  const serviceTags = tagsOf({
    AzureContainerRegistry: ['20.62.128.0/24', '2603:1030:408::/48'], Storage: ['20.60.0.0/16'],
  })
  const registries = [{ loginServer: 'contoso.azurecr.io', regions: ['eastus'], privateEndpoints: ['10.1.2.0/24'] }]
  const lookup = lookupOf('20.62.128.4', '20.60.1.2', '2603:1030:408::1', '20.1.2.3', '10.1.2.3')
  const host = 'contoso.eastus.data.azurecr.io'
  const outside = 'the name resolves to 20.1.2.3, which is outside AzureContainerRegistry and Storage'
  const table = [
    ['enforce', false, outside],
    ['report', true, `service tags are only reported on, but ${outside}`],
    ['off', true, 'public address'],
  ] as const
  for (const [tagMode, allow, ground] of table) {
    const { addresses } = await explainTarget(policyOver(registries, [], { serviceTags, tagMode }), host, lookup)
    if (tagMode !== 'off') {
      t.same(addresses?.slice(0, 3), [
        { address: '20.62.128.4', allow: true, ground: 'in AzureContainerRegistry 20.62.128.0/24' },
        { address: '20.60.1.2', allow: true, ground: 'in Storage 20.60.0.0/16' },
        { address: '2603:1030:408::1', allow: true, ground: 'in AzureContainerRegistry 2603:1030:408::/48' },
      ])
    }
    t.same(addresses?.slice(3), [
      { address: '20.1.2.3', allow, ground },
      { address: '10.1.2.3', allow: true, ground: 'in privateEndpoints 10.1.2.0/24' },
    ], tagMode)
  }
})

t.test('a target all of whose addresses are outside its tags is denied for that', async (t) => {
  const policy = policyOver([{ loginServer: 'contoso.azurecr.io' }], [], {
    serviceTags: tagsOf({ AzureContainerRegistry: ['20.62.128.0/24'] }),
  })
  t.match(await explainTarget(policy, 'contoso.azurecr.io', lookupOf('20.1.2.3', '20.1.2.4')), {
    allow: false,
    rule: { pattern: 'contoso.azurecr.io' },
    refusal: { reason: 'address_outside_service_tags', detail: /20\.1\.2\.3/, hint: /acr-egress tags refresh/ },
    addresses: [{ allow: false }, { allow: false }],
  })
})

t.test('a refused target is explained without looking it up', async (t) => {
  const lookup = lookupOf('20.62.128.4')
  const table: ReadonlyArray<readonly [asked: string, target: string, canonical: string | undefined, why: string]> = [
    ['Evil.example', 'Evil.example:443', 'evil.example:443', 'host_not_allowed'],
    ['contoso.azurecr.io:80', 'contoso.azurecr.io:80', 'contoso.azurecr.io:80', 'port_not_allowed'],
    ['10.0.0.1', '10.0.0.1:443', undefined, 'ip_literal_not_allowed'],
    ['[::1]', '[::1]', undefined, 'ip_literal_not_allowed'],
    ['::1', '::1', undefined, 'ip_literal_not_allowed'],
    ['https://contoso.azurecr.io', 'https://contoso.azurecr.io', undefined, 'bad_request'],
    ['', ':443', undefined, 'bad_request'],
  ]
  for (const [asked, target, canonical, reason] of table) {
    const explanation = await explainTarget(policy, asked, lookup)
    t.equal(explanation.target, target)
    t.equal(explanation.canonical, canonical, asked)
    t.equal(explanation.allow, false)
    t.equal(explanation.refusal?.reason, reason, asked)
    t.equal(explanation.addresses, undefined)
  }
  t.same(lookup.asked, [])
})

t.test('a name that cannot be looked up is denied, with the refusal that a tunnel would meet', async (t) => {
  const refusal = refuse('dns_timeout', 'the name servers did not answer', 'Look at them.')
  const explanation = await explainTarget(policy, 'contoso.azurecr.io', async () => refusal)
  t.equal(explanation.allow, false)
  t.equal(explanation.rule?.pattern, 'contoso.azurecr.io')
  t.same(explanation.refusal, refusal)
  t.equal(explanation.addresses, undefined)
})

t.test('a name without any address is not called allowed', async (t) => {
  const explanation = await explainTarget(policy, 'contoso.azurecr.io', lookupOf())
  t.equal(explanation.allow, false)
})

t.test('an explanation is a JSON value', async (t) => {
  const explanation = await explainTarget(policy, 'contoso.azurecr.io', lookupOf('20.62.128.4', '10.9.9.9'))
  t.same(JSON.parse(JSON.stringify(explanation)), explanation)
})
