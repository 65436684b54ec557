import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { stringify } from 'yaml'
import { listKeys } from '../../../src/config/key-list.ts'
import { loadConfiguration } from '../../../src/config/load.ts'
import { formatProblem } from '../../../src/config/problem.ts'

const file = join(t.testdir({}), 'config.yaml')

/** Loads the text; what comes is a configuration or problems that can be printed, never an exception. */
async function isHandled (text: string): Promise<boolean> {
  await writeFile(file, text)
  const result = await loadConfiguration({ file })
  if (result.ok) return true
  return result.problems.length > 0 && result.problems.every((problem) => {
    return formatProblem(problem).startsWith(`${file}:`) && !/[\p{Cc}]|undefined|\[object/u.test(problem.message)
  })
}

const knownNames = [...new Set(listKeys().flatMap(({ path }) => path.replaceAll('[]', '').split('.')))]
const plausible = fc.constantFrom<unknown>(
  'contoso.azurecr.io', 'eastus', '10.0.0.0/8', '10s', '0s', 'any', 'none', '::', '*', 443, 0, -1, true, null, [], {},
)

const { document } = fc.letrec((tie) => ({
  document: fc.dictionary(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...knownNames) }, fc.string()), tie('value'), { maxKeys: 6 }),
  value: fc.oneof(
    { depthSize: 'small' },
    plausible,
    fc.oneof(fc.string({ unit: 'binary' }), fc.double(), fc.boolean(), fc.constant(null)),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('document'),
  ),
}))

t.test('any map of keys, right or wrong, is loaded or refused in words', async () => {
  await fc.assert(fc.asyncProperty(document, async (value) => await isHandled(stringify(value))), { numRuns: 400 })
})

t.test('so is any value', async () => {
  await fc.assert(fc.asyncProperty(fc.jsonValue(), async (value) => await isHandled(stringify(value))))
})

t.test('so is any text', async () => {
  const scraps = fc.array(fc.constantFrom(
    'registries', ':', ' ', '\n', '\n  ', '\t', '- ', '[', ']', '{', '}', ',', '"', '\'', '*a', '&a ', '!!set', '!x', '#', '---\n', '%YAML 1.1\n',
    '|\n', '>', '?', '<<', 'listen', '1e999', '~', '\u0000', '\ufeff', '\\',
  )).map((parts) => parts.join(''))
  await fc.assert(fc.asyncProperty(fc.oneof(scraps, fc.string({ unit: 'binary' })), isHandled), { numRuns: 500 })
})
