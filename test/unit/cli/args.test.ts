import t from 'tap'
import { UsageError, parseArguments, readAction, suggestion } from '../../../src/cli/args.ts'
import type { Help } from '../../../src/cli/help.ts'

const help = {
  paragraphs: [],
  flags: {
    config: { type: 'string', value: 'FILE', takes: 'file', description: 'a file' },
    registry: { type: 'string', value: 'LOGIN_SERVER', multiple: true, description: 'a registry' },
    cloud: { type: 'string', value: 'CLOUD', takes: ['Public', 'China'], description: 'a cloud' },
    json: { type: 'boolean', description: 'as JSON' },
  },
  exits: {},
  examples: [],
} as const satisfies Help

t.test('words and flags are told apart, wherever they stand', async (t) => {
  const given = parseArguments(['a', '--config', 'x.yaml', 'b', '--registry=r1', '--json', '--registry', 'r2'], help)
  t.same(given.words, ['a', 'b'])
  t.equal(given.value('config'), 'x.yaml')
  t.same(given.values('registry'), ['r1', 'r2'])
  t.ok(given.has('json'))
})

t.test('a flag that was not given has no value', async (t) => {
  const given = parseArguments([], help)
  t.notOk(given.has('json'))
  t.equal(given.value('config'), undefined)
  t.same(given.values('registry'), [])
})

t.test('-- ends the flags', async (t) => {
  t.same(parseArguments(['--json', '--', '--config'], help).words, ['--config'])
})

t.test('wrong words are told with what to write', async (t) => {
  const wrong: Record<string, readonly [argv: string[], message: RegExp]> = {
    'an unknown flag': [['--regisrty', 'x'], /^--regisrty: no such flag; did you mean --registry\?$/],
    'a flag like no other': [['--verbose'], /^--verbose: no such flag$/],
    'a name that every object has': [['--constructor'], /^--constructor: no such flag$/],
    'a missing value': [['--config'], /^--config: needs a value; write --config FILE$/],
    'an empty value': [['--config='], /needs a value/],
    'a flag in place of a value': [['--config', '--json'], /^--config: needs a value/],
    'a value for a switch': [['--json=yes'], /^--json: takes no value; write --json alone$/],
    'a value that is not of the closed list': [['--cloud', 'public'], /^--cloud public: write Public, China; did you mean Public\?$/],
    'a value like no other': [['--cloud=x'], /^--cloud x: write Public, China$/],
    'a value that would clear the screen': [['--cloud=\u001b[2J'], /^--cloud \\u001b\[2J: write Public, China$/],
    'a flag given twice': [['--config', 'a', '--config', 'b'], /^--config: given twice; write it once$/],
    'a switch given twice': [['--json', '--json'], /^--json: given twice/],
  }
  for (const [what, [argv, message]] of Object.entries(wrong)) {
    t.throws(() => parseArguments(argv, help), { name: 'UsageError', message }, what)
  }
  t.throws(() => parseArguments(['--x'], help), UsageError)
})

t.test('the nearest known word is suggested, or none', async (t) => {
  t.equal(suggestion('chekc', ['check', 'serve'], ''), '; did you mean check?')
  t.equal(suggestion('proxy', ['check', 'serve'], ''), '')
})

t.test('an action is the one that is named; else it is told what to write', async (t) => {
  const format = { summary: 'a format' }
  const many = { ...help, actions: { json: format, yaml: format, nftables: format } }
  t.equal(readAction('export', many, 'yaml'), 'yaml')
  const one = { ...help, flags: { host: { ...help.flags.registry, value: 'NAME', required: true }, json: help.flags.json }, actions: { init: format } }
  const wrong: ReadonlyArray<readonly [help: Help, word: string | undefined, message: string]> = [
    [many, undefined, 'export: say what to do; write acr-egress export json, yaml or nftables'],
    [many, 'yml', 'export yml: no such action; did you mean yaml?'],
    [many, 'constructor', 'export constructor: no such action; write acr-egress export json, yaml or nftables'],
    [one, undefined, 'export: say what to do; write acr-egress export init --host NAME...'],
    [one, 'x', 'export x: no such action; write acr-egress export init --host NAME...'],
  ]
  for (const [help, word, message] of wrong) t.throws(() => readAction('export', help, word), new UsageError(message))
})
