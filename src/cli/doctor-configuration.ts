import type { Registry } from '../acr/endpoints.ts'
import { parseLoginServer } from '../acr/login-server.ts'
import { type LoadResult, loadConfiguration } from '../config/load.ts'
import type { Arguments } from './args.ts'
import { readLoadOptions } from './configuration-flags.ts'

/** A configuration, and which of its registries are meant. */
export interface NarrowedConfiguration {
  readonly result: LoadResult
  readonly registries: readonly Registry[]
  /** Whether they are as a file has them, and not as flags do. */
  readonly isFromFile: boolean
}

/**
 * Loads the configuration as every command does, but for --registry of a registry that the file has: it is then one of
 * the file's, with its regions and private endpoints, and not another one that has none of them.
 */
export async function loadNarrowed (given: Arguments): Promise<NarrowedConfiguration> {
  const options = readLoadOptions(given)
  const { registries: asked = [], regions = [], ...withoutRegistries } = options
  if (asked.length > 0 && regions.length === 0) {
    const hosts = new Set(asked.map(canonicalLoginServer))
    const result = await loadConfiguration(withoutRegistries)
    const registries = result.ok ? result.configuration.registries : []
    const known = registries.filter(({ loginServer }) => hosts.has(loginServer.host))
    if (known.length === hosts.size) return { result, registries: known, isFromFile: true }
  }
  const result = await loadConfiguration(options)
  return { result, registries: result.ok ? result.configuration.registries : [], isFromFile: asked.length === 0 }
}

/** What is none is left to the check of the configuration. */
function canonicalLoginServer (text: string): string {
  const parsed = parseLoginServer(text)
  return parsed.ok ? parsed.loginServer.host : text
}
