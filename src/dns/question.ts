import type { HostName } from '../net/host-name.ts'
import { type Answer, type Resolver, isDefinite } from './resolver.ts'

/** What is known of a question without waiting. */
export interface Recollection {
  readonly answer: Answer
  /** Its time to live is over, and it is believed only because the name servers fail. */
  readonly isStale: boolean
}

/** How long answers are believed, in milliseconds; and what is to be told of them. */
export interface QuestionOptions {
  readonly resolver: Resolver
  readonly minTtlMs: number
  readonly maxTtlMs: number
  readonly negativeTtlMs: number
  readonly staleForMs: number
  readonly now: () => number
  /** Called for each answer of the name servers; with `before` when a good one takes the place of another one. */
  readonly onAnswer: (question: Question, answer: Answer, before: Answer | undefined) => void
}

// RFC 8767 §5: who asks waits 1.8 s at most while there is a stale answer to give.
const patienceMs = 1800

/** One name and one family: its last answers, and the question under way, of which there is one at most. */
export class Question {
  readonly name: HostName
  readonly family: 4 | 6
  readonly #options: QuestionOptions
  /** The last good answer. */
  #good: Answer | undefined
  #goodUntil = 0
  /** What was heard since, if it was bad. */
  #bad: Answer | undefined
  #badUntil = 0
  /** The last that the name servers have said, and not failed to say, if it was that there is no address. */
  #none: Answer | undefined
  #flight: Promise<Answer> | undefined
  #flightBegan = 0

  constructor (name: HostName, family: 4 | 6, options: QuestionOptions) {
    this.name = name
    this.family = family
    this.#options = options
  }

  /** What is believed now, if anything is. */
  recall (): Recollection | undefined {
    const now = this.#options.now()
    if (this.#good !== undefined && now < this.#goodUntil) return { answer: this.#good, isStale: false }
    if (this.#bad === undefined || now >= this.#badUntil) return undefined
    return this.#recallStale(now) ?? { answer: this.#bad, isStale: false }
  }

  /**
   * That there is no address of this family, however long ago it was said, while it is asked for again. For a name that
   * has addresses of the other family, which then does not wait for what most registries do not have.
   */
  recallNone (): Recollection | undefined {
    if (this.#none === undefined) return undefined
    void this.refresh()
    return { answer: this.#none, isStale: false }
  }

  /** What is believed now, or what the name servers say; a stale answer when they say nothing in time. */
  async answer (): Promise<Recollection> {
    const known = this.recall()
    if (known !== undefined) return known
    const flight = this.refresh()
    const stale = this.#recallStale(this.#options.now())
    // What has just been heard is believed once, however short its time is.
    if (stale === undefined) return { answer: await flight, isStale: false }
    // The last time they failed: whether they still do is found out behind the answer.
    if (this.#bad !== undefined) return stale
    const heard = await waitFor(flight, this.#flightBegan + patienceMs - this.#options.now())
    return heard !== undefined && isDefinite(heard) ? { answer: heard, isStale: false } : stale
  }

  /** Asks, unless that is being done. Never rejects. */
  async refresh (): Promise<Answer> {
    this.#flight ??= this.#ask().finally(() => { this.#flight = undefined })
    return await this.#flight
  }

  /** Whether what is believed ends within the time, and nobody has asked again. */
  endsWithin (durationMs: number): boolean {
    if (this.#flight !== undefined) return false
    return this.#options.now() + durationMs >= Math.max(this.#goodUntil, this.#badUntil)
  }

  async #ask (): Promise<Answer> {
    const { resolver, now, onAnswer } = this.#options
    this.#flightBegan = now()
    const answer = await resolver.resolve(this.name, this.family)
    const before = this.#good
    this.#hear(answer)
    onAnswer(this, answer, before)
    return answer
  }

  #hear (answer: Answer): void {
    const { minTtlMs, maxTtlMs, negativeTtlMs, now } = this.#options
    if (isDefinite(answer)) this.#none = answer.outcome === 'no_addresses' ? answer : undefined
    if (answer.outcome === 'answered') {
      this.#good = answer
      this.#goodUntil = now() + Math.min(maxTtlMs, Math.max(minTtlMs, answer.ttlMs))
      this.#bad = undefined
      this.#badUntil = 0
      return
    }
    this.#bad = answer
    this.#badUntil = now() + negativeTtlMs
    // The name servers have spoken: there is nothing left to believe.
    if (isDefinite(answer)) this.#good = undefined
  }

  #recallStale (now: number): Recollection | undefined {
    if (this.#good === undefined || now >= this.#goodUntil + this.#options.staleForMs) return undefined
    return { answer: this.#good, isStale: true }
  }
}

/** What a promise brings within the time, in milliseconds; `undefined` when it is late. Leaves no timer behind. */
export async function waitFor<T> (promise: Promise<T>, durationMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => { timer = setTimeout(resolve, durationMs, undefined) })
  const first = await Promise.race([promise, late])
  clearTimeout(timer)
  return first
}
