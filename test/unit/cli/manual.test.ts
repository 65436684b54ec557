import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'
import type { CommandEntry } from '../../../src/cli/command.ts'
import { commands } from '../../../src/cli/commands.ts'
import { exitCode } from '../../../src/cli/exit-code.ts'
import { listFlags } from '../../../src/cli/help.ts'
import { createConfigurationManual } from '../../../src/cli/configuration-manual.ts'
import { createManual } from '../../../src/cli/manual.ts'
import { listKeys } from '../../../src/config/key-list.ts'
import { version } from '../../../src/version.ts'

const root = new URL('../../../', import.meta.url)
const configurationManual = createConfigurationManual(version)
const manual = await createManual({ version, commands })
const hasMandoc = spawnSync('mandoc', ['-T', 'lint'], { input: '' }).error === undefined

/** What mandoc finds wrong with a page, each as a line. */
function lint (page: string): string {
  return spawnSync('mandoc', ['-T', 'lint', '-W', 'warning'], { input: page, encoding: 'utf8' }).stdout
}

/** The page as it is read on a terminal, without its bold and underlined letters. */
function render (page: string): string {
  const { stdout } = spawnSync('mandoc', ['-T', 'ascii', '-O', 'width=200'], { input: page, encoding: 'utf8' })
  return stdout.replace(/.[\b]/g, '')
}

t.test('the pages in man/ are what commands and schema say; if not, npm run generate', async (t) => {
  t.equal(readFileSync(new URL('man/acr-egress.1', root), 'utf8'), manual)
  t.equal(readFileSync(new URL('man/acr-egress-config.5', root), 'utf8'), configurationManual)
})

t.test('npm installs the pages', async (t) => {
  const { man, files } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { man: string[], files: string[] }
  t.same(man, ['./man/acr-egress.1', './man/acr-egress-config.5'])
  t.ok(files.includes('man'))
})

t.test('mandoc finds no fault in them', async (t) => {
  if (!hasMandoc) {
    t.plan(0, 'there is no mandoc here')
    return
  }
  t.equal(lint(manual), '')
  t.equal(lint(configurationManual), '')
  t.match(lint('.TH X 1\n.PP\n.SH NAME\n'), 'WARNING', 'a fault would be seen')
})

t.test('acr-egress(1) has every command with its actions, flags, exit codes and examples, and they read as they are typed', async (t) => {
  if (!hasMandoc) {
    t.plan(0, 'there is no mandoc here')
    return
  }
  const text = render(manual)
  const headings = ['NAME', 'SYNOPSIS', 'DESCRIPTION', 'COMMANDS', 'EXIT STATUS', 'ENVIRONMENT', 'FILES', 'EXAMPLES', 'SEE ALSO']
  t.same(text.split('\n').filter((line) => /^[A-Z ]+$/.test(line) && line.trim() !== ''), headings)
  for (const { name, load } of commands) {
    const { help } = await load()
    const section = new RegExp(`^ {3}${name}\n(?:(?: {4}.*)?\n)*`, 'm').exec(text)?.[0] ?? ''
    t.match(section, `acr-egress ${name} `, name)
    for (const action of [undefined, ...Object.keys(help.actions ?? {})]) {
      if (action !== undefined) t.match(section, new RegExp(`^ {7}${action}\\b`, 'm'), `${name} ${action}`)
      for (const flag of Object.keys(listFlags(help, action))) t.match(section, new RegExp(`^ {7}--${flag}\\b`, 'm'), `${name} --${flag}`)
    }
    for (const { line } of help.examples) t.match(text, `\n           ${line}\n`, line)
  }
})

t.test('acr-egress-config(5) has every key with its default', async (t) => {
  if (!hasMandoc) {
    t.plan(0, 'there is no mandoc here')
    return
  }
  const text = render(configurationManual)
  for (const { path, isRequired } of listKeys()) {
    const entry = text.split('\n').findIndex((line) => line === `       ${path}` || line.startsWith(`       ${path} `))
    t.ok(entry > 0, path)
    if (isRequired) t.match(text.split('\n').slice(entry, entry + 2).join(), 'required', path)
  }
  t.match(text, /^ {7}listen\.port\n +\(0 to 65535; default 443\)$/m)
  t.notMatch(text, '`')
})

t.test('no character of a description is taken for one of the page\'s own', async (t) => {
  if (!hasMandoc) {
    t.plan(0, 'there is no mandoc here')
    return
  }
  const nasty = '.SH a \\fBslash\\fR, \'quotes\' "and" `more` ~ ^ -- %'
  const line = '\'x\' | acr-egress strange --a-b "$HOME" \\'
  const strange: CommandEntry = {
    name: 'strange',
    summary: 'be strange',
    load: async () => ({
      help: {
        paragraphs: [nasty, [[nasty, nasty]]],
        actions: { do: { summary: nasty, paragraphs: [nasty, nasty, [[nasty, nasty]]] } },
        flags: { 'a-b': { type: 'boolean', description: nasty } },
        exits: { 0: nasty },
        examples: [{ purpose: nasty, line }],
      },
      run: async () => exitCode.ok,
    }),
  }
  const page = await createManual({ version, commands: [strange] })
  t.equal(lint(page), '')
  const text = render(page)
  t.equal(text.split(nasty).length - 1, 10)
  t.match(text, `           ${line}\n`)
})
