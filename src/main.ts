#!/usr/bin/env node
import { UsageError, suggestion } from './cli/args.ts'
import type { Terminal } from './cli/command.ts'
import { commands } from './cli/commands.ts'
import { type ExitCode, exitCode } from './cli/exit-code.ts'
import { renderHelp, renderOverview } from './cli/help-text.ts'
import { chooseWidth } from './cli/text-layout.ts'
import { createStops } from './host/signals.ts'
import { version } from './version.ts'

/** Finds the command and runs it; a wrong word is answered with the right one. */
async function run (argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const [name = '', ...rest] = spellHelp(argv)
  if (name === '' || name === '--help' || name === '-h') {
    const output = name === '' ? terminal.stderr : terminal.stdout
    output.write(renderOverview(version, commands, chooseWidth(output)))
    return name === '' ? exitCode.usage : exitCode.ok
  }
  if (name === '--version') {
    terminal.stdout.write(`${version}\n`)
    return exitCode.ok
  }
  const entry = commands.find((one) => one.name === name)
  if (entry === undefined) {
    const hint = suggestion(name, commands.map((one) => one.name), 'acr-egress ')
    terminal.stderr.write(`${JSON.stringify(name)}: no such command${hint}\nSee acr-egress --help\n`)
    return exitCode.usage
  }
  const { help, run: runCommand } = await entry.load()
  const action = rest.find((word) => Object.hasOwn(help.actions ?? {}, word))
  if (rest.includes('--help') || rest.includes('-h')) {
    terminal.stdout.write(renderHelp(help, { command: name, action, width: chooseWidth(terminal.stdout) }))
    return exitCode.ok
  }
  try {
    return await runCommand(rest, terminal)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    const place = action === undefined ? name : `${name} ${action}`
    terminal.stderr.write(`${error.message}\nSee acr-egress ${place} --help\n`)
    return exitCode.usage
  }
}

/** `help`, `help COMMAND` and `help COMMAND ACTION` in the words of `--help`. */
function spellHelp (argv: readonly string[]): readonly string[] {
  const [first, ...rest] = argv
  if (first !== 'help') return argv
  return [...rest.filter((word) => !['help', '--help', '-h'].includes(word)), '--help']
}

let outputFailure: NodeJS.ErrnoException | undefined
process.stdout.on('error', (error) => { outputFailure ??= error })
// There is nobody left to be told.
process.stderr.on('error', () => {})

/**
 * Waits until standard output is written, and looks at the exit code in that light. A reader that goes away
 * (`acr-egress check | head`) has had what it wanted; any other failure must not look like success.
 */
async function settleOutput (code: ExitCode): Promise<ExitCode> {
  await new Promise<void>((resolve) => { process.stdout.write('', () => resolve()) })
  if (outputFailure === undefined || outputFailure.code === 'EPIPE') return code
  const what = `standard output could not be written (${outputFailure.code})`
  process.stderr.write(`acr-egress: ${what}; make room, or write it elsewhere\n`)
  return code === exitCode.ok ? exitCode.notWritten : code
}

const stops = createStops((code) => process.exit(code))
const code = await run(process.argv.slice(2), { stdout: process.stdout, stderr: process.stderr, takeStop: stops.take })
process.exit(await settleOutput(code))
