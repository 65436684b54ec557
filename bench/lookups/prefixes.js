/** The prefixes that are looked up in. */
import { readFileSync } from 'node:fs'
import { makeTagFile } from './synthetic.js'

/** What the gateway needs for registries, and what Microsoft serves its own images from. */
export const tagsInUse = ['AzureContainerRegistry', 'Storage', 'MicrosoftContainerRegistry']

/** The text of a file of service tags: the given one, or a made one. */
export function readTagText (path) {
  return path === undefined ? makeTagFile() : readFileSync(path, 'utf8')
}

/** Whether a tag is one of a size: `used` are those above, `all` is every tag. */
export function chooseTags (size) {
  return size === 'all' ? () => true : (name) => tagsInUse.includes(name)
}

/** The prefixes of a size, as they stand in the text. */
export function listPrefixes (text, size) {
  const isChosen = chooseTags(size)
  return JSON.parse(text).values.filter(({ name }) => isChosen(name))
    .flatMap(({ properties: { addressPrefixes } }) => addressPrefixes)
}
