import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { loadConfiguration } from '../../../src/config/load.ts'
import { formatProblem } from '../../../src/config/problem.ts'

const docs = fileURLToPath(new URL('../../../docs', import.meta.url))

/** The blocks of a page that are whole configurations. */
function listConfigurations (page: string): string[] {
  const blocks = page.match(/^ {4}registries:\n(?: {4}.*\n)+/gm) ?? []
  return blocks.map((block) => block.replace(/^ {4}/gm, ''))
}

t.test('every configuration in the docs is a good one', async (t) => {
  const pages = readdirSync(docs).filter((name) => name.endsWith('.md'))
  const examples = pages.flatMap((name) => {
    return listConfigurations(readFileSync(join(docs, name), 'utf8')).map((text) => ({ name, text }))
  })
  for (const { name, text } of examples) {
    const loaded = await loadConfiguration({ file: join(t.testdir({ 'config.yaml': text }), 'config.yaml') })
    const problems = loaded.ok ? loaded.warnings : loaded.problems
    t.same(problems.map(formatProblem), [], `${name}:\n${text}`)
  }
  t.ok(examples.length >= 3, `${examples.length} configurations were seen`)
})
