import t from 'tap'
import { listBundleTags, listEndpointTags, listServices, listTagNeed, noTags } from '../../../src/acr/address-tags.ts'
import { type EndpointClass, endpointClasses } from '../../../src/acr/endpoints.ts'
import { missingFiles, publishedFiles } from '../../support/service-tag-files.ts'
import { readPublished } from '../../support/service-tags.ts'
import { readRegistry } from '../policy/sources.ts'

const acr = 'AzureContainerRegistry'

t.test('the tags of each class of endpoint, by the scope', async (t) => {
  const registry = { regions: ['eastus', 'westeurope'] }
  const both = [`${acr}.eastus`, `${acr}.westeurope`]
  type Row = readonly [region: string, global: readonly string[], regional: readonly string[]]
  const table: Record<Exclude<EndpointClass, 'mcr'>, Row> = {
    login: ['', [acr], both],
    certificate: ['', [acr], [acr]],
    data: ['eastus', [acr, 'Storage'], [`${acr}.eastus`, 'Storage.eastus']],
    regional: ['westeurope', [acr], [`${acr}.westeurope`]],
    storage: ['', ['Storage'], ['Storage.eastus', 'Storage.westeurope']],
    entra: ['', [], []],
    revocation: ['', [], []],
    extra: ['', [], []],
    unlisted: ['', [], []],
  }
  for (const endpointClass of endpointClasses) {
    if (endpointClass === 'mcr') continue
    const [region, global, regional] = table[endpointClass]
    const isReportOnly = endpointClass === 'certificate'
    t.same(listEndpointTags({ class: endpointClass, region }, registry, 'global'), { names: global, isReportOnly }, endpointClass)
    t.same(listEndpointTags({ class: endpointClass, region }, registry, 'regional'), { names: regional, isReportOnly }, endpointClass)
  }
  t.same(noTags, { names: [], isReportOnly: false })
})

t.test('Microsoft\'s own registry is in two tags of the public cloud, in any scope, and in no other file', async (t) => {
  const cloudOf = (loginServer: string) => readRegistry({ loginServer }).loginServer.cloud
  const names = ['MicrosoftContainerRegistry', 'AzureFrontDoor.FirstParty']
  t.same(listBundleTags('mcr', [cloudOf('contoso.azurecr.io')]), { names, isReportOnly: false })
  t.same(listBundleTags('mcr', [cloudOf('contoso.azurecr.us')]), noTags)
  t.same(listBundleTags('entra', [cloudOf('contoso.azurecr.io')]), noTags)
  t.same(listBundleTags('revocation', [cloudOf('contoso.azurecr.io')]), noTags)
  const contoso = readRegistry({ loginServer: 'contoso.azurecr.io', regions: ['eastus'] })
  t.same(listTagNeed({ registries: [contoso], bundles: ['mcr', 'entra'] }, 'regional').names,
    [`${acr}.eastus`, acr, 'Storage.eastus', ...names])
})

t.test('a registry without regions has the tags of all of them', async (t) => {
  t.same(listEndpointTags({ class: 'login', region: '' }, { regions: [] }, 'regional').names, [acr])
  t.same(listEndpointTags({ class: 'storage', region: '' }, { regions: [] }, 'regional').names, ['Storage'])
})

t.test('registries need the tags of all their endpoints, each once, in the word of their cloud', async (t) => {
  const contoso = readRegistry({ loginServer: 'contoso.azurecr.io', regions: ['eastus'], regionalEndpoints: true })
  const fabrikam = readRegistry({ loginServer: 'fabrikam.azurecr.io', regions: ['westus2', 'eastus'], storage: 'any' })
  t.same(listTagNeed({ registries: [contoso, fabrikam], bundles: [] }, 'global'), { cloud: 'Public', names: [acr, 'Storage'] })
  t.same(listTagNeed({ registries: [contoso, fabrikam], bundles: [] }, 'regional'), {
    cloud: 'Public',
    names: [`${acr}.eastus`, acr, 'Storage.eastus', `${acr}.westus2`, 'Storage.westus2'],
  })
  const bare = readRegistry({ loginServer: 'contoso.azurecr.io' })
  t.same(listTagNeed({ registries: [bare], bundles: [] }, 'global').names, [acr], 'layers that cannot be pulled need no tag')
  t.same(listServices([bare]), [acr])
  t.same(listServices([fabrikam]), [acr, 'Storage'])
  for (const [suffix, cloud] of [['io', 'Public'], ['us', 'AzureGovernment'], ['cn', 'China']] as const) {
    t.equal(listTagNeed({ registries: [readRegistry({ loginServer: `contoso.azurecr.${suffix}` })], bundles: [] }, 'global').cloud, cloud)
  }
})

t.test('published files have prefixes for every tag that a registry may need', { skip: missingFiles }, async (t) => {
  const world = readPublished(publishedFiles.public20251028)
  const regions = world.tags.filter(({ name }) => name.startsWith(`${acr}.`)).map(({ region }) => region)
  const everywhere = readRegistry({ loginServer: 'contoso.azurecr.io', regions, regionalEndpoints: true, storage: 'any' })
  for (const name of listTagNeed({ registries: [everywhere], bundles: ['mcr'] }, 'regional').names) {
    if ((world.find(name)?.blocks.blocks.length ?? 0) === 0) t.fail(`nothing for ${name}`)
  }
  const virginia = readRegistry({ loginServer: 'contoso.azurecr.us', regions: ['usgovvirginia'], storage: 'any' })
  const government = readPublished(publishedFiles.government20260720)
  for (const name of listTagNeed({ registries: [virginia], bundles: [] }, 'regional').names) t.ok(government.find(name)?.blocks.blocks[0], name)
})
