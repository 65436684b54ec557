import { readFileSync } from 'node:fs'
import { type ServiceTags, parseServiceTags } from '../../src/acr/service-tags.ts'

/** Prefixes by the name of their tag. */
export type WrittenTags = Readonly<Record<string, readonly string[]>>

/** A file of service tags in the form that Microsoft publishes, a tag of a region with the region of its name. */
export function writeTagFile (tags: WrittenTags, cloud = 'Public', changeNumber = 375): string {
  const values = Object.entries(tags).map(([name, addressPrefixes]) => {
    const [service = '', region = ''] = name.split('.')
    return {
      name,
      id: name,
      properties: {
        changeNumber: 9,
        region: region.toLowerCase(),
        regionId: region === '' ? 0 : 18,
        platform: 'Azure',
        systemService: service,
        addressPrefixes,
        networkFeatures: ['API', 'NSG', 'UDR', 'FW'],
      },
    }
  })
  return JSON.stringify({ changeNumber, cloud, values }, undefined, 2)
}

/** All tags of a text that is good. */
export function readTags (text: string, isWanted = (_: string): boolean => true): ServiceTags {
  const parsed = parseServiceTags(text, isWanted)
  if (!parsed.ok) throw new TypeError(parsed.problem)
  return parsed.serviceTags
}

/** Tags as a file would bring them. */
export function tagsOf (tags: WrittenTags, cloud?: string): ServiceTags {
  return readTags(writeTagFile(tags, cloud))
}

/** All tags of a published file. */
export function readPublished (file: string): ServiceTags {
  return readTags(readFileSync(file, 'utf8'))
}
