import { text as readAll } from 'node:stream/consumers'
import { registryName } from '../acr/login-server.ts'
import { type EndpointList, maxEndpointListBytes, readEndpointLists } from '../config/endpoint-list.ts'
import { maxFileBytes } from '../config/load.ts'
import { escapeControls } from '../config/problem.ts'
import { createRegistryBlock, mergeRegistries } from '../config/registry-block.ts'
import { describeWriteFailure, replaceFile } from '../host/replace-file.ts'
import { readTextFile } from '../host/text-file.ts'
import { UsageError, parseArguments } from './args.ts'
import type { Command, Terminal } from './command.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import type { Help } from './help.ts'

const help = {
  words: { form: '[FILE|-]', takes: 'file' },
  paragraphs: [
    'Turns what az acr show-endpoints prints into the registries: of a configuration. Reads FILE, or standard input; ' +
      'several outputs may follow each other. Prints YAML, or puts the registries into a configuration file and keeps ' +
      'what else is in it, comments too.',
  ],
  flags: {
    into: {
      type: 'string',
      value: 'CONFIG',
      takes: 'file',
      description: 'the configuration file to put them into; it is replaced whole, and made if it is not there',
    },
  },
  exits: {
    [exitCode.ok]: 'it is done',
    [exitCode.usage]: 'bad usage, the input is not what az prints, or a file cannot be read or written',
  },
  examples: [
    { purpose: 'Print the registries of a configuration', line: 'az acr show-endpoints --name contoso | acr-egress import' },
    {
      purpose: 'Put them into this machine\'s configuration, and see what it lets through',
      line: 'acr-egress import endpoints.json --into /etc/acr-egress/config.yaml && acr-egress check',
    },
  ],
} satisfies Help

/** `acr-egress import`: from Azure's own list of endpoints to a configuration. */
export const importCommand: Command = {
  help,

  async run (argv, terminal) {
    const given = parseArguments(argv, help)
    const [file = '-', ...more] = given.words
    if (more.length > 0) throw new UsageError(`import takes one file; write the outputs of ${file} and ${more.join(', ')} into one`)
    const input = file === '-' ? await readInput(terminal) : await readTextFile(file, maxEndpointListBytes)
    if (!input.ok) return fail(terminal, file, input.message)
    const read = readEndpointLists(input.text)
    if (!read.ok) return fail(terminal, file === '-' ? 'standard input' : file, read.problem)
    warnOfStorage(terminal, read.lists)
    const into = given.value('into')
    if (into !== undefined) return await putInto(into, read.lists, terminal)
    terminal.stdout.write(createRegistryBlock(read.lists))
    return exitCode.ok
  },
}

type Input = { readonly ok: true, readonly text: string } | { readonly ok: false, readonly message: string }

async function readInput ({ stderr }: Terminal): Promise<Input> {
  if (process.stdin.isTTY) stderr.write('Paste the output of az acr show-endpoints, then press Ctrl-D.\n')
  const text = await readAll(process.stdin)
  return text.length > maxEndpointListBytes ? { ok: false, message: 'is too long; give it the output of az alone' } : { ok: true, text }
}

async function putInto (file: string, lists: readonly EndpointList[], terminal: Terminal): Promise<ExitCode> {
  const existing = await readTextFile(file, maxFileBytes)
  if (!existing.ok && !existing.isAbsent) return fail(terminal, file, existing.message)
  const merged = mergeRegistries(existing.ok ? existing.text : '', lists)
  if (!merged.ok) return fail(terminal, file, merged.problem)
  const hosts = [...new Set(lists.map(({ loginServer }) => loginServer.host))].join(', ')
  if (existing.ok && existing.text === merged.text) {
    terminal.stdout.write(`${escapeControls(file)} has ${hosts} as it is already; nothing was written.\n`)
    return exitCode.ok
  }
  try {
    await replaceFile(file, merged.text)
  } catch (error) {
    const problem = describeWriteFailure(error)
    if (problem === undefined) throw error
    return fail(terminal, file, problem)
  }
  terminal.stdout.write(`${escapeControls(file)} has ${hosts} now. See what it lets through: acr-egress check --config ${escapeControls(file)}\n`)
  return exitCode.ok
}

/** To leave it closed would make a configuration with which no layer can be pulled. */
function warnOfStorage ({ stderr }: Terminal, lists: readonly EndpointList[]): void {
  for (const { usesStorage, loginServer } of lists) {
    if (!usesStorage) continue
    const { host, cloud } = loginServer
    stderr.write(`warning: ${host} has no dedicated data endpoints, so storage: any opens *.${cloud.blobSuffix}, the blobs of every ` +
      `Azure customer; turn them on (az acr update --name ${registryName(loginServer)} --data-endpoint-enabled) and import again\n`)
  }
}

function fail ({ stderr }: Terminal, what: string, message: string): ExitCode {
  stderr.write(`acr-egress import: ${escapeControls(what)}: ${message}\n`)
  return exitCode.usage
}
