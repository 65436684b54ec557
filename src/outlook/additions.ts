import type { Bundle } from '../acr/bundles.ts'
import type { Registry } from '../acr/endpoints.ts'
import { parseLoginServer } from '../acr/login-server.ts'
import type { HostName } from '../net/host-name.ts'
import { type Advice, type AdviceSources, adviseExtra, quoteWord } from '../policy/advice.ts'
import type { Policy } from '../policy/policy.ts'

/** A key of the configuration with all that is to be added to it; a JSON value. */
export interface Addition {
  /** Like `extraHosts` or `registries[0].regions`. */
  readonly key: string
  /** The registry that the key is one of; '' for keys at the top. */
  readonly registry: string
  /** What is to stand there: for a list, with what stands there now. */
  readonly values: readonly string[]
  readonly isList: boolean
  /** Each thing that is added, with all that it lets through. */
  readonly opens: ReadonlyArray<{ readonly add: string, readonly opens: string }>
}

/** Makes the strict policy of a configuration with other lists. */
export type PolicyMaker = (lists: AdviceSources) => Policy

// A regional endpoint in a new region takes two lines, and no host more.
const mostRounds = 3

/**
 * The lines that let these hosts through by CONNECT, merged per key. They are tried on a policy of their own, and what
 * still is not let through then is listed by itself.
 */
export function listAdditions (
  hosts: readonly HostName[], lists: AdviceSources, makePolicy: PolicyMaker,
): readonly Addition[] {
  const additions = new Map<string, Addition>()
  let changed = lists
  for (let round = 1; round <= mostRounds; round++) {
    const policy = makePolicy(changed)
    for (const host of hosts.filter((one) => !policy.decideTarget(`${one}:443`).allow)) {
      const advice = round === mostRounds ? adviseExtra(host, changed) : adviseTunnel(host, policy, changed)
      mergeAdvice(additions, advice, lists.registries)
      changed = applyAdvice(changed, advice)
    }
  }
  return [...additions.values()]
}

/** A bundle that is carried by plain HTTP lets no tunnel through. */
function adviseTunnel (host: HostName, policy: Policy, lists: AdviceSources): Advice {
  const advice = policy.adviseHost(host)
  return advice === undefined || advice.add === 'revocation' ? adviseExtra(host, lists) : advice
}

function mergeAdvice (
  additions: Map<string, Addition>, { key, present, add, isList, opens }: Advice, registries: readonly Registry[],
): void {
  const known = additions.get(key)
  const values = isList ? known?.values ?? present : []
  if (values.includes(add)) return
  const index = /^registries\[([0-9]+)\]\./.exec(key)?.[1]
  const registry = index === undefined ? '' : registries[Number(index)]?.loginServer.host ?? ''
  const merged = { key, registry, values: [...values, add], isList, opens: [...known?.opens ?? [], { add, opens }] }
  additions.set(key, merged)
}

/** The lists as they are when the advice has been followed. */
function applyAdvice (lists: AdviceSources, { key, add }: Advice): AdviceSources {
  const { registries, bundles, extraHosts } = lists
  const [, index, name = ''] = /^registries\[([0-9]+)\]\.(.+)$/.exec(key) ?? []
  if (index !== undefined) {
    const place = Number(index)
    return { ...lists, registries: registries.map((one, at) => at === place ? changeRegistry(one, name, add) : one) }
  }
  switch (key) {
    case 'extraHosts': return { ...lists, extraHosts: [...extraHosts, add as HostName] }
    case 'bundles': return { ...lists, bundles: [...bundles, add as Bundle] }
    case 'registries': return { ...lists, registries: [...registries, ...readRegistry(add)] }
    default: return lists
  }
}

function changeRegistry (registry: Registry, name: string, add: string): Registry {
  const { regions, storage } = registry
  switch (name) {
    case 'regions': return { ...registry, regions: [...regions, add] }
    case 'regionalEndpoints': return { ...registry, regionalEndpoints: true }
    case 'storage': return { ...registry, storage: [...typeof storage === 'string' ? [] : storage, add] }
    default: return registry
  }
}

/** From `{loginServer: NAME}`. */
function readRegistry (add: string): Registry[] {
  const parsed = parseLoginServer(/^\{loginServer: (.+)\}$/.exec(add)?.[1] ?? '')
  if (!parsed.ok) return []
  const { loginServer } = parsed
  return [{ loginServer, regions: [], regionalEndpoints: false, storage: 'none', privateEndpoints: [] }]
}

/**
 * The additions as YAML, each with what it opens as a comment. The keys at the top take the place of those that are
 * there; a registry's keys stand below its login server, as in the configuration.
 */
export function formatAdditions (additions: readonly Addition[]): string {
  const atTop = additions.filter(({ registry, key }) => registry === '' && key !== 'registries')
  const owned = [...new Set(additions.map(({ registry }) => registry).filter((registry) => registry !== ''))]
  const added = additions.find(({ key }) => key === 'registries')
  const lines = atTop.flatMap((addition) => formatKey(addition, ''))
  if (owned.length > 0 || added !== undefined) lines.push('registries:')
  for (const registry of owned) {
    lines.push('  # There already: change these keys of it.', `  - loginServer: ${registry}`)
    const own = additions.filter((one) => one.registry === registry)
    lines.push(...own.flatMap((addition) => formatKey(addition, '    ')))
  }
  for (const { add, opens } of added?.opens ?? []) {
    lines.push(`  # New: ${opens}.`, `  - ${add.replace(/^\{|\}$/g, '')}`)
  }
  return lines.map((line) => `${line}\n`).join('')
}

function formatKey ({ key, values, isList, opens }: Addition, indent: string): string[] {
  const name = key.replace(/^.*\./, '')
  const comments = opens.map(({ add, opens: opened }) => `${indent}# ${isList ? `${add}: ` : ''}${opened}.`)
  return [...comments, `${indent}${name}: ${isList ? `[${values.map(quoteWord).join(', ')}]` : values.join('')}`]
}
