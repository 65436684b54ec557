import { type LoadOptions, defaultFile } from '../config/load.ts'
import { type Problem, formatProblem } from '../config/problem.ts'
import type { Arguments, Flag } from './args.ts'
import type { Terminal } from './command.ts'

/** The flags of every command that works on a configuration. */
export const configurationFlags = {
  config: { type: 'string' },
  registry: { type: 'string', multiple: true },
  region: { type: 'string', multiple: true },
  listen: { type: 'string' },
  admin: { type: 'string' },
} as const satisfies Record<string, Flag>

/** Their lines in a command's help. */
export const configurationFlagsHelp = `\
  --config FILE            the configuration; else ${defaultFile}, if it is there
  --registry LOGIN_SERVER  let this registry through, in place of those of the file; may be given several times
  --region REGION          a region of the registries given by --registry; may be given several times
  --listen ADDR:PORT       where clients connect; PORT alone keeps the address of the file
  --admin ADDR:PORT        where metrics, health and the status page are; PORT alone likewise`

/** What the flags say, for `loadConfiguration`. */
export function readLoadOptions (given: Arguments): LoadOptions {
  const file = given.value('config')
  const listen = given.value('listen')
  const admin = given.value('admin')
  return {
    ...file === undefined ? {} : { file },
    registries: given.values('registry'),
    regions: given.values('region'),
    ...listen === undefined ? {} : { listen },
    ...admin === undefined ? {} : { admin },
  }
}

/** Writes problems to standard error, one a line. */
export function printProblems (terminal: Terminal, problems: readonly Problem[]): void {
  for (const problem of problems) terminal.stderr.write(`${formatProblem(problem)}\n`)
}

/** Likewise, each marked as a warning: it stops nothing. */
export function printWarnings (terminal: Terminal, warnings: readonly Problem[]): void {
  for (const warning of warnings) terminal.stderr.write(`warning: ${formatProblem(warning)}\n`)
}
