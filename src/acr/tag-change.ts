import type { Cidr } from '../net/cidr.ts'
import { coversBlock, emptyCidrSet } from '../net/cidr-set.ts'
import type { ServiceTag, ServiceTags } from './service-tags.ts'

/** What a tag has more, and less, than it had. */
export interface TagChange {
  readonly tag: string
  readonly added: readonly Cidr[]
  readonly removed: readonly Cidr[]
}

/** Compares the prefixes of one tag in two files, as they are written. */
export function compareTag (name: string, before: ServiceTags, after: ServiceTags): TagChange {
  const old = blocksOf(before.find(name))
  const young = blocksOf(after.find(name))
  const oldTexts = new Set(old.map(({ text }) => text))
  const youngTexts = new Set(young.map(({ text }) => text))
  return {
    tag: after.find(name)?.name ?? before.find(name)?.name ?? name,
    added: young.filter(({ text }) => !oldTexts.has(text)),
    removed: old.filter(({ text }) => !youngTexts.has(text)),
  }
}

/** Those of the tags that are not as they were. */
export function listTagChanges (
  names: Iterable<string>, before: ServiceTags, after: ServiceTags,
): readonly TagChange[] {
  return Array.from(names, (name) => compareTag(name, before, after))
    .filter(({ added, removed }) => added.length > 0 || removed.length > 0)
}

/** What a file of service tags is needed for. */
export interface TagNeed {
  /** The cloud, in the word of the file. */
  readonly cloud: string
  /** The tags in use. */
  readonly names: readonly string[]
}

/** Tells of a tag's name, however it is capitalised, whether the tag is in use. */
export function createTagFilter ({ names }: TagNeed): (name: string) => boolean {
  const needed = new Set(names.map((name) => name.toLowerCase()))
  return (name) => needed.has(name.toLowerCase())
}

/** Why a file cannot serve, in half a sentence; `undefined` when it can. */
export function findTagLack ({ cloud, names }: TagNeed, serviceTags: ServiceTags): string | undefined {
  if (serviceTags.cloud !== cloud) return `is for the cloud ${serviceTags.cloud}, and the registries are in ${cloud}`
  const lacking = names.filter((name) => blocksOf(serviceTags.find(name)).length === 0)
  return lacking.length === 0 ? undefined : `has no prefixes for ${lacking.join(', ')}`
}

/** In the years 2019 to 2025 no week took more than 14 prefixes of 570 away from a tag that a gateway uses. */
const mostLost = 1 / 4

/**
 * Why a new file must not take the place of one that serves: more than a quarter of the prefixes of a tag in use are
 * gone, so that it is more likely to be damaged than news. A prefix is not gone when others hold all of it.
 */
export function findTagLoss ({ names }: TagNeed, before: ServiceTags, after: ServiceTags): string | undefined {
  for (const name of names) {
    const old = blocksOf(before.find(name))
    const young = after.find(name)?.blocks ?? emptyCidrSet
    const lost = old.filter((block) => !coversBlock(young, block))
    if (lost.length > old.length * mostLost) return `takes away ${lost.length} of the ${old.length} prefixes of ${name}`
  }
  return undefined
}

function blocksOf (tag: ServiceTag | undefined): readonly Cidr[] {
  return tag?.blocks.blocks ?? []
}
