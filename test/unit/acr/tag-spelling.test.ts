import t from 'tap'
import { spellTag } from '../../../src/acr/tag-spelling.ts'
import { missingFiles, publishedFiles } from '../../support/service-tag-files.ts'
import { readPublished } from '../../support/service-tags.ts'

t.test('a region is spelled as Microsoft does, a name without one and a region of unknown words stay as they are', async (t) => {
  const table = [
    ['AzureContainerRegistry.eastus', 'AzureContainerRegistry.EastUS'],
    ['Storage.southcentralus', 'Storage.SouthCentralUS'],
    ['Storage.southeastasia', 'Storage.SoutheastAsia'],
    ['Storage.westus3', 'Storage.WestUS3'],
    ['AzureContainerRegistry.usgovvirginia', 'AzureContainerRegistry.USGovVirginia'],
    ['AzureContainerRegistry.chinaeast2', 'AzureContainerRegistry.ChinaEast2'],
    ['Storage', 'Storage'],
    ['Storage.atlantis', 'Storage.atlantis'],
    ['Storage.eastatlantis', 'Storage.eastatlantis'],
    ['AzureFrontDoor.FirstParty', 'AzureFrontDoor.FirstParty'],
    ['Storage.', 'Storage.'],
  ] as const
  for (const [name, spelled] of table) t.equal(spellTag(name), spelled)
})

t.test('every region of the services in the published files is spelled as there', { skip: missingFiles }, async (t) => {
  for (const file of [publishedFiles.public20251028, publishedFiles.government20260720]) {
    const names = readPublished(file).tags.map(({ name }) => name)
      .filter((name) => /^(?:AzureContainerRegistry|Storage|MicrosoftContainerRegistry)\./.test(name))
    t.ok(names.length > 10, `${names.length} names`)
    const lower = names.map((name) => name.replace(/\..*/, (suffix) => suffix.toLowerCase()))
    t.same(lower.map(spellTag), names)
  }
})
