import t, { type Test } from 'tap'
import { UsageError } from '../../../src/cli/args.ts'
import type { CommandEntry } from '../../../src/cli/command.ts'
import { commands } from '../../../src/cli/commands.ts'
import { createCompletionCommand } from '../../../src/cli/completion.ts'
import { exitCode } from '../../../src/cli/exit-code.ts'
import { runHere } from '../../support/command-run.ts'
import { type CompletingShell, completingShells, isInstalled } from '../../support/shell-completion.ts'

async function renderScript (shell: string, own: readonly CommandEntry[] = commands): Promise<string> {
  const { code, stdout, stderr } = await runHere(createCompletionCommand(own), [shell])
  if (code !== exitCode.ok || stderr !== '') throw new Error(stderr)
  return stdout
}

/** Runs the test for each shell that is here. */
function testShells (sentence: string, test: (t: Test, shell: CompletingShell) => Promise<void>): void {
  for (const shell of completingShells) {
    t.test(`${shell.name}: ${sentence}`, async (t) => {
      if (!isInstalled(shell)) t.plan(0, `there is no ${shell.name} here`)
      else await test(t, shell)
    })
  }
}

const names = commands.map(({ name }) => name)
const clouds = ['AzureGovernment', 'China', 'Public']

/** What each beginning of a line is completed to. */
const expected: ReadonlyArray<readonly [line: string, words: readonly string[]]> = [
  ['acr-egress ser', ['serve']],
  ['acr-egress ', [...names, 'help'].sort()],
  ['acr-egress serve --re', ['--region', '--registry']],
  ['acr-egress tags ', ['diff', 'refresh', 'show']],
  ['acr-egress tags refresh --f', ['--file', '--force', '--from']],
  ['acr-egress tags refresh --cloud ', clouds],
  ['acr-egress tags show --cloud Az', ['AzureGovernment']],
  ['acr-egress serve --config conf', ['config.yaml']],
  ['acr-egress check --registry contoso.azurecr.io --endpoints e', ['endpoints.json']],
  ['acr-egress import end', ['endpoints.json']],
  ['acr-egress tags diff endpoints.json conf', ['config.yaml']],
  ['acr-egress certs init --dir c', ['certs']],
  ['acr-egress serve --registry ', []],
  ['acr-egress explain ', []],
  ['acr-egress tags nothing ', []],
  ['acr-egress completion ', ['bash', 'fish', 'zsh']],
  ['acr-egress help ', [...names].sort()],
  ['acr-egress help tags s', ['show']],
]

/** Without what some shells show at the end of a word that goes on: a flag with a value, or a folder. */
function unify (words: readonly string[] = []): readonly string[] {
  return words.map((word) => word.replace(/[=/]$/, ''))
}

testShells('commands, actions, flags, closed values and files are completed', async (t, shell) => {
  const folder = t.testdir({ 'config.yaml': '', 'endpoints.json': '', certs: { deep: {} } })
  const found = await shell.complete(await renderScript(shell.name), folder, expected.map(([line]) => line))
  for (const [index, [line, words]] of expected.entries()) t.same(unify(found[index]), words, line)
})

testShells('a value may be joined to its flag by =', async (t, shell) => {
  const folder = t.testdir({ 'config.yaml': '' })
  const lines = ['acr-egress tags show --cloud=Az', 'acr-egress serve --config=conf']
  const found = await shell.complete(await renderScript(shell.name), folder, lines)
  t.same(found, [['--cloud=AzureGovernment'], ['--config=config.yaml']])
})

testShells('a file\'s name with a space is one word', async (t, shell) => {
  const folder = t.testdir({ 'the config.yaml': '' })
  const [found] = await shell.complete(await renderScript(shell.name), folder, ['acr-egress serve --config the'])
  t.same(found?.map((word) => word.replaceAll('\\', '')), ['the config.yaml'])
})

/** Every character that means something to some shell. */
const nasty = 'a [list]: $HOME `id` "quoted" \'so\' \\n %s (x) {y} !! ~ #'

const strange: readonly CommandEntry[] = [{
  name: 'strange',
  summary: nasty,
  load: async () => ({
    help: {
      words: { form: nasty, takes: ['one', 'two'] },
      paragraphs: [nasty],
      flags: {
        first: { type: 'boolean', description: nasty },
        from: { type: 'string', value: 'A:[B]', takes: ['x-1', 'x-2'], description: nasty },
      },
      exits: {},
      examples: [],
    },
    run: async () => exitCode.ok,
  }),
}]

testShells('the script is one that the shell can read, whatever stands in the descriptions', async (t, shell) => {
  const folder = t.testdir()
  t.equal(shell.findFault(await renderScript(shell.name), folder), '')
  const script = await renderScript(shell.name, strange)
  t.equal(shell.findFault(script, folder), '')
  t.match(shell.findFault('if true; then (', folder), 'script', 'a fault would be seen')
  const lines = ['acr-egress str', 'acr-egress strange --f', 'acr-egress strange --from x', 'acr-egress strange t']
  const found = await shell.complete(script, folder, lines)
  t.same(found.map(unify), [['strange'], ['--first', '--from'], ['x-1', 'x-2'], ['two']])
})

t.test('a shell that is not known, or a word too much, is told with what to write', async (t) => {
  const command = createCompletionCommand(commands)
  const table: ReadonlyArray<readonly [argv: readonly string[], message: string]> = [
    [[], 'completion: say what to do; write acr-egress completion bash, zsh or fish'],
    [['zhs'], 'completion zhs: no such action; did you mean zsh?'],
    [['powershell'], 'completion powershell: no such action; write acr-egress completion bash, zsh or fish'],
    [['bash', 'now'], 'completion bash: now is too much; write acr-egress completion bash'],
    [['bash', '--help-me'], '--help-me: no such flag'],
  ]
  for (const [argv, message] of table) await t.rejects(runHere(command, argv), new UsageError(message), argv.join(' '))
})
