#!/usr/bin/env node
import { UsageError, suggestion } from './cli/args.ts'
import { type ExitCode, type Terminal, exitCode } from './cli/command.ts'
import { commands } from './cli/commands.ts'
import { createStops } from './host/signals.ts'
import { version } from './version.ts'

const overview = `acr-egress ${version}: lets a locked-down network reach its Azure container registries, and nothing else

Usage: acr-egress COMMAND [FLAGS]

${commands.map(({ name, summary }) => `  ${name.padEnd(10)}${summary}`).join('\n')}

acr-egress COMMAND --help says more about a command.
A whole configuration:  acr-egress serve --registry contoso.azurecr.io --region eastus
`

/** Finds the command and runs it; a wrong word is answered with the right one. */
async function run (argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const [name = '', ...rest] = argv
  if (name === '' || name === '--help' || name === '-h' || name === 'help') {
    const output = name === '' ? terminal.stderr : terminal.stdout
    output.write(overview)
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
  const command = await entry.load()
  if (rest.includes('--help') || rest.includes('-h')) {
    terminal.stdout.write(command.help)
    return exitCode.ok
  }
  try {
    return await command.run(rest, terminal)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    terminal.stderr.write(`${error.message}\nSee acr-egress ${name} --help\n`)
    return exitCode.usage
  }
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
