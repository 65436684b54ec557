import t, { type Test } from 'tap'
import { renderNsg } from '../../../src/export/nsg.ts'
import { ExportError } from '../../../src/export/sources.ts'
import { contoso, exportSources } from '../../support/export-sources.ts'
import { missingFiles, publishedFiles } from '../../support/service-tag-files.ts'
import { readPublished } from '../../support/service-tags.ts'

interface Rule {
  readonly name: string
  readonly properties: {
    readonly description: string
    readonly priority: number
    readonly access: string
    readonly direction: string
    readonly protocol: string
    readonly destinationAddressPrefix?: string
    readonly destinationAddressPrefixes?: readonly string[]
    readonly destinationPortRange: string
  }
}

interface Template {
  readonly parameters: Readonly<Record<string, unknown>>
  readonly metadata: Readonly<Record<string, unknown>>
  readonly resources: ReadonlyArray<{ readonly properties: { readonly securityRules: readonly Rule[] } }>
}

function render (...written: Parameters<typeof exportSources>): Template {
  return JSON.parse(renderNsg(exportSources(...written))) as Template
}

function rulesOf ({ resources: [resource] }: Template): readonly Rule[] {
  return resource?.properties.securityRules ?? []
}

/** Where to, and at which port. */
function listTargets (template: Template): ReadonlyArray<readonly [to: unknown, port: string]> {
  return rulesOf(template).map(({ properties: { destinationPortRange, ...to } }) => {
    return [to.destinationAddressPrefix ?? to.destinationAddressPrefixes, destinationPortRange]
  })
}

/** What Azure demands of the rules of one group and direction. */
function demandForm (t: Test, rules: readonly Rule[]): void {
  const names = rules.map(({ name }) => name.toLowerCase())
  t.equal(new Set(names).size, names.length, 'names are unique')
  t.ok(rules.every(({ name }) => /^\w(?:[\w.-]{0,78}\w)?$/.test(name)), names.join(' '))
  const priorities = rules.map(({ properties }) => properties.priority)
  t.equal(new Set(priorities).size, priorities.length, 'priorities are unique')
  t.ok(priorities.every((priority) => Number.isInteger(priority) && priority >= 100 && priority <= 4096), priorities.join(' '))
  t.same(priorities, [...priorities].sort((a, b) => a - b), 'the rules stand in their order')
  for (const { name, properties } of rules) {
    t.ok(properties.description.length <= 140, name)
    t.equal(properties.direction, 'Outbound')
    const prefixes = properties.destinationAddressPrefixes ?? []
    t.not(properties.destinationAddressPrefix === undefined, prefixes.length === 0, `${name} has either a tag or prefixes`)
    t.equal(new Set(prefixes.map((prefix) => prefix.includes(':'))).size, prefixes.length === 0 ? 0 : 1, `${name}: one family`)
  }
}

t.test('the rules go to the tags that the names lie in, then to nothing else on the Internet', async (t) => {
  const template = render()
  t.same(listTargets(template), [['AzureContainerRegistry', '443'], ['Storage', '443'], ['Internet', '*']])
  t.same(rulesOf(template).map(({ properties }) => properties.access), ['Allow', 'Allow', 'Deny'])
  t.equal(rulesOf(template).at(-1)?.properties.priority, 4096)
  demandForm(t, rulesOf(template))
})

t.test('regional tags are spelled as in the file, and as Microsoft builds such names without one', async (t) => {
  const registries = [{ ...contoso, regions: ['eastus', 'germanywestcentral'] }]
  const tags = { 'AzureContainerRegistry.EASTus': ['20.1.0.0/24'] }
  t.same(listTargets(render({ registries, tagScope: 'regional' })).slice(0, -1).map(([to]) => to), [
    'AzureContainerRegistry.EastUS', 'AzureContainerRegistry.GermanyWestCentral', 'Storage.EastUS', 'Storage.GermanyWestCentral',
  ])
  t.equal(listTargets(render({ registries, tagScope: 'regional', tags }))[0]?.[0], 'AzureContainerRegistry.EASTus')
})

t.test('private endpoints and name servers have rules of one family each', async (t) => {
  const registries = [{ ...contoso, privateEndpoints: ['10.1.2.0/24', '10.1.2.4', 'fd00::/64'] }]
  const template = render({ registries, nameServers: ['10.0.0.53', '10.0.1.53', 'fd00::53', '10.0.0.53 5353'] })
  t.same(listTargets(template).slice(2, -1), [
    [['10.1.2.0/24'], '443'], [['fd00::/64'], '443'], [['10.0.0.53', '10.0.1.53'], '53'], [['fd00::53'], '53'], [['10.0.0.53'], '5353'],
  ])
  t.same(rulesOf(template).map(({ properties }) => properties.protocol), ['Tcp', 'Tcp', 'Tcp', 'Tcp', '*', '*', '*', '*'])
  demandForm(t, rulesOf(template))
})

t.test('names without a tag are listed as not let through', async (t) => {
  const { metadata } = render({ extraHosts: ['packages.example.com'], plainHosts: ['crl.example.com'] })
  t.match(metadata['notLetThrough'], [/^packages\.example\.com: /, /^crl\.example\.com: /])
  t.notOk('notLetThrough' in render().metadata)
  t.match(String(metadata['limits']), 'The addresses of Storage hold the blobs of every Azure customer')
})

t.test('more rules than usual are still in range, and more than Azure takes are refused', async (t) => {
  const letters = 'abcdefghijklmnopqrstuvwxyz'
  const regions = [...letters].flatMap((first) => [...letters].map((second) => `zone${first}${second}`))
  const template = render({ registries: [{ ...contoso, regions: regions.slice(0, 499) }], tagScope: 'regional' })
  t.equal(rulesOf(template).length, 999)
  demandForm(t, rulesOf(template))
  t.throws(() => render({ registries: [{ ...contoso, regions: regions.slice(0, 500) }], tagScope: 'regional' }), ExportError)
  const privateEndpoints = Array.from({ length: 4001 }, (_, index) => `10.${index >> 8}.${index & 255}.4`)
  t.throws(() => render({ registries: [{ ...contoso, privateEndpoints }] }), ExportError)
  const most = render({ registries: [{ ...contoso, privateEndpoints: privateEndpoints.slice(1) }] })
  t.equal(rulesOf(most)[2]?.properties.destinationAddressPrefixes?.length, 4000)
})

t.test('a published file has every tag that is named', { skip: missingFiles }, async (t) => {
  const serviceTags = readPublished(publishedFiles.public20251028)
  const names = new Set(serviceTags.tags.map(({ name }) => name))
  const registries = [{ ...contoso, regions: ['eastus', 'francecentral', 'norwayeast', 'westus3', 'southeastasia'] }]
  for (const tags of [{}, { tags: { file: 'x', day: '2025-10-28', serviceTags } }]) {
    const sources = { ...exportSources({ registries, tagScope: 'regional' }), ...tags }
    const targets = listTargets(JSON.parse(renderNsg(sources)) as Template).slice(0, -1)
    t.equal(targets.length, 10)
    t.same(targets.map(([to]) => to).filter((to) => !names.has(String(to))), [])
  }
})
