import t from 'tap'
import { UsageError, parseArguments, suggestion } from '../../../src/cli/args.ts'

const flags = { config: { type: 'string' }, registry: { type: 'string', multiple: true }, json: { type: 'boolean' } } as const

t.test('words and flags are told apart, wherever they stand', async (t) => {
  const given = parseArguments(['a', '--config', 'x.yaml', 'b', '--registry=r1', '--json', '--registry', 'r2'], flags)
  t.same(given.words, ['a', 'b'])
  t.equal(given.value('config'), 'x.yaml')
  t.same(given.values('registry'), ['r1', 'r2'])
  t.ok(given.has('json'))
})

t.test('a flag that was not given has no value', async (t) => {
  const given = parseArguments([], flags)
  t.notOk(given.has('json'))
  t.equal(given.value('config'), undefined)
  t.same(given.values('registry'), [])
})

t.test('-- ends the flags', async (t) => {
  t.same(parseArguments(['--json', '--', '--config'], flags).words, ['--config'])
})

t.test('wrong words are told with what to write', async (t) => {
  const wrong: Record<string, readonly [argv: string[], message: RegExp]> = {
    'an unknown flag': [['--regisrty', 'x'], /^--regisrty: no such flag; did you mean --registry\?$/],
    'a flag like no other': [['--verbose'], /^--verbose: no such flag$/],
    'a name that every object has': [['--constructor'], /^--constructor: no such flag$/],
    'a missing value': [['--config'], /^--config: needs a value; write --config VALUE$/],
    'an empty value': [['--config='], /needs a value/],
    'a flag in place of a value': [['--config', '--json'], /^--config: needs a value/],
    'a value for a switch': [['--json=yes'], /^--json: takes no value; write --json alone$/],
    'a flag given twice': [['--config', 'a', '--config', 'b'], /^--config: given twice; write it once$/],
    'a switch given twice': [['--json', '--json'], /^--json: given twice/],
  }
  for (const [what, [argv, message]] of Object.entries(wrong)) {
    t.throws(() => parseArguments(argv, flags), { name: 'UsageError', message }, what)
  }
  t.throws(() => parseArguments(['--x'], flags), UsageError)
})

t.test('the nearest known word is suggested, or none', async (t) => {
  t.equal(suggestion('chekc', ['check', 'serve'], ''), '; did you mean check?')
  t.equal(suggestion('proxy', ['check', 'serve'], ''), '')
})
