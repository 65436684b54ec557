import { LRUCache } from 'lru-cache'
import type { Address } from '../net/address.ts'
import type { CutSignal } from '../net/cut-signal.ts'
import type { HostName } from '../net/host-name.ts'
import type { Answer, QueryOutcome, Resolver } from './resolver.ts'

/** An address that a name stands for. */
export interface Destination {
  readonly address: Address
  /** Set only for a static host with a port of its own: a lab, where port 443 is not to be had. */
  readonly port?: number
}

/** Where the answer to a look-up came from; a closed list, and a metric label. */
export const cacheResults = ['hit', 'miss', 'negative'] as const

export type CacheResult = typeof cacheResults[number]

/** A name has no address to dial now. */
export class LookupError extends Error {
  override readonly name = 'LookupError'
  readonly host: HostName
  /** What the name servers said; of two questions, the one that a person can do more about. */
  readonly outcome: Exclude<QueryOutcome, 'answered'>

  constructor (host: HostName, outcome: Exclude<QueryOutcome, 'answered'>) {
    super(`${host}: ${outcome}`)
    this.host = host
    this.outcome = outcome
  }
}

/** The names the gateway knows: static ones, and a cache over the name servers. */
export interface Names {
  /**
   * The addresses of a name, both families, in the order of the answers. Rejects with `LookupError`: an aborted signal
   * is a `timeout` (the question goes on, for the cache).
   */
  lookup (name: HostName, signal?: CutSignal): Promise<readonly Destination[]>
  /** Names and families held now, good and bad answers. */
  readonly cacheEntries: number
  readonly servers: readonly string[]
  close (): void
}

export interface NamesOptions {
  readonly resolver: Resolver
  /** Names that are not asked for. */
  readonly hosts: ReadonlyMap<HostName, readonly Destination[]>
  /** Bounds on how long a good answer is believed, in milliseconds. */
  readonly minTtlMs: number
  readonly maxTtlMs: number
  /** How long a bad answer is believed (RFC 2308; RFC 9520 asks for at least 1 s for failures), in milliseconds. */
  readonly negativeTtlMs: number
  /** Most names and families held. */
  readonly maxEntries?: number
  /** Milliseconds on any steady clock. */
  readonly now?: () => number
  /** Called once for each question that the name servers were asked. */
  readonly onQuery?: (outcome: QueryOutcome) => void
  /** Called once for each look-up of a name that is not static. */
  readonly onLookup?: (result: CacheResult) => void
}

// RFC 8305 §3: once one family has answered, the other gets 50 ms more.
const resolutionDelayMs = 50
// Two entries a name; with `storage: any` a client could ask for as many names as it likes.
const defaultMaxEntries = 4096

/** Owns the resolver: `close` closes it. */
export function createNames (options: NamesOptions): Names {
  const { resolver, hosts, minTtlMs, maxTtlMs, negativeTtlMs, onQuery, onLookup } = options
  const cache = new LRUCache<string, Answer, Question>({
    max: options.maxEntries ?? defaultMaxEntries,
    ttl: maxTtlMs,
    // 0: ask the clock each time, so that a clock of a test is believed and no timer is left.
    ttlResolution: 0,
    perf: { now: options.now ?? (() => performance.now()) },
    // A question whose entry was pushed out is still somebody's question.
    ignoreFetchAbort: true,
    fetchMethod: async (_key, _stale, { options: entry, context }) => {
      const answer = await resolver.resolve(context.name, context.family)
      onQuery?.(answer.outcome)
      entry.ttl = answer.outcome === 'answered'
        ? Math.min(maxTtlMs, Math.max(minTtlMs, answer.ttlMs))
        : negativeTtlMs
      return answer
    },
  })

  /** One flight a name and family: those who ask meanwhile get the same answer. */
  async function ask (name: HostName, family: 4 | 6): Promise<Answer> {
    return await cache.forceFetch(`${family} ${name}`, { context: { name, family } })
  }

  /** What is held of both families; `undefined` when one has to be asked for. */
  function recall (name: HostName): readonly Answer[] | undefined {
    const ipv6 = cache.get(`6 ${name}`)
    const ipv4 = cache.get(`4 ${name}`)
    return ipv6 === undefined || ipv4 === undefined ? undefined : [ipv6, ipv4]
  }

  async function askBoth (name: HostName): Promise<readonly Destination[]> {
    return listDestinations(name, await bothFamilies(ask(name, 6), ask(name, 4)))
  }

  return {
    async lookup (name, signal) {
      const fixed = hosts.get(name)
      if (fixed !== undefined) return fixed
      const held = recall(name)
      onLookup?.(classify(held))
      if (held !== undefined) return listDestinations(name, held)
      const found = await unlessAborted(askBoth(name), signal)
      if (found === undefined) throw new LookupError(name, 'timeout')
      return found
    },
    get cacheEntries () { return cache.size },
    servers: resolver.servers,
    close: () => resolver.close(),
  }
}

interface Question {
  readonly name: HostName
  readonly family: 4 | 6
}

function classify (held: readonly Answer[] | undefined): CacheResult {
  if (held === undefined) return 'miss'
  return held.some(({ addresses }) => addresses.length > 0) ? 'hit' : 'negative'
}

function listDestinations (name: HostName, answers: readonly Answer[]): readonly Destination[] {
  const addresses = answers.flatMap((answer) => answer.addresses)
  if (addresses.length === 0) throw new LookupError(name, worstOutcome(answers))
  return addresses.map((address) => ({ address }))
}

/** Both answers; or only the first, when it is good and the other is late. */
async function bothFamilies (ipv6: Promise<Answer>, ipv4: Promise<Answer>): Promise<readonly Answer[]> {
  const first = await Promise.race([
    ipv6.then((answer) => ({ answer, other: ipv4 })),
    ipv4.then((answer) => ({ answer, other: ipv6 })),
  ])
  if (first.answer.addresses.length === 0) return [first.answer, await first.other]
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => { timer = setTimeout(resolve, resolutionDelayMs, undefined) })
  const second = await Promise.race([first.other, late])
  clearTimeout(timer)
  return second === undefined ? [first.answer] : [first.answer, second]
}

// The first of these that was heard is what the person is told: a server that does not answer hides everything else.
const outcomesByWeight = [
  'timeout', 'server_failure', 'refused', 'failed', 'no_such_name', 'no_addresses',
] as const

function worstOutcome (answers: readonly Answer[]): LookupError['outcome'] {
  return outcomesByWeight.find((outcome) => answers.some((answer) => answer.outcome === outcome)) ?? 'failed'
}

/** What the promise brings, or `undefined` when the signal is aborted first; leaves no listener behind. */
async function unlessAborted<T> (promise: Promise<T>, signal: CutSignal | undefined): Promise<T | undefined> {
  if (signal === undefined) return await promise
  let wake = (): void => {}
  const aborted = new Promise<undefined>((resolve) => { wake = () => resolve(undefined) })
  signal.addEventListener('abort', wake)
  if (signal.aborted) wake()
  try {
    return await Promise.race([aborted, promise])
  } finally {
    signal.removeEventListener('abort', wake)
  }
}
