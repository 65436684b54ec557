/**
 * `node report.js RESULTS.json` prints Markdown; with `--docs DIR` it rewrites DIR/performance.md between its marks,
 * and the pictures in DIR/performance.
 */
import { parseArgs } from 'node:util'
import { renderMarkdown } from './report/markdown.js'
import { PageError, rewritePage } from './report/page.js'
import { ResultsError, readResults } from './results.js'

const usage = 'node bench/report.js RESULTS.json [--docs DIR]'

function main (args) {
  let wish
  try {
    wish = parseArgs({ args, options: { docs: { type: 'string' } }, allowPositionals: true })
  } catch (error) {
    console.error(`${error.message.split('. ', 1)[0]}\n${usage}`)
    return 2
  }
  const [path, ...more] = wish.positionals
  if (path === undefined || more.length > 0) {
    console.error(`one results file is needed\n${usage}`)
    return 2
  }
  try {
    report(readResults(path), wish.values.docs)
    return 0
  } catch (error) {
    if (!(error instanceof PageError) && !(error instanceof ResultsError)) throw error
    console.error(error.message)
    return 1
  }
}

function report (results, docs) {
  if (docs === undefined) console.log(renderMarkdown(results))
  else for (const file of rewritePage(results, docs)) console.log(file)
}

process.exitCode = main(process.argv.slice(2))
