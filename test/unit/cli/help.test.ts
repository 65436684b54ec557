import t from 'tap'
import { parseArguments } from '../../../src/cli/args.ts'
import { commands } from '../../../src/cli/commands.ts'
import { exitCode } from '../../../src/cli/exit-code.ts'
import { type Help, listExits, listFlags, listUsage } from '../../../src/cli/help.ts'
import { renderHelp, renderOverview } from '../../../src/cli/help-text.ts'
import { listCalls } from '../../support/shell-words.ts'

const loaded = await Promise.all(commands.map(async ({ name, load }) => ({ name, help: (await load()).help })))
const actionsOf = ({ actions = {} }: Help): readonly string[] => Object.keys(actions)

t.test('every command has a usage, exit codes and an example, and every action an example', async (t) => {
  for (const { name, help } of loaded) {
    t.ok(help.paragraphs.length > 0, name)
    t.same(listUsage(name, help)[0]?.slice(0, 2), ['acr-egress', name])
    const codes = listExits(help).map(([code]) => code)
    for (const code of [exitCode.ok, exitCode.usage, exitCode.notWritten]) t.ok(codes.includes(code), `${name} ${code}`)
    t.same(codes, [...codes].sort())
    for (const place of [name, ...actionsOf(help).map((action) => `${name} ${action}`)]) {
      t.ok(help.examples.some(({ line }) => `${line} `.includes(`acr-egress ${place} `)), place)
    }
  }
})

t.test('the calls in a line for a shell are found, whatever is around them', async (t) => {
  const table: ReadonlyArray<readonly [line: string, calls: readonly string[][]]> = [
    ['acr-egress a --b c', [['a', '--b', 'c']]],
    ['az x | sudo acr-egress a \'b c\' > /etc/d && acr-egress e "f g"; h', [['a', 'b c'], ['e', 'f g']]],
    ['source <(acr-egress a b)', [['a', 'b']]],
    ['HTTPS_PROXY=http://x:1 acr-egress a; eval "$(acr-egress b c)"', [['a'], ['b', 'c']]],
    ['echo acr-egress a', []],
  ]
  for (const [line, calls] of table) t.same(listCalls(line), calls, line)
  for (const line of ['acr-egress $HOME', 'acr-egress *.json', 'acr-egress "`id`"', 'acr-egress a & acr-egress b']) {
    t.throws(() => listCalls(line), line)
  }
})

t.test('every example calls a command that is there, with words and flags that it reads', async (t) => {
  for (const { name, help } of loaded) {
    for (const { line, purpose } of help.examples) {
      const calls = listCalls(line)
      t.ok(calls.some(([command]) => command === name), `${name}: ${line}`)
      for (const [command, ...argv] of calls) {
        const called = loaded.find((one) => one.name === command)?.help
        t.ok(called, line)
        if (called !== undefined) checkCall(called, argv)
      }
      t.notMatch(purpose, /[.:]$/, 'the help sets the stop')
    }
  }

  function checkCall (help: Help, argv: readonly string[]): void {
    const action = actionsOf(help).length === 0 ? undefined : argv[0]
    if (action !== undefined) t.ok(actionsOf(help).includes(action), action)
    const flags = listFlags(help, action)
    const given = parseArguments(argv, { flags })
    for (const [name, flag] of Object.entries(flags)) {
      if (flag.type === 'string' && flag.required === true) t.ok(given.has(name), `${argv.join(' ')} has --${name}`)
    }
  }
})

t.test('what is told of flags and actions is half a sentence in lower case, which the help can go on with', async (t) => {
  for (const { name, help } of loaded) {
    for (const action of [undefined, ...actionsOf(help)]) {
      for (const [flag, { description, type, ...more }] of Object.entries(listFlags(help, action))) {
        t.match(description, /^[^A-Z].*[^.:;]$/, `${name} --${flag}`)
        if (type === 'string') t.match((more as { value: string }).value, /^[A-Z][A-Z_:]*$/, `${name} --${flag}`)
      }
    }
    for (const { summary } of Object.values(help.actions ?? {})) t.match(summary, /^[a-z].*[^.:;]$/)
    for (const [, meaning] of listExits(help)) t.match(meaning, /^[a-z].*[^.:;]$/)
  }
})

t.test('a help keeps to its width, but for commands to be copied', async (t) => {
  for (const { name, help } of loaded) {
    for (const action of [undefined, ...actionsOf(help)]) {
      for (const width of [40, 80, 100]) {
        const lines = renderHelp(help, { command: name, action, width }).split('\n')
        const long = lines.filter((line) => line.length > width && !/^ {4}\S/.test(line))
        t.same(long.filter((line) => /\S\s+\S/.test(line.trim())), [], `${name} ${action} in ${width}`)
        t.ok(lines.every((line) => line.length <= 120 && line === line.trimEnd()), `${name} ${action} in ${width}`)
      }
    }
  }
  const overview = renderOverview('1.2.3', commands, 80)
  for (const { name, summary } of commands) t.match(overview, new RegExp(`^ {2}${name} +${summary}`, 'm'))
  for (const line of overview.split('\n')) t.ok(line.length <= 86, line)
})

const json = { type: 'boolean', description: 'as JSON' } as const
const sample = {
  paragraphs: ['Says things.', [['one', 'the first thing'], ['three', 'the third']]],
  actions: {
    show: { summary: 'show a thing', words: { form: '[THING]' }, paragraphs: ['Shows a thing, well.'], flags: { json } },
    drop: {
      summary: 'drop things',
      flags: { from: { type: 'string', value: 'PLACE', takes: ['here', 'there'], multiple: true, required: true, description: 'where' } },
    },
  },
  flags: { quiet: { type: 'boolean', description: 'say nothing' } },
  exits: { 0: 'it is done', 2: 'bad usage' },
  examples: [
    { purpose: 'To see', line: 'acr-egress things show' },
    { purpose: 'To be rid of it', line: 'acr-egress things drop --from here' },
  ],
} as const satisfies Help

t.test('a command\'s help tells of all its actions, and which of them has a flag', async (t) => {
  t.equal(renderHelp(sample, { command: 'things', width: 80 }), `\
Usage: acr-egress things show [THING] [--quiet] [--json]
       acr-egress things drop --from PLACE... [--quiet]

Says things.

  one    the first thing
  three  the third

Actions:
  show  show a thing
  drop  drop things

acr-egress things ACTION --help says more about an action.

Flags:
  --quiet       say nothing
  --json        show: as JSON
  --from PLACE  drop: where; one of here, there; may be given several times
  -h, --help    print this, and do nothing else

Exit codes:
  0  it is done
  2  bad usage
  4  it is done, but standard output could not be written

Examples:
  To see:
    acr-egress things show
  To be rid of it:
    acr-egress things drop --from here
`)
})

t.test('an action\'s help is about that action alone', async (t) => {
  t.equal(renderHelp(sample, { command: 'things', action: 'show', width: 40 }), `\
Usage: acr-egress things show [THING]
         [--quiet] [--json]

Shows a thing, well.

Flags:
  --quiet
      say nothing
  --json
      as JSON
  -h, --help
      print this, and do nothing else

Exit codes:
  0  it is done
  2  bad usage
  4  it is done, but standard output
     could not be written

Examples:
  To see:
    acr-egress things show
`)
  t.match(renderHelp(sample, { command: 'things', action: 'drop', width: 80 }), /\n\ndrop: drop things\.\n\nSays things\.\n/)
})

t.test('actions that differ in their names only share one form of usage', async (t) => {
  const help = { ...sample, actions: { json: { summary: 'as JSON' }, yaml: { summary: 'as YAML' } } }
  t.same(listUsage('export', help), [['acr-egress', 'export', 'json|yaml', '[--quiet]']])
  t.same(listUsage('export', help, 'yaml'), [['acr-egress', 'export', 'yaml', '[--quiet]']])
  const text = renderHelp(help, { command: 'export', action: 'yaml', width: 80 })
  t.match(text, 'acr-egress things show', 'without an example of its own it has those of all')
})
