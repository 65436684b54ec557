import { listTagNeed } from '../acr/address-tags.ts'
import { type Cloud, clouds } from '../acr/clouds.ts'
import type { TagNeed } from '../acr/tag-change.ts'
import { loadConfiguration } from '../config/load.ts'
import { escapeControls } from '../config/problem.ts'
import { type TagFile, readAnyTagFile } from '../tags/tag-file.ts'
import { type Arguments, UsageError } from './args.ts'
import type { Terminal } from './command.ts'
import { configurationFlags, printProblems } from './configuration-flags.ts'
import type { Flags } from './help.ts'

/** A file of service tags, and what it is for. */
export interface TagSource {
  /** Its path. */
  readonly file: string
  readonly cloud: Cloud
  readonly need: TagNeed
}

/** The tags that matter to most gateways. */
export const usualTags = ['AzureContainerRegistry', 'Storage'] as const

/** Unless told otherwise. */
const [publicCloud] = clouds

/** The flags that say which file is meant. */
export const tagSourceFlags = {
  config: configurationFlags.config,
  file: {
    type: 'string',
    value: 'FILE',
    takes: 'file',
    description: 'a file of service tags, in place of that of the configuration',
  },
  cloud: {
    type: 'string',
    value: 'CLOUD',
    takes: clouds.map(({ tagsName }) => tagsName),
    description: `with --file, the cloud that it is for, ${publicCloud.tagsName} when left out`,
  },
} as const satisfies Flags

/**
 * The file of the flags, or of the configuration, whose own file of service tags is not read for that. When the
 * configuration is bad its problems are printed, and there is none.
 *
 * @throws UsageError when neither names a file.
 */
export async function findTagSource (
  given: Arguments<keyof typeof tagSourceFlags>, terminal: Terminal,
): Promise<TagSource | undefined> {
  const file = given.value('file')
  const cloud = clouds.find(({ tagsName }) => tagsName === given.value('cloud')) ?? publicCloud
  if (file !== undefined) return { file, cloud, need: { cloud: cloud.tagsName, names: usualTags } }
  if (given.has('cloud')) throw new UsageError('--cloud goes with --file; the registries of a configuration say which cloud it is')
  const config = given.value('config')
  const loaded = await loadConfiguration({ ...config === undefined ? {} : { file: config }, skipTagFile: true })
  if (!loaded.ok) {
    printProblems(terminal, loaded.problems)
    terminal.stderr.write('acr-egress tags needs no configuration with --file FILE, and --cloud CLOUD if it is not Public\n')
    return undefined
  }
  const { registries, bundles, addresses: { serviceTagsFile, scope } } = loaded.configuration
  if (serviceTagsFile === undefined) {
    throw new UsageError('the configuration names no file of service tags; write addresses: {serviceTagsFile: FILE} there, or --file FILE')
  }
  const names = [...new Set(registries.map(({ loginServer }) => loginServer.cloud.tagsName))]
  if (names.length > 1) {
    throw new UsageError(`a file is for one cloud, and the registries are in ${names.join(' and ')}; write --file FILE and --cloud CLOUD`)
  }
  const need = listTagNeed({ registries, bundles }, scope)
  return { file: serviceTagsFile, cloud: clouds.find(({ tagsName }) => tagsName === need.cloud) ?? cloud, need }
}

/** Reads a file with all of its tags; when it cannot be read, says so. */
export async function readForPerson (file: string, terminal: Terminal): Promise<TagFile | undefined> {
  const reading = await readAnyTagFile(file, () => true)
  if (reading.ok) return reading.tagFile
  terminal.stderr.write(`${escapeControls(file)} ${reading.message}\n`)
  return undefined
}
