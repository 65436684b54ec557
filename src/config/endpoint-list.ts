import { parse } from 'yaml'
import { dataHost, isRegionName, regionalHost } from '../acr/endpoints.ts'
import { type LoginServer, parseLoginServer } from '../acr/login-server.ts'
import { quote } from './problem.ts'
import { isMapping } from './settings.ts'

/** What `az acr show-endpoints` says of one registry. */
export interface EndpointList {
  readonly loginServer: LoginServer
  /** Those in which it has dedicated data endpoints or regional endpoints, in the order given. */
  readonly regions: readonly string[]
  /** Whether layers come from any storage account, because dedicated data endpoints are off. */
  readonly usesStorage: boolean
  readonly regionalEndpoints: boolean
}

/** The registries, or what is wrong with the text: what is wrong; what to do. */
export type EndpointLists =
  | { readonly ok: true, readonly lists: readonly EndpointList[] }
  | { readonly ok: false, readonly problem: string }

/** The longest text that is taken, in bytes: a hundred registries with ten regions each have a tenth of it. */
export const maxEndpointListBytes = 1024 * 1024

/** What is wrong with a text, thrown inside this file only. */
class Unreadable extends Error {}

/**
 * Reads what `az acr show-endpoints` prints, once or several times one behind the other, as it is on a page or in a
 * terminal: commas may trail, `regionalEndpoints` may be absent or null (az before 2.86). Every endpoint must be one
 * that the gateway would let through for the registry; what is another is named.
 */
export function readEndpointLists (text: string): EndpointLists {
  try {
    return { ok: true, lists: splitDocuments(text).flatMap(readDocument) }
  } catch (error) {
    if (error instanceof Unreadable) return { ok: false, problem: error.message }
    throw error
  }
}

const advice = 'give it the output of az acr show-endpoints --name NAME --output json'

/** The texts of the JSON values in a text, each from its bracket to the one that closes it. */
function splitDocuments (text: string): string[] {
  const documents: string[] = []
  let depth = 0
  let begin = 0
  let isInString = false
  for (let index = 0; index < text.length; index++) {
    const character = text[index] ?? ''
    if (isInString) {
      if (character === '\\') index++
      else if (character === '"') isInString = false
    } else if (character === '"' && depth > 0) {
      isInString = true
    } else if (character === '{' || character === '[') {
      if (depth++ === 0) begin = index
    } else if (character === '}' || character === ']') {
      depth--
      if (depth < 0) throw new Unreadable(`a bracket closes that was never opened; ${advice}`)
      if (depth === 0) documents.push(text.slice(begin, index + 1))
    } else if (depth === 0 && !/\s/.test(character)) {
      throw new Unreadable(describeStranger(text))
    }
  }
  if (depth > 0) throw new Unreadable(`the end is missing: a bracket is not closed; ${advice}`)
  if (documents.length === 0) throw new Unreadable(`there is nothing in it; ${advice}`)
  return documents
}

function describeStranger (text: string): string {
  if (/^-{3,}(?: +-{3,})*\s*$/m.test(text)) return `this is a table, and a table leaves the endpoints out; ${advice}`
  const first = text.trim().split('\n', 1)[0] ?? ''
  return `${quote(first)} is not JSON; ${advice}`
}

function readDocument (text: string): EndpointList[] {
  const value = parseLoosely(text)
  const registries: readonly unknown[] = Array.isArray(value) ? value : [value]
  return registries.map(readRegistry)
}

/** JSON in which commas may trail; YAML's flow style is that. */
function parseLoosely (text: string): unknown {
  try {
    return parse(text, { schema: 'json', uniqueKeys: true, logLevel: 'error' })
  } catch {
    throw new Unreadable(`what begins with ${quote(text.slice(0, 40))} is not JSON; ${advice}`)
  }
}

function readRegistry (value: unknown): EndpointList {
  if (!isMapping(value) || typeof value.loginServer !== 'string') throw new Unreadable(`a loginServer is missing; ${advice}`)
  const parsed = parseLoginServer(value.loginServer)
  if (!parsed.ok) throw new Unreadable(`${parsed.mistake.what}; ${parsed.mistake.write}`)
  const { loginServer } = parsed
  const { label, cloud, host } = loginServer
  const data = readEndpoints(value, 'dataEndpoints', host)
  const regional = readEndpoints(value, 'regionalEndpoints', host)
  const dedicated = data.filter(({ endpoint }) => endpoint !== `*.${cloud.blobSuffix}`)
  for (const one of dedicated) demand(one, dataHost(label, one.region, cloud), host)
  for (const one of regional) demand(one, regionalHost(label, one.region, cloud), host)
  return {
    loginServer,
    regions: [...new Set([...dedicated, ...regional].map(({ region }) => region))],
    usesStorage: dedicated.length < data.length,
    regionalEndpoints: regional.length > 0,
  }
}

interface WrittenEndpoint {
  readonly region: string
  readonly endpoint: string
}

function readEndpoints (registry: Readonly<Record<string, unknown>>, key: string, host: string): WrittenEndpoint[] {
  const list = registry[key] ?? []
  if (!Array.isArray(list)) throw new Unreadable(`${key} of ${host} is no list; ${advice}`)
  return list.map((one: unknown) => {
    const { region, endpoint } = isMapping(one) ? one : {}
    if (typeof region !== 'string' || typeof endpoint !== 'string' || !isRegionName(region)) {
      throw new Unreadable(`an entry under ${key} of ${host} has no region or no endpoint; ${advice}`)
    }
    return { region, endpoint: endpoint.toLowerCase() }
  })
}

function demand ({ endpoint, region }: WrittenEndpoint, expected: string, host: string): void {
  if (endpoint === expected) return
  throw new Unreadable(`${quote(endpoint)} is no endpoint of ${host} in ${region}, where it would be ${expected}; see that ` +
    'the text was not changed')
}
