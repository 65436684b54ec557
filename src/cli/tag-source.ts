import { listTagNeed } from '../acr/address-tags.ts'
import { type Cloud, clouds } from '../acr/clouds.ts'
import type { TagNeed } from '../acr/tag-change.ts'
import { loadConfiguration } from '../config/load.ts'
import { escapeControls } from '../config/problem.ts'
import { type TagFile, readAnyTagFile } from '../tags/tag-file.ts'
import { type Arguments, UsageError, suggestion } from './args.ts'
import type { Terminal } from './command.ts'
import { printProblems } from './configuration-flags.ts'

/** A file of service tags, and what it is for. */
export interface TagSource {
  /** Its path. */
  readonly file: string
  readonly cloud: Cloud
  readonly need: TagNeed
}

/** The tags that matter to most gateways. */
export const usualTags = ['AzureContainerRegistry', 'Storage'] as const

/** The flags that say which file is meant. */
export const tagSourceFlags = {
  config: { type: 'string' }, file: { type: 'string' }, cloud: { type: 'string' }, json: { type: 'boolean' },
} as const

/**
 * The file of the flags, or of the configuration, whose own file of service tags is not read for that. When the
 * configuration is bad its problems are printed, and there is none.
 *
 * @throws UsageError when neither names a file.
 */
export async function findTagSource (given: Arguments, terminal: Terminal): Promise<TagSource | undefined> {
  const file = given.value('file')
  const cloud = readCloud(given.value('cloud'))
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

function readCloud (text = 'Public'): Cloud {
  const cloud = clouds.find(({ tagsName }) => tagsName === text)
  if (cloud !== undefined) return cloud
  const names = clouds.map(({ tagsName }) => tagsName)
  throw new UsageError(`--cloud ${text}: write ${names.join(', ')}${suggestion(text, names, '')}`)
}

/** Reads a file with all of its tags; when it cannot be read, says so. */
export async function readForPerson (file: string, terminal: Terminal): Promise<TagFile | undefined> {
  const reading = await readAnyTagFile(file, () => true)
  if (reading.ok) return reading.tagFile
  terminal.stderr.write(`${escapeControls(file)} ${reading.message}\n`)
  return undefined
}
