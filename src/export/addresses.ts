import type { ServiceTags } from '../acr/service-tags.ts'
import type { Cidr } from '../net/cidr.ts'
import { createCidrSet, listOutermostBlocks } from '../net/cidr-set.ts'
import type { Rule } from '../policy/rule.ts'

/** Blocks with a common ground. */
export interface BlockGroup {
  /** The service tag, or the key of the configuration, that they come from. */
  readonly title: string
  readonly blocks: readonly Cidr[]
}

/**
 * The service tags that the addresses of these rules lie in. Tags that are only reported on are left out: they are a
 * guess, and in the scope of a few regions they would open the service everywhere.
 */
export function listTagNames (rules: readonly Rule[]): readonly string[] {
  return [...new Set(rules.flatMap(({ tags }) => tags.isReportOnly ? [] : tags.names))]
}

/** The blocks that the private endpoints of these rules are in, none inside another. */
export function listPrivateBlocks (rules: readonly Rule[]): readonly Cidr[] {
  return listOutermostBlocks(createCidrSet(rules.flatMap(({ privateEndpoints }) => privateEndpoints.blocks)))
}

/** All blocks that these rules lead to: tag by tag, then private endpoints; without a file only the latter. */
export function listBlockGroups (rules: readonly Rule[], serviceTags?: ServiceTags): readonly BlockGroup[] {
  const tags = listTagNames(rules).flatMap((name) => {
    const tag = serviceTags?.find(name)
    return tag === undefined ? [] : [{ title: tag.name, blocks: listOutermostBlocks(tag.blocks) }]
  })
  const groups = [...tags, { title: 'privateEndpoints', blocks: listPrivateBlocks(rules) }]
  return groups.filter(({ blocks }) => blocks.length > 0)
}

/** The rules whose names lead to none of the addresses: they have no service tag of these, and no private endpoint. */
export function listUncovered (rules: readonly Rule[], tagNames: readonly string[]): readonly Rule[] {
  return rules.filter(({ tags, privateEndpoints }) => {
    return privateEndpoints.blocks.length === 0 && !tags.names.some((name) => tagNames.includes(name))
  })
}

/** Those of one family, 4 or 6. */
export function ofFamily (blocks: readonly Cidr[], family: 4 | 6): readonly Cidr[] {
  return blocks.filter(({ first }) => first.family === family)
}
