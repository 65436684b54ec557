import { type LoadOptions, defaultFile } from '../config/load.ts'
import { type Problem, formatProblem } from '../config/problem.ts'
import type { Arguments } from './args.ts'
import type { Terminal } from './command.ts'
import type { Flag, Flags } from './help.ts'

/** The flags of every command that works on a configuration. */
export const configurationFlags = {
  config: {
    type: 'string',
    value: 'FILE',
    takes: 'file',
    description: `the configuration; else ${defaultFile}, if it is there`,
  },
  registry: {
    type: 'string',
    value: 'LOGIN_SERVER',
    multiple: true,
    description: 'let this registry through, in place of those of the file',
  },
  region: {
    type: 'string',
    value: 'REGION',
    multiple: true,
    description: 'a region of the registries given by --registry',
  },
  listen: {
    type: 'string',
    value: 'ADDR:PORT',
    description: 'where clients connect; PORT alone keeps the address of the file',
  },
  admin: {
    type: 'string',
    value: 'ADDR:PORT',
    description: 'where metrics, health and the status page are; PORT alone keeps the address of the file',
  },
} as const satisfies Flags

/** What every command says that prints one document when it is asked to. */
export const jsonFlag = { type: 'boolean', description: 'print one JSON document' } as const satisfies Flag

/** What the flags say, for `loadConfiguration`. */
export function readLoadOptions (given: Arguments<keyof typeof configurationFlags>): LoadOptions {
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
