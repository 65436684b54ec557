import { type Cidr, parseCidr } from '../net/cidr.ts'
import { type CidrSet, coversBlock, createCidrSet, emptyCidrSet } from '../net/cidr-set.ts'

/** The addresses of one Azure service, everywhere or in one region. */
export interface ServiceTag {
  /** As Microsoft writes it: `AzureContainerRegistry.WestEurope`. */
  readonly name: string
  /** As in the names of endpoints: `westeurope`; '' for a tag of all regions. */
  readonly region: string
  /** Microsoft's own count of changes; it has repeated and gone backwards, so it is shown and never compared. */
  readonly changeNumber: number
  readonly blocks: CidrSet
}

/** What one of Microsoft's files of service tags says, as far as it was asked for. */
export interface ServiceTags {
  /** In the file's own word: `Public`, `AzureGovernment`, `China`. */
  readonly cloud: string
  readonly changeNumber: number
  /** The tag of this name, however it is capitalised. */
  find (name: string): ServiceTag | undefined
  /** In the order of the file. */
  readonly tags: readonly ServiceTag[]
}

/** The tags, or what is wrong with the text, in half a sentence. */
export type ParsedServiceTags =
  | { readonly ok: true, readonly serviceTags: ServiceTags }
  | { readonly ok: false, readonly problem: string }

/**
 * Reads the JSON of "Azure IP Ranges and Service Tags", as Microsoft has published it since 2019. Of the 3,000 tags
 * only those that are wanted are kept, and only they are looked at closely: one bad prefix of theirs spoils all.
 */
export function parseServiceTags (text: string, isWanted: (name: string) => boolean): ParsedServiceTags {
  const document = parseJson(text)
  if (document === undefined) return spoilt('is not JSON, or only a part of it')
  const values: unknown = isRecord(document) ? document.values : undefined
  if (!isRecord(document) || !isWord(document.cloud) || !Array.isArray(values)) {
    return spoilt('is JSON, but has no cloud and values as a file of service tags has')
  }
  const tags = new Map<string, ServiceTag>()
  for (const value of values as readonly unknown[]) {
    const name: unknown = isRecord(value) ? value.name : undefined
    if (!isRecord(value) || typeof name !== 'string') return spoilt('has a tag without a name')
    if (!isWanted(name)) continue
    const tag = readTag(name, value.properties)
    if (typeof tag === 'string') return spoilt(tag)
    if (tags.has(name.toLowerCase())) return spoilt(`has the tag ${name} twice`)
    tags.set(name.toLowerCase(), tag)
  }
  return {
    ok: true,
    serviceTags: {
      cloud: document.cloud,
      changeNumber: readCount(document.changeNumber),
      find: (name) => tags.get(name.toLowerCase()),
      tags: [...tags.values()],
    },
  }
}

/** The longest prefix has 43 characters. */
const maxQuoted = 60

/** The tag, or what is wrong with it. */
function readTag (name: string, properties: unknown): ServiceTag | string {
  if (!isRecord(properties) || !Array.isArray(properties.addressPrefixes)) return `has no prefixes for the tag ${name}`
  const blocks: Cidr[] = []
  for (const prefix of properties.addressPrefixes as readonly unknown[]) {
    if (typeof prefix !== 'string') return `has a prefix in the tag ${name} that is no text`
    const block = parseCidr(prefix)
    if (block === undefined) return `has ${JSON.stringify(prefix.slice(0, maxQuoted))} in the tag ${name}, which is no prefix`
    blocks.push(block)
  }
  return {
    name,
    region: properties.region === '' ? '' : suffixOf(name).toLowerCase(),
    changeNumber: readCount(properties.changeNumber),
    blocks: createCidrSet(blocks),
  }
}

/** The region is in the name: the property of that name has older ones, like `centralfrance`, for twelve regions. */
function suffixOf (name: string): string {
  return name.split('.')[1] ?? ''
}

function parseJson (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isRecord (value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

/** What may stand in a message as it is. */
function isWord (value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9]{1,40}$/.test(value)
}

function readCount (value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0
}

function spoilt (problem: string): ParsedServiceTags {
  return { ok: false, problem }
}

/** The prefixes of a service that lie in no region, or only in part; the tags of all its regions must be held. */
export function listUnregionalBlocks ({ find, tags }: ServiceTags, service: string): readonly Cidr[] {
  const everywhere = find(service)?.blocks ?? emptyCidrSet
  const regional = createCidrSet(tags
    .filter(({ name, region }) => region !== '' && name.toLowerCase().startsWith(`${service.toLowerCase()}.`))
    .flatMap(({ blocks }) => blocks.blocks))
  return everywhere.blocks.filter((block) => !coversBlock(regional, block))
}
