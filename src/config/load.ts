import { dirname, join, resolve } from 'node:path'
import { readTextFile } from '../host/text-file.ts'
import { checkSettings } from './check.ts'
import { listDuplicateRegistries, listWarnings } from './comparisons.ts'
import { type Configuration, createConfiguration, createRegistries } from './configuration.ts'
import { parseSettings } from './document.ts'
import { type ConfigurationFlags, overrideSettings, readFlags } from './flags.ts'
import { type Finding, type Problem, escapeControls, formatPath, formatProblem } from './problem.ts'
import { loadPasswordFile } from './password-file.ts'
import { type CheckedSettings, addressesSchema, clientsSchema, stateSchema } from './schema.ts'
import { type Settings, isMapping, unreadSettings } from './settings.ts'
import { type TagUse, loadTagFile } from './tag-file.ts'
import { loadTlsFiles } from './tls-files.ts'
import { listProxyLoops, loadUpstreamProxy } from './upstream-proxy.ts'

/** Where the configuration is looked for when nobody says. */
export const defaultFile = '/etc/acr-egress/config.yaml'

export interface LoadOptions extends ConfigurationFlags {
  /** The configuration file. Absent: `defaultFile`, if it is there. */
  readonly file?: string
  /** In place of /etc/acr-egress/config.yaml. */
  readonly defaultFile?: string
  /** Milliseconds of the wall clock, for the dates of certificates and service tags. */
  readonly now?: () => number
  /** Leaves the file of service tags unread: for whoever is about to fetch it. */
  readonly skipTagFile?: boolean
  /** The folders that systemd gives the service (`STATE_DIRECTORY`, systemd.exec(5)); the process's own unless told. */
  readonly stateDirectory?: string
}

export type LoadResult =
  | {
    readonly ok: true
    readonly configuration: Configuration
    readonly warnings: readonly Problem[]
    /** What was read, for a line of the log: `/etc/acr-egress/config.yaml and flags`. */
    readonly source: string
  }
  | {
    readonly ok: false
    readonly problems: readonly Problem[]
  }

/** A configuration is a few screens long; what is a thousand times that is another file. */
export const maxFileBytes = 1024 * 1024
const maxProblems = 100

/**
 * Reads the file and the flags, and the files that they name, and makes one checked value of them. All problems come
 * at once, in the order of the file. Never rejects for anything that a person wrote.
 */
export async function loadConfiguration (options: LoadOptions): Promise<LoadResult> {
  const flags = readFlags(options)
  const file = await readSettings(options)
  const settings = overrideSettings(file.settings, flags)
  const result = checkSettings(settings.value)
  const now = options.now ?? Date.now
  const tls = await loadTlsFiles(settings, file.folder, now)
  const parent = await loadUpstreamProxy(settings, file.folder)
  const serviceTagsFile = readPath(settings, file.folder, 'addresses', 'serviceTagsFile', addressesSchema)
  const tags = await loadTagFile({
    file: options.skipTagFile === true ? undefined : serviceTagsFile,
    use: result.ok ? readTagUse(result.checked) : undefined,
    now,
  })
  const stateFile = readStatePath(settings, file.folder, options)
  const passwordFile = readPath(settings, file.folder, 'clients', 'passwordFile', clientsSchema)
  const passwords = await loadPasswordFile(passwordFile)
  const findings = [
    ...result.ok ? [] : result.findings, ...listDuplicateRegistries(settings), ...tls.problems, ...tags.problems,
    ...passwords.findings, ...parent.problems, ...result.ok ? listProxyLoops(result.checked) : [],
    ...listStateMisuses(stateFile, { 'file of service tags': serviceTagsFile, 'password file': passwordFile }),
  ]
  const problems = [...flags.problems, ...file.problems, ...nameOrigins(findings, settings), ...passwords.problems]
  if (!result.ok || problems.length > 0) return refuse(problems)
  const warnings = [
    ...listWarnings(result.checked, settings), ...tls.warnings, ...tags.warnings, ...passwords.warnings,
  ]
  return {
    ok: true,
    configuration: createConfiguration(result.checked, {
      tls: tls.files,
      serviceTagsFile,
      tagFile: tags.tagFile,
      stateFile,
      passwordFile: passwords.passwordFile,
      upstreamProxy: parent.proxy,
    }),
    warnings: sortByPlace(nameOrigins(warnings, settings)),
    source: file.source,
  }
}

/** What a file says, as far as it could be read. */
interface SettingsFile {
  readonly settings: Settings
  readonly problems: readonly Problem[]
  /** Where relative paths begin. */
  readonly folder: string
  readonly source: string
}

async function readSettings (options: LoadOptions): Promise<SettingsFile> {
  const file = options.file ?? options.defaultFile ?? defaultFile
  const hasRegistries = options.registries !== undefined && options.registries.length > 0
  const hasFlags = hasRegistries || options.listen !== undefined || options.admin !== undefined
  const content = await readTextFile(file, maxFileBytes)
  const origin = { folder: dirname(resolve(file)), source: hasFlags ? `${file} and flags` : file }
  if (content.ok) return { ...origin, ...parseSettings(content.text, file) }
  if (!content.isAbsent || options.file !== undefined) {
    return { ...origin, settings: unreadSettings, problems: [{ place: { file }, key: '', message: content.message }] }
  }
  if (!hasRegistries) return { ...origin, settings: unreadSettings, problems: [describeNothing(file)] }
  return { folder: process.cwd(), source: 'flags', settings: noSettings, problems: [] }
}

const noSettings: Settings = { value: {}, locate: (path) => ({ key: formatPath(path) }) }

function describeNothing (file: string): Problem {
  return {
    key: '',
    message: `there is no configuration: ${escapeControls(file)} does not exist, and no --registry is given; write ` +
      '--registry contoso.azurecr.io --region eastus, or --config FILE with a file that begins with registries:',
  }
}

/** The path of the file that a section names, when it is named as it should be. */
function readPath<Key extends string> (
  { value }: Settings, folder: string, name: string, key: Key, { shape }: { readonly shape: Record<Key, PathField> },
): string | undefined {
  const section = isMapping(value) ? value[name] : undefined
  const named = isMapping(section) ? shape[key].safeParse(section[key]).data : undefined
  return named === undefined ? undefined : resolve(folder, named)
}

/** The field of a key that names a file. */
interface PathField {
  safeParse (value: unknown): { readonly data?: string | undefined }
}

/** The file for what was seen: the one that is named, or else the one of the folder that systemd gives. */
function readStatePath (
  settings: Settings, folder: string, { stateDirectory = process.env['STATE_DIRECTORY'] }: LoadOptions,
): string | undefined {
  const named = readPath(settings, folder, 'state', 'file', stateSchema)
  if (named !== undefined) return named
  const [first = ''] = stateDirectory?.split(':') ?? []
  return first === '' ? undefined : join(first, stateFileName)
}

const stateFileName = 'sightings.json'

/** The file for what was seen is written, whatever is in it. */
function listStateMisuses (
  stateFile: string | undefined, others: Readonly<Record<string, string | undefined>>,
): Finding[] {
  return Object.entries(others).filter(([, file]) => stateFile !== undefined && file === stateFile).map(([what]) => {
    return { path: ['state', 'file'], message: `is the ${what}, which the gateway would overwrite; write another one` }
  })
}

/** Where the parent proxy resolves there are no addresses to hold against tags. */
function readTagUse ({ registries, bundles = [], addresses, upstreamProxy }: CheckedSettings): TagUse {
  const { scope, maxAge } = addresses
  const mode = upstreamProxy?.resolve === 'parent' ? 'off' : addresses.mode
  return { registries: createRegistries(registries), bundles, mode, scope, maxAgeMs: maxAge }
}

/** The findings as problems; nothing is said of what could not be read. */
function nameOrigins (findings: readonly Finding[], settings: Settings): Problem[] {
  return findings.flatMap(({ path, isKey, message }) => {
    const origin = settings.locate(path, isKey)
    return origin === undefined ? [] : [{ ...origin, message }]
  })
}

/** File by file, in the order of each; what the command line brought comes first. */
function sortByPlace (problems: readonly Problem[]): Problem[] {
  const files = [...new Set(problems.map(({ place }) => place?.file))]
  const rankOf = (file: string | undefined): number => file === undefined ? -1 : files.indexOf(file)
  return [...problems].sort(({ place: a }, { place: b }) => {
    return rankOf(a?.file) - rankOf(b?.file) || (a?.line ?? 0) - (b?.line ?? 0) || (a?.column ?? 0) - (b?.column ?? 0)
  })
}

/** A flag for several registries can be wrong several times: each line is said once, and so many lines at most. */
function refuse (problems: readonly Problem[]): LoadResult {
  const distinct = [...new Map(sortByPlace(problems).map((problem) => [formatProblem(problem), problem])).values()]
  const rest = distinct.length - maxProblems
  if (rest <= 0) return { ok: false, problems: distinct }
  const more = { key: '', message: `there are ${rest} more problems; mend these first, then run acr-egress check` }
  return { ok: false, problems: [...distinct.slice(0, maxProblems), more] }
}
