import { z } from 'zod'
import type { Mistake } from '../acr/login-server.ts'
import { durationPattern, guessDuration, parseDuration } from './duration.ts'
import { findNearest } from './nearest.ts'
import { describeFound, escapeControls, quote } from './problem.ts'

/** A part of a text that was understood, or how it should have been written. */
export type Reading<T> = { readonly ok: true, readonly value: T } | { readonly ok: false, readonly mistake: Mistake }

/** What a key wants, in the words of its messages. */
export interface Expectation {
  /** With its article: `a duration like 10s`. */
  readonly expected: string
  /** What follows "write": an example, or a guess at what was meant. */
  readonly write: string | ((found: unknown) => string)
}

/** The sentence for a value that is missing, or of another kind than expected. */
export function expecting ({ expected, write }: Expectation): (issue: { readonly input?: unknown }) => string {
  return ({ input }) => {
    const advice = typeof write === 'string' ? write : write(input)
    if (input === undefined) return `is missing; write ${advice}`
    return `expected ${expected}, found ${describeFound(input)}; write ${advice}`
  }
}

/** A map with these keys and no others; `error` in place of the usual sentence for another value. */
export function section<Shape extends z.core.$ZodLooseShape> (shape: Shape, error = expectedMap) {
  return z.strictObject(shape, { error })
}

const expectedMap = expecting({ expected: 'a map', write: 'its keys below it, each on a line and indented, or drop the key' })

interface ListExpectation extends Expectation {
  /** A whole list, as an example. */
  readonly write: string
  /** A list that must be there cannot be dropped. */
  readonly isRequired?: boolean
}

/** A list that is not empty. An empty one could mean "none" or "the default", so it is not accepted for either. */
export function listOf<Item extends z.ZodType> (item: Item, expectation: ListExpectation) {
  const { expected, write: example, isRequired = false } = expectation
  const write = (found: unknown) => typeof found === 'string' && item.safeParse(found).success ? `[${found}]` : example
  return z.array(item, { error: expecting({ expected, write }) })
    .min(1, { error: `the list is empty; ${isRequired ? '' : 'drop the key, or '}write ${example}` })
}

/** True or false, and none of the other words that older YAML took for them. */
export function bool () {
  const write = (found: unknown) => {
    if (typeof found !== 'string') return 'true or false'
    const isYes = /^(?:yes|on|y|true|1)$/i.test(found)
    return isYes || /^(?:no|off|n|false|0)$/i.test(found) ? `${isYes}, without quotes (YAML 1.2 reads yes, no, on and off as text)` : 'true or false'
  }
  return z.boolean({ error: expecting({ expected: 'true or false', write }) })
}

/** One of a few words. */
export function choice<const Words extends readonly [string, ...string[]]> (words: Words) {
  const expected = `one of ${words.join(', ')}`
  const write = (found: unknown) => (typeof found === 'string' ? findNearest(found, words) : undefined) ?? 'one of these'
  return z.enum(words, { error: expecting({ expected, write }) })
}

/** A whole number within bounds. */
export function count ({ from, to }: { readonly from: number, readonly to: number }) {
  const write = (found: unknown) => {
    const guess = typeof found === 'string' && /^[0-9]{1,9}$/.test(found) ? Number(found) : undefined
    return guess !== undefined && guess >= from && guess <= to ? `${guess} without quotes` : 'a number in that range'
  }
  const error = expecting({ expected: `a whole number from ${from} to ${to}`, write })
  return z.int({ error }).min(from, { error }).max(to, { error })
}

/** The port of a listener. */
export function listenPort () {
  return count({ from: 0, to: 65535 })
}

/** A duration between two others, as milliseconds. */
export function duration ({ from, to }: { readonly from: string, readonly to: string }) {
  const fromMs = parseDuration(from) ?? NaN
  const toMs = parseDuration(to) ?? NaN
  const error = expecting({ expected: 'a duration like 10s', write: (found) => guessDuration(found) ?? 'a number with ms, s, m, h or d behind it' })
  return z.string({ error }).regex(durationPattern, { error }).transform((text, context) => {
    const durationMs = parseDuration(text) ?? NaN
    if (durationMs >= fromMs && durationMs <= toMs) return durationMs
    return fail(context, text, { what: `${text} is out of bounds`, write: `write a duration from ${from} to ${to}` })
  }).meta({ title: `duration, ${from} to ${to}` })
}

/** The path of a file; relative ones are resolved when the file is read. */
export function path () {
  const error = expecting({ expected: 'the path of a file', write: 'a path like /etc/acr-egress/tls.key' })
  // eslint-disable-next-line no-control-regex -- a path that holds a NUL can be given to no system call
  return z.string({ error }).regex(/^[^\x00]{1,4096}$/, { error }).meta({ title: 'path' })
}

/** A text that stands for a value. */
export interface TextField<T> extends Expectation {
  /** What it is in a word or two, for the reference page and for editors. */
  readonly title: string
  /** Most characters that `read` is given; 100 unless told. */
  readonly maxLength?: number
  /** The text may hold a secret, and is not quoted. */
  readonly isSecret?: boolean
  read (text: string): Reading<T>
}

/** The field of a text that `read` understands. */
export function textField<T> ({ title, maxLength = 100, isSecret = false, read, ...expectation }: TextField<T>) {
  return z.string({ error: expecting(expectation) }).transform((text, context): T => {
    if (text.length > maxLength) {
      return fail(context, text, { what: isSecret ? 'the text is too long' : `${quote(text)} is too long`, write: `write at most ${maxLength} characters` })
    }
    const reading = read(text)
    return reading.ok ? reading.value : fail(context, text, reading.mistake)
  }).meta({ title })
}

function fail (context: z.core.$RefinementCtx, input: string, { what, write }: Mistake): never {
  context.issues.push({ code: 'custom', input, message: escapeControls(`${what}; ${write}`) })
  return z.NEVER
}

/** A reading that failed, with advice that follows "write". */
export function mistaken (what: string, write: string): Reading<never> {
  return { ok: false, mistake: { what, write: `write ${write}` } }
}
