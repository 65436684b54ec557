import { Document, type YAMLMap, isMap, isSeq, parseDocument } from 'yaml'
import { parseLoginServer } from '../acr/login-server.ts'
import type { EndpointList } from './endpoint-list.ts'

/** The `registries:` of a configuration file, as text, for these registries. */
export function createRegistryBlock (lists: readonly EndpointList[]): string {
  const document = new Document({ registries: [] })
  for (const list of lists) putRegistry(document, list)
  return writeDocument(document)
}

/** A configuration file with these registries in it, or why that cannot be made: what is wrong; what to do. */
export type MergedFile =
  | { readonly ok: true, readonly text: string }
  | { readonly ok: false, readonly problem: string }

/**
 * Puts registries into the text of a configuration file. One that is there gets its regions, its regional endpoints
 * and its storage; its other keys, all other registries, and the comments stay.
 */
export function mergeRegistries (text: string, lists: readonly EndpointList[]): MergedFile {
  const document = parseDocument(text)
  const registries = document.get('registries')
  const isUsable = document.contents === null || (isMap(document.contents) && (registries == null || isSeq(registries)))
  if (document.errors.length > 0 || !isUsable) {
    return { ok: false, problem: 'is no configuration that can be added to; mend it first: acr-egress check shows what is wrong' }
  }
  for (const list of lists) putRegistry(document, list)
  return { ok: true, text: writeDocument(document) }
}

function putRegistry (document: Document, list: EndpointList): void {
  const known = findRegistry(document, list)
  const registry = known ?? addRegistry(document, list)
  putRegions(document, registry, list.regions)
  if (list.regionalEndpoints || registry.has('regionalEndpoints')) {
    put(registry, 'regionalEndpoints', list.regionalEndpoints)
  }
  // Accounts that are listed by name are narrower than anything that could be put in their place.
  const storage = registry.get('storage')
  if (list.usesStorage && (storage === undefined || storage === 'none')) put(registry, 'storage', 'any')
}

function findRegistry (document: Document, { loginServer }: EndpointList): YAMLMap | undefined {
  const registries = document.get('registries')
  const maps = isSeq(registries) ? registries.items.filter((item) => isMap(item)) : []
  return maps.find((map) => {
    const text = map.get('loginServer')
    const parsed = typeof text === 'string' ? parseLoginServer(text) : undefined
    return parsed?.ok === true && parsed.loginServer.host === loginServer.host
  })
}

function addRegistry (document: Document, { loginServer }: EndpointList): YAMLMap {
  const registry = document.createNode({ loginServer: loginServer.host }) as YAMLMap
  const registries = document.get('registries')
  if (isSeq(registries)) registries.add(registry)
  else document.set('registries', document.createNode([registry]))
  return registry
}

/** An empty list is an error in a configuration; without regions the key is not there. */
function putRegions (document: Document, registry: YAMLMap, regions: readonly string[]): void {
  if (regions.length === 0) registry.delete('regions')
  else if (JSON.stringify(registry.toJSON().regions) !== JSON.stringify(regions)) {
    const node = document.createNode(regions, { flow: true })
    const { comment } = Object(registry.get('regions', true)) as { comment?: string | null }
    node.comment = comment ?? null
    registry.set('regions', node)
  }
}

/** A value that is as it should be keeps the comment behind it. */
function put (registry: YAMLMap, key: string, value: unknown): void {
  if (registry.get(key) !== value) registry.set(key, value)
}

function writeDocument (document: Document): string {
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}
