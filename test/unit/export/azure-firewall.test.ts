import t from 'tap'
import { renderAzureFirewall } from '../../../src/export/azure-firewall.ts'
import { contoso, exportSources } from '../../support/export-sources.ts'

interface Rule {
  readonly ruleType: string
  readonly name: string
  readonly description: string
  readonly sourceAddresses: string
  readonly protocols: ReadonlyArray<{ readonly protocolType: string, readonly port: number }>
  readonly targetFqdns: readonly string[]
}

interface Template {
  readonly parameters: Readonly<Record<string, { readonly type: string, readonly defaultValue?: unknown }>>
  readonly metadata: Readonly<Record<string, unknown>>
  readonly resources: ReadonlyArray<{
    readonly type: string
    readonly name: string
    readonly properties: {
      readonly priority: string,
      readonly ruleCollections: ReadonlyArray<{
        readonly priority: number
        readonly action: { readonly type: string }
        readonly rules: readonly Rule[]
      }>
    }
  }>
}

function render (...written: Parameters<typeof exportSources>): Template {
  return JSON.parse(renderAzureFirewall(exportSources(...written))) as Template
}

function rulesOf ({ resources: [resource] }: Template): readonly Rule[] {
  return resource?.properties.ruleCollections[0]?.rules ?? []
}

const many = {
  registries: [contoso, { loginServer: 'fabrikam.azurecr.io', storage: 'any' as const }],
  extraHosts: ['a.example.com', 'b.example.com'],
  plainHosts: ['crl.example.com'],
}

t.test('each registry has a rule with exactly its names, by HTTPS at 443', async (t) => {
  const rules = rulesOf(render(many))
  t.same(rules.map(({ name, targetFqdns }) => [name, targetFqdns]), [
    ['https-contoso.azurecr.io', ['contoso.azurecr.io', 'contoso.eastus.data.azurecr.io']],
    ['https-certificate', ['azurecr.io']],
    ['https-fabrikam.azurecr.io', ['fabrikam.azurecr.io', '*.blob.core.windows.net']],
    ['https-extra', ['a.example.com', 'b.example.com']],
    ['http-extra', ['crl.example.com']],
  ])
  for (const { name, protocols } of rules) {
    t.same(protocols, [name.startsWith('https-') ? { protocolType: 'Https', port: 443 } : { protocolType: 'Http', port: 80 }])
  }
  t.match(rules[2]?.description, '* is any number of labels')
})

t.test('it is a template of one group that only allows, and every parameter that it uses is there', async (t) => {
  const template = render(many)
  t.equal(template.resources.length, 1)
  t.equal(template.resources[0]?.type, 'Microsoft.Network/firewallPolicies/ruleCollectionGroups')
  t.match(template.resources[0]?.properties.ruleCollections, [{ action: { type: 'Allow' }, priority: 100 }])
  const used = [...JSON.stringify(template.resources).matchAll(/parameters\('(\w+)'\)/g)].map(([, name]) => name)
  t.same([...new Set(used)].sort(), Object.keys(template.parameters).sort())
  const names = rulesOf(template).map(({ name }) => name)
  t.equal(new Set(names).size, names.length, 'names are unique')
  t.ok(names.every((name) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/.test(name)), names.join(' '))
})

t.test('sources are the networks of clients that a router passes on; without any, whoever deploys must say', async (t) => {
  const clients = ['127.0.0.0/8', '10.1.0.0/16', '10.0.0.0/8', '169.254.0.0/16', 'fd00::/8']
  t.same(render({ clients }).parameters['sourceAddresses']?.defaultValue, ['10.0.0.0/8'])
  t.notOk('defaultValue' in (render({ clients: ['127.0.0.0/8', '::1'] }).parameters['sourceAddresses'] ?? {}))
})

t.test('its metadata says what made it, how to load it, and what it cannot say', async (t) => {
  const { metadata } = render(many)
  t.match(metadata['origin'], ['Made by acr-egress 1.2.3 from /etc/acr-egress/config.yaml.'])
  t.match(String(metadata['load']), 'az deployment group create')
  t.match(String(metadata['limits']), 'A wildcard of Azure Firewall is anything on the left, also several labels')
  t.match(String(metadata['limits']), '*.blob.core.windows.net is the blobs of every Azure customer')
  t.notMatch(String(render().metadata['limits']), 'wildcard')
})
