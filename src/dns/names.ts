import { LRUCache } from 'lru-cache'
import type { Address } from '../net/address.ts'
import { type CutSignal, unlessAborted } from '../net/cut-signal.ts'
import type { HostName } from '../net/host-name.ts'
import { Question, type Recollection, waitFor } from './question.ts'
import type { Answer, QueryOutcome, Resolver } from './resolver.ts'

/** An address that a name stands for. */
export interface Destination {
  readonly address: Address
  /** Set only for a static host with a port of its own: a lab, where port 443 is not to be had. */
  readonly port?: number
}

/**
 * Where the answer to a look-up came from; a closed list, and a metric label. `hit`: held; `miss`: the name servers
 * were waited for; `stale`: held beyond its time, because they fail; `negative`: held, that there is no address.
 */
export const cacheResults = ['hit', 'miss', 'stale', 'negative'] as const

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

/** A name has other addresses of a family than it had: those that came, and those that went. */
export interface AddressChange {
  readonly name: HostName
  readonly family: 4 | 6
  readonly added: readonly Address[]
  readonly removed: readonly Address[]
}

/** The names the gateway knows: static ones, and a cache over the name servers. */
export interface Names {
  /**
   * The addresses of a name, both families, in the order of the answers. Rejects with `LookupError`: an aborted signal
   * is a `timeout` (the question goes on, for the cache).
   */
  lookup (name: HostName, signal?: CutSignal): Promise<readonly Destination[]>
  /**
   * Names that are asked for now, a few at a time, and not given up for others: those of the configuration, in place of
   * those of the last call. Resolves when each has been answered once; never rejects.
   */
  keep (names: Iterable<HostName>): Promise<void>
  /** Asks again for the kept names that are in use and whose answers end soon. To be called about twice a second. */
  refreshAhead (): void
  /** Names held now, with good and bad answers. */
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
  /** How long a good answer is believed beyond that while the name servers fail (RFC 8767), in milliseconds. */
  readonly staleForMs: number
  /** Most names held beside those that are kept. */
  readonly maxEntries?: number
  /** Milliseconds on any steady clock. */
  readonly now?: () => number
  /** Called once for each question that the name servers were asked. */
  readonly onQuery?: (outcome: QueryOutcome) => void
  /** Called once for each look-up of a name that is not static. */
  readonly onLookup?: (result: CacheResult) => void
  readonly onChange?: (change: AddressChange) => void
}

// RFC 8305 §3: once one family has answered, the other gets 50 ms more.
const resolutionDelayMs = 50
// With `storage: any` a client could ask for as many names as it likes.
const defaultMaxEntries = 2048
// A kept name is in use for so long after it was looked up: a pull looks a login server up every few seconds.
const inUseMs = 300_000
// The 1.8 s that a silent name server is waited for, and the half second between two calls: when the answer ends it is
// known by then whether there is another. The records of Azure's addresses live ten seconds.
const aheadMs = 2300
// A name server on a device is a small thing.
const questionsAtOnce = 16

/** What is held of a name. */
interface HeldName {
  readonly questions: readonly [ipv6: Question, ipv4: Question]
  usedAt: number
  /** What was made of the answers the last time, for as long as they are the same. */
  made: { readonly answers: readonly Answer[], readonly destinations: readonly Destination[] } | undefined
}

/** Owns the resolver: `close` closes it. */
export function createNames (options: NamesOptions): Names {
  const { resolver, hosts, onQuery, onLookup, onChange, now = () => performance.now() } = options
  const kept = new Map<HostName, HeldName>()
  const others = new LRUCache<HostName, HeldName>({ max: options.maxEntries ?? defaultMaxEntries })
  const questionOptions = {
    ...options,
    now,
    onAnswer ({ name, family }: Question, answer: Answer, before: Answer | undefined): void {
      onQuery?.(answer.outcome)
      const change = before === undefined ? undefined : compareAnswers(name, family, before, answer)
      if (change !== undefined) onChange?.(change)
    },
  }

  function hold (name: HostName): HeldName {
    const known = kept.get(name) ?? others.get(name)
    if (known !== undefined) return known
    const questions = [new Question(name, 6, questionOptions), new Question(name, 4, questionOptions)] as const
    const held: HeldName = { questions, usedAt: -Infinity, made: undefined }
    others.set(name, held)
    return held
  }

  /** Not counted as a use. */
  async function prefetch (names: readonly HeldName[]): Promise<void> {
    const questions = names.flatMap((held) => held.questions)
    for (let index = 0; index < questions.length; index += questionsAtOnce) {
      await Promise.all(questions.slice(index, index + questionsAtOnce).map((question) => question.answer()))
    }
  }

  return {
    async lookup (name, signal) {
      const fixed = hosts.get(name)
      if (fixed !== undefined) return fixed
      const held = hold(name)
      held.usedAt = now()
      const recalled = recallBoth(held)
      const found = recalled ?? await unlessAborted(askBoth(held), signal)
      onLookup?.(found === undefined ? 'miss' : classify(found, recalled !== undefined))
      if (found === undefined) throw new LookupError(name, 'timeout')
      return listDestinations(name, held, found)
    },

    async keep (names) {
      const wanted = new Map([...names].filter((name) => !hosts.has(name)).map((name) => [name, hold(name)]))
      for (const [name, held] of kept) if (!wanted.has(name)) others.set(name, held)
      kept.clear()
      for (const [name, held] of wanted) {
        kept.set(name, held)
        others.delete(name)
      }
      await prefetch([...wanted.values()])
    },

    refreshAhead () {
      const usedSince = now() - inUseMs
      for (const { usedAt, questions } of kept.values()) {
        if (usedAt < usedSince) continue
        for (const question of questions) if (question.endsWithin(aheadMs)) void question.refresh()
      }
    },

    get cacheEntries () { return kept.size + others.size },
    get servers () { return resolver.servers },
    close: () => resolver.close(),
  }
}

function recallBoth ({ questions: [ipv6, ipv4] }: HeldName): readonly Recollection[] | undefined {
  const first = ipv6.recall()
  const second = ipv4.recall()
  if (first !== undefined && second !== undefined) return [first, second]
  const known = first ?? second
  if (known === undefined || known.answer.addresses.length === 0) return undefined
  const none = (first === undefined ? ipv6 : ipv4).recallNone()
  return none === undefined ? undefined : [known, none]
}

function classify (found: readonly Recollection[], isHeld: boolean): CacheResult {
  if (found.some(({ isStale }) => isStale)) return 'stale'
  if (!isHeld) return 'miss'
  return found.some(({ answer }) => answer.addresses.length > 0) ? 'hit' : 'negative'
}

function listDestinations (name: HostName, held: HeldName, found: readonly Recollection[]): readonly Destination[] {
  const { made } = held
  if (made?.answers.length === found.length && found.every(({ answer }, index) => answer === made.answers[index])) {
    return made.destinations
  }
  const answers = found.map(({ answer }) => answer)
  const destinations = answers.flatMap(({ addresses }) => addresses.map((address) => ({ address })))
  if (destinations.length === 0) throw new LookupError(name, worstOutcome(answers))
  held.made = { answers, destinations }
  return destinations
}

/** Both answers; or only the first, when it is good and the other is late. */
async function askBoth ({ questions: [ipv6, ipv4] }: HeldName): Promise<readonly Recollection[]> {
  const answers = [ipv6.answer(), ipv4.answer()] as const
  const first = await Promise.race([
    answers[0].then((found) => ({ found, other: answers[1] })),
    answers[1].then((found) => ({ found, other: answers[0] })),
  ])
  if (first.found.answer.addresses.length === 0) return [first.found, await first.other]
  const second = await waitFor(first.other, resolutionDelayMs)
  return second === undefined ? [first.found] : [first.found, second]
}

/** `undefined` when a bad answer came, or the same addresses in another order. */
function compareAnswers (name: HostName, family: 4 | 6, before: Answer, after: Answer): AddressChange | undefined {
  if (after.outcome !== 'answered') return undefined
  const added = listMissing(after, before)
  const removed = listMissing(before, after)
  return added.length === 0 && removed.length === 0 ? undefined : { name, family, added, removed }
}

/** The addresses of one answer that are not in another. */
function listMissing ({ addresses }: Answer, other: Answer): readonly Address[] {
  const texts = new Set(other.addresses.map(({ text }) => text))
  return addresses.filter(({ text }) => !texts.has(text))
}

// The first of these that was heard is what the person is told: a server that does not answer hides everything else.
const outcomesByWeight = [
  'timeout', 'server_failure', 'refused', 'failed', 'no_such_name', 'no_addresses',
] as const

function worstOutcome (answers: readonly Answer[]): LookupError['outcome'] {
  return outcomesByWeight.find((outcome) => answers.some((answer) => answer.outcome === outcome)) ?? 'failed'
}
