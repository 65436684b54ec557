import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = fileURLToPath(new URL('../../..', import.meta.url))
/** Folders that are nobody's page. */
const skipped = new Set(['node_modules', '.git', '.tap', 'dist', 'coverage'])

function listPages (folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : listPages(path)
    return entry.name.endsWith('.md') ? [path] : []
  })
}

/** The text without what is shown as it stands: blocks of code, fenced or indented, and code within a line. */
function dropCode (text: string): string {
  return text
    .replace(/^(```|~~~)[^]*?^\1/gm, '')
    .replace(/(?<=^|\n)\n(?: {4,}.*\n?)+/g, '\n')
    .replace(/(`+)(?!`).*?[^`]\1(?!`)/g, 'code')
}

interface Link {
  readonly target: string
  readonly line: number
}

/** Links and pictures, inline or by reference; addresses of other hosts are none of ours. */
function listLinks (text: string): Link[] {
  const inline = [...dropCode(text).matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)]
  const references = [...dropCode(text).matchAll(/^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?\s*$/gm)]
  return [...inline, ...references]
    .map(([, target = '']) => ({ target, line: text.slice(0, text.indexOf(target)).split('\n').length }))
    .filter(({ target }) => !/^[a-z][a-z0-9+.-]*:/i.test(target))
}

/** The anchors that GitHub gives to the headings of a page; the second of a kind ends with -1. */
function listAnchors (text: string): Set<string> {
  const seen = new Map<string, number>()
  const anchors = new Set([...text.matchAll(/<a\s+(?:id|name)="([^"]+)"/g)].map(([, id = '']) => id))
  for (const [, heading = ''] of text.replace(/^(```|~~~)[^]*?^\1/gm, '').matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, '')
    const slug = plain.toLowerCase().replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replaceAll(' ', '-')
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    anchors.add(count === 0 ? slug : `${slug}-${count}`)
  }
  return anchors
}

/** What is wrong with a link, if anything. */
function judgeLink (page: string, target: string): string | undefined {
  const [path = '', anchor] = target.split('#')
  const file = path === '' ? page : resolve(dirname(page), decodeURIComponent(path))
  if (relative(root, file).startsWith('..')) return 'leads out of the project'
  if (!existsSync(file)) return 'leads nowhere'
  if (anchor === undefined) return undefined
  if (statSync(file).isDirectory() || !file.endsWith('.md')) return 'has an anchor into what has none'
  return listAnchors(readFileSync(file, 'utf8')).has(anchor) ? undefined : `has no such anchor in ${relative(root, file)}`
}

t.test('every relative link of every page leads somewhere', async (t) => {
  const pages = listPages(root)
  const links = pages.flatMap((page) => listLinks(readFileSync(page, 'utf8')).map((link) => ({ page, ...link })))
  const broken = links.flatMap(({ page, line, target }) => {
    const problem = judgeLink(page, target)
    return problem === undefined ? [] : [`${relative(root, page)}:${line}: ${target} ${problem}`]
  })
  t.same(broken, [])
  t.ok(links.length > 50, `${links.length} links were seen`)
})

t.test('every page of docs is in its index, by the question it answers', async (t) => {
  const index = readFileSync(join(root, 'docs/README.md'), 'utf8')
  const listed = new Set(listLinks(index).map(({ target }) => target))
  const pages = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md') && name !== 'README.md')
  t.same(pages.filter((name) => !listed.has(name)), [])
})

t.test('links are told from code, and anchors are those of GitHub', async (t) => {
  const text = [
    '# A `code` & *more*, (twice)', '## Again', '## Again', '', '[a](b.md) ![c](d.svg "t") `[e](f.md)` ``[g](`h.md)``',
    '', '    [i](j.md)', '', '```', '[k](l.md)', '# no', '```', '[m]: n.md', '<a id="o"></a> [p](https://q.example) [r](#s)', '',
  ].join('\n')
  t.same(listLinks(text).map(({ target }) => target), ['b.md', 'd.svg', '#s', 'n.md'])
  t.equal(listLinks(text)[0]?.line, 5)
  t.same([...listAnchors(text)], ['o', 'a-code--more-twice', 'again', 'again-1'])
  const page = join(root, 'docs/README.md')
  t.match(judgeLink(page, 'none.md'), 'leads nowhere')
  t.match(judgeLink(page, '../../x.md'), 'leads out of the project')
  t.match(judgeLink(page, 'refusals.md#none'), 'has no such anchor in docs/refusals.md')
  t.match(judgeLink(page, 'flow.svg#x'), 'has an anchor into what has none')
  t.equal(judgeLink(page, 'refusals.md#bad_request'), undefined)
  t.equal(judgeLink(page, '#questions'), undefined)
})
