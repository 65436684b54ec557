import t from 'tap'
import { clouds } from '../../../src/acr/clouds.ts'
import { findLinks, findPage, listLastResorts } from '../../../src/tags/download-page.ts'

const [azure, government, china] = clouds as [typeof clouds[0], typeof clouds[0], typeof clouds[0]]
const folder = 'https://download.microsoft.com/download/7/1/d/71d86715'
const page = (text: string) => ({ url: 'https://www.microsoft.com/en-us/download/details.aspx?id=56519', text })
const hrefs = (links: readonly URL[]): string[] => links.map(({ href }) => href)

t.test('each cloud has its page at Microsoft, and the public one a last resort', (t) => {
  t.same(clouds.map((cloud) => findPage(cloud).search), ['?id=56519', '?id=57063', '?id=57062'])
  t.same(clouds.map((cloud) => listLastResorts(cloud).length), [1, 0, 0])
  t.end()
})

t.test('a link is found as an attribute, in a script, and with escapes', (t) => {
  const link = `${folder}/ServiceTags_Public_20251028.json`
  const table = [
    `<a href="${link}">`, `<a href='${link}'>`, `<a href=${link}>`, `{"url":"${link}","size":"4 MB"}`,
    `{"url":"${link.replaceAll('/', '\\/')}"}`, `{"url":"${link.replaceAll('/', '\\u002F')}"}`,
    `<div data-x="{&quot;url&quot;:&quot;${link}&quot;}">`,
  ]
  for (const text of table) t.same(hrefs(findLinks(page(text), azure)), [link], text)
  t.end()
})

t.test('the newest come first, each once, and three at most', (t) => {
  const text = ['20250707', '20250721', '20250714', '20250721', '20250630']
    .map((day) => `<a href="${folder}/ServiceTags_Public_${day}.json">`).join('\n')
  t.same(hrefs(findLinks(page(text), azure)).map((href) => /\d{8}/.exec(href.slice(-15))?.[0]), ['20250721', '20250714', '20250707'])
  t.end()
})

t.test('only the cloud that is meant, and at Microsoft only the download host over https', (t) => {
  const text = [
    `"${folder}/ServiceTags_AzureGovernment_20260720.json"`,
    '"http://download.microsoft.com/ServiceTags_Public_20260101.json"',
    '"https://download.microsoft.com.example/ServiceTags_Public_20260101.json"',
    '"https://download.microsoft.com@evil.example/ServiceTags_Public_20260101.json"',
    '"https://download.microsoft.com:8443/ServiceTags_Public_20260101.json"',
    '"/download/ServiceTags_Public_20260101.json"', '"https://[/ServiceTags_Public_20260101.json"',
  ].join('\n')
  t.same(findLinks(page(text), azure), [])
  t.same(findLinks(page(text), china), [])
  t.same(hrefs(findLinks(page(text), government)), [`${folder}/ServiceTags_AzureGovernment_20260720.json`])
  t.end()
})

t.test('on a mirror only links to the same origin count', (t) => {
  const mirror = new URL('https://mirror.example:8443/tags/')
  const text = ['"ServiceTags_Public_20250714.json"', '"//mirror.example/ServiceTags_Public_20250721.json"',
    `"${folder}/ServiceTags_Public_20250728.json"`, '"http://mirror.example:8443/ServiceTags_Public_20250804.json"'].join(' ')
  t.same(hrefs(findLinks({ url: mirror.href, text }, azure, mirror)), ['https://mirror.example:8443/tags/ServiceTags_Public_20250714.json'])
  t.end()
})

t.test('a long page of what is no link is read in no time', (t) => {
  const before = performance.now()
  for (const text of ['"'.repeat(1e6), '= '.repeat(1e6), ' '.repeat(1e6), '"ServiceTags_Public_'.repeat(1e5)]) {
    t.same(findLinks(page(text), azure), [])
  }
  t.ok(performance.now() - before < 5000)
  t.end()
})
