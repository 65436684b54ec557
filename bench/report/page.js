/** The page in the documentation that shows results. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chartFiles, chartFolder, makeCharts } from './charts.js'
import { renderMarkdown } from './markdown.js'

const pageName = 'performance.md'
const begin = '<!-- results: begin -->'
const end = '<!-- results: end -->'

/** A page that cannot be rewritten; the message says what it lacks. */
export class PageError extends Error {}

/** Rewrites the part of the page between its two marks, and the pictures; returns what it wrote. */
export function rewritePage (results, docs) {
  const page = join(docs, pageName)
  const text = replaceBetweenMarks(readPage(page), renderMarkdown(results), page)
  const folder = join(docs, chartFolder)
  mkdirSync(folder, { recursive: true })
  // Those of an earlier run that this one has not.
  for (const file of chartFiles) rmSync(join(folder, file), { force: true })
  const charts = makeCharts(results)
  for (const { file, svg } of charts) writeFileSync(join(folder, file), svg)
  writeFileSync(page, text)
  return [page, ...charts.map(({ file }) => join(folder, file))]
}

function readPage (page) {
  try {
    return readFileSync(page, 'utf8')
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    throw new PageError(`there is no ${page}; --docs names the directory it is in`)
  }
}

function replaceBetweenMarks (text, part, page) {
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new PageError(`${page} needs the lines ${begin} and ${end}, in this order`)
  return `${text.slice(0, from + begin.length)}\n\n${part.trim()}\n\n${text.slice(to)}`
}
