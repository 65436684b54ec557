import t from 'tap'
import { type ExplainLookup, explainTarget } from '../../../src/policy/explain.ts'
import { refuse } from '../../../src/refusal/reasons.ts'
import { policyOver, readAddress } from './sources.ts'

const policy = policyOver([{ loginServer: 'contoso.azurecr.io', regions: ['eastus'], privateEndpoints: ['10.1.2.0/24'] }])

/** A look-up that finds these addresses, and keeps the names it was asked for. */
function lookupOf (...addresses: readonly string[]): ExplainLookup & { readonly asked: string[] } {
  const asked: string[] = []
  return Object.assign(async (host: string) => {
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

t.test('a target whose every address is prohibited is denied, on the ground of the first', async (t) => {
  const explanation = await explainTarget(policy, 'contoso.azurecr.io:443', lookupOf('169.254.169.254', '10.9.9.9'))
  t.equal(explanation.allow, false)
  t.equal(explanation.rule?.pattern, 'contoso.azurecr.io')
  t.equal(explanation.refusal?.reason, 'address_prohibited')
  t.match(explanation.refusal?.detail, /169\.254\.169\.254/)
  t.same(explanation.addresses?.map(({ allow }) => allow), [false, false])
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
