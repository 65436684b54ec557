import t from 'tap'
import { compareTag, findTagLack, findTagLoss, listTagChanges } from '../../../src/acr/tag-change.ts'
import { readPublished, tagsOf } from '../../support/service-tags.ts'
import { missingFiles, publishedFiles } from '../../support/service-tag-files.ts'

const acr = 'AzureContainerRegistry'
const need = { cloud: 'Public', names: ['A'] }

/** So many prefixes, one beside the other. */
function listPrefixes (count: number): string[] {
  return Array.from({ length: count }, (_, index) => `20.1.${index}.0/24`)
}

/** What is said of the loss when one list of prefixes follows another. */
function judgeLoss (before: readonly string[], after: readonly string[]): string | undefined {
  return findTagLoss(need, tagsOf({ A: before }), tagsOf({ A: after }))
}

t.test('a tag\'s prefixes that came and went are listed, as they are written', async (t) => {
  const before = tagsOf({ [acr]: ['20.1.0.0/24', '20.2.0.0/24', '2603::/64'] })
  const after = tagsOf({ [acr]: ['20.2.0.0/23', '2603::/64', '20.1.0.0/24', '2604::/64'] })
  const { tag, added, removed } = compareTag(acr.toLowerCase(), before, after)
  t.equal(tag, acr, 'in the spelling of the file')
  t.same(added.map(({ text }) => text), ['20.2.0.0/23', '2604::/64'])
  t.same(removed.map(({ text }) => text), ['20.2.0.0/24'])
})

t.test('a tag that comes or goes, does so with all its prefixes', async (t) => {
  const some = tagsOf({ A: ['20.1.0.0/24'] })
  const none = tagsOf({})
  t.match(compareTag('a', none, some), { tag: 'A', added: [{ text: '20.1.0.0/24' }], removed: [] })
  t.match(compareTag('a', some, none), { tag: 'A', added: [], removed: [{ text: '20.1.0.0/24' }] })
  t.same(compareTag('b', some, none), { tag: 'b', added: [], removed: [] })
})

t.test('only tags that have changed are told of, of those that were asked for', async (t) => {
  const before = tagsOf({ A: ['20.1.0.0/24'], B: ['20.2.0.0/24', '20.3.0.0/24'], C: ['20.4.0.0/24'] })
  const after = tagsOf({ C: ['20.5.0.0/24'], B: ['20.3.0.0/24', '20.2.0.0/24'], A: ['20.1.0.0/25'] })
  t.same(listTagChanges(['A', 'B'], before, after).map(({ tag }) => tag), ['A'])
  t.same(listTagChanges(['A', 'B', 'C', 'D'], before, before), [])
})

t.test('a file of another cloud, or without prefixes for a tag in use, cannot serve', async (t) => {
  const needs = { cloud: 'Public', names: ['A', 'B.eastus', 'C'] }
  t.equal(findTagLack(needs, tagsOf({ A: ['20.1.0.0/24'], 'B.EastUS': ['20.2.0.0/24'], C: ['::/0'] })), undefined)
  t.equal(findTagLack(needs, tagsOf({ A: ['20.1.0.0/24'], 'B.EastUS2': ['20.2.0.0/24'], C: [] })), 'has no prefixes for B.eastus, C')
  for (const [cloud, other] of [['Public', 'China'], ['China', 'AzureGovernment'], ['AzureGovernment', 'Public']] as const) {
    const message = `is for the cloud ${other}, and the registries are in ${cloud}`
    t.equal(findTagLack({ cloud, names: ['A'] }, tagsOf({ A: ['20.1.0.0/24'] }, other)), message)
    t.equal(findTagLack({ cloud, names: ['A'] }, tagsOf({ A: ['20.1.0.0/24'] }, cloud)), undefined)
  }
})

t.test('a tag may lose a quarter of its prefixes, and not one more', async (t) => {
  const table: ReadonlyArray<readonly [before: number, after: number, isLoss: boolean]> = [
    [8, 8, false], [8, 6, false], [8, 5, true], [100, 75, false], [100, 74, true], [4, 3, false], [4, 2, true],
    // Of so few a single one is more than a quarter.
    [3, 2, true], [1, 0, true],
  ]
  for (const [before, after, isLoss] of table) {
    const expected = isLoss ? `takes away ${before - after} of the ${before} prefixes of A` : undefined
    t.equal(judgeLoss(listPrefixes(before), listPrefixes(after)), expected, `${before} to ${after}`)
  }
})

t.test('a tag that vanishes loses everything; what is not in use may vanish', async (t) => {
  t.equal(findTagLoss(need, tagsOf({ A: ['20.1.0.0/24'] }), tagsOf({ B: ['20.1.0.0/24'] })), 'takes away 1 of the 1 prefixes of A')
  t.equal(findTagLoss(need, tagsOf({ A: ['20.1.0.0/24'], B: ['20.2.0.0/24'] }), tagsOf({ A: ['20.1.0.0/24'] })), undefined)
  t.equal(findTagLoss(need, tagsOf({}), tagsOf({ A: ['20.1.0.0/24'] })), undefined)
})

t.test('prefixes that were joined or split are not lost, and those of which only parts stay are', async (t) => {
  t.equal(judgeLoss(listPrefixes(8), ['20.1.0.0/16']), undefined, 'a wider one in place of all')
  t.equal(judgeLoss(['20.1.0.0/24'], ['20.1.0.0/25', '20.1.0.128/25']), undefined, 'two halves')
  t.equal(judgeLoss(['2603::/47'], ['2603::/48', '2603:0:1::/48']), undefined, 'two halves of IPv6')
  t.match(judgeLoss(['20.1.0.0/24'], ['20.1.0.0/25']), /takes away 1 of the 1/, 'one half')
  t.match(judgeLoss(['20.0.0.0/8'], ['20.0.0.0/32', '20.255.255.255/32']), /takes away 1 of the 1/, 'only its ends')
  t.match(judgeLoss(['20.1.0.0/24'], ['::ffff:20.1.0.0/120']), /takes away 1 of the 1/, 'of the other family')
})

t.test('additions make up for no loss', async (t) => {
  t.match(judgeLoss(listPrefixes(8), [...listPrefixes(5), '30.0.0.0/8', '31.0.0.0/8', '32.0.0.0/8']), /takes away 3 of the 8/)
})

t.test('a week in which prefixes came and went is taken as it was', { skip: missingFiles }, async (t) => {
  const before = readPublished(publishedFiles.public20250714)
  const after = readPublished(publishedFiles.public20250721)
  const changes = listTagChanges([acr, 'Storage'], before, after)
  t.same(changes.map(({ tag, added, removed }) => [tag, added.length, removed.length]), [[acr, 8, 4], ['Storage', 2, 3]])
  for (const [old, young] of [[before, after], [after, readPublished(publishedFiles.public20251028)]] as const) {
    t.equal(findTagLoss({ cloud: 'Public', names: [acr, 'Storage'] }, old, young), undefined)
  }
  t.match(findTagLoss({ cloud: 'Public', names: [acr] }, before, readPublished(publishedFiles.government20260720)), /^takes away \d+ of the 1128/)
})
