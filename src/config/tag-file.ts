import { type TagUsers, listServices, listTagNeed } from '../acr/address-tags.ts'
import { listUnregionalBlocks } from '../acr/service-tags.ts'
import { type TagFile, type TagFileReading, readAnyTagFile, readTagFile } from '../tags/tag-file.ts'
import type { Configuration } from './configuration.ts'
import { formatDuration } from './duration.ts'
import { type Finding, escapeControls } from './problem.ts'

export interface TagFileOptions {
  /** Its absolute path; absent when it is not named, or not as it should be. */
  readonly file: string | undefined
  /** What it is needed for; absent when other settings are bad, so that this is not known. */
  readonly use: TagUse | undefined
  /** Milliseconds of the wall clock, for the file's age. */
  readonly now: () => number
}

/** What the settings say of the use of service tags. */
export type TagUse = TagUsers & Pick<Configuration['addresses'], 'mode' | 'scope' | 'maxAgeMs'>

export interface LoadedTagFile {
  /** Absent unless it is named, good and used. */
  readonly tagFile?: TagFile
  readonly problems: readonly Finding[]
  readonly warnings: readonly Finding[]
}

const filePath = ['addresses', 'serviceTagsFile'] as const
const nothing: LoadedTagFile = { problems: [], warnings: [] }

/** Reads the file of service tags, and sees that it serves for what it is needed for. Never rejects. */
export async function loadTagFile ({ file, use, now }: TagFileOptions): Promise<LoadedTagFile> {
  if (file === undefined || use?.mode === 'off') return nothing
  const misuses = use === undefined ? [] : listMisuses(use)
  const reading = use === undefined || misuses.length > 0
    ? await readAnyTagFile(file, () => false)
    : await readTagFile(file, listTagNeed(use, use.scope))
  const problems = [...misuses, ...reading.ok ? [] : [describeFile(file, reading)]]
  if (!reading.ok || use === undefined || problems.length > 0) return { problems, warnings: [] }
  const warnings = [...listAgeWarnings(reading.tagFile, use, now()), ...await listScopeWarnings(file, use)]
  return { tagFile: reading.tagFile, problems, warnings }
}

function describeFile (file: string, { message }: Extract<TagFileReading, { ok: false }>): Finding {
  return { path: filePath, message: escapeControls(`${file} ${message}`) }
}

/** What no file could serve for. */
function listMisuses ({ registries, scope }: TagUse): Finding[] {
  const clouds = [...new Set(registries.map(({ loginServer }) => loginServer.cloud.name))]
  const findings: Finding[] = clouds.length < 2
    ? []
    : [{ path: filePath, message: `a file is for one cloud, and the registries are in ${clouds.join(' and ')}; run a gateway for each cloud, or write mode: off` }]
  if (scope !== 'regional') return findings
  const homeless = registries.flatMap(({ regions }, index) => regions.length === 0 ? [index] : [])
  return [...findings, ...homeless.map((index) => ({
    path: ['registries', index],
    message: 'has no regions, and addresses.scope is regional; write its regions, or scope: global',
  }))]
}

function listAgeWarnings ({ datedAt }: TagFile, { maxAgeMs }: TagUse, now: number): Finding[] {
  if (now - datedAt <= maxAgeMs) return []
  const day = new Date(datedAt).toISOString().slice(0, 10)
  return [{ path: filePath, message: `the file is of ${day}, which is more than ${formatDuration(maxAgeMs)} ago; fetch a new one with acr-egress tags refresh` }]
}

/** Addresses of registries that lie in no region are the price of looking at regions only. */
async function listScopeWarnings (file: string, { registries, scope }: TagUse): Promise<Finding[]> {
  if (scope !== 'regional') return []
  const services = listServices(registries)
  const reading = await readAnyTagFile(file, (name) => services.includes(name.split('.')[0] ?? ''))
  if (!reading.ok) return []
  return services.flatMap((service) => {
    const blocks = listUnregionalBlocks(reading.tagFile.serviceTags, service)
    if (blocks.length === 0) return []
    const what = blocks.length === 1 ? `1 prefix of ${service} lies` : `${blocks.length} prefixes of ${service} lie`
    return [{
      path: ['addresses', 'scope'],
      message: `${what} in no region, or not wholly, and an endpoint there may be refused; ` +
        `write global, or keep in mind ${blocks.map(({ text }) => text).join(', ')}`,
    }]
  })
}
