import { Readable } from 'node:stream'
import { createErrorReply, createReply } from '../../src/lab/http-reply.ts'
import type { Answer, Fault } from '../../src/lab/registry.ts'

type Kind = Answer['kind']

/** A good answer to all requests but those of a kind, which get another one. */
export function replaceAnswers (kind: Kind, replace: (answer: Answer) => Answer | undefined): Fault {
  return (answer) => answer.kind === kind ? replace(answer) : answer
}

/** Answers of a kind with other headers. */
export function replaceHeaders (kind: Kind, headers: Readonly<Record<string, string>>): Fault {
  return replaceAnswers(kind, ({ reply }) => {
    return { kind, reply: { ...reply, headers: { ...reply.headers, ...headers } } }
  })
}

/** Answers of a kind with other content. */
export function replaceContent (kind: Kind, content: Buffer): Fault {
  return replaceAnswers(kind, ({ reply: { status, headers } }) => {
    return { kind, reply: createReply(status, headers, content) }
  })
}

/** A data endpoint whose connection breaks so many bytes into a layer. */
export function cutLayers (bytes: number): Fault {
  return replaceAnswers('blobs', ({ kind, reply }) => {
    return { kind, reply: { ...reply, open: () => Readable.from(cut(reply, bytes)) } }
  })
}

async function * cut ({ open }: Answer['reply'], bytes: number): AsyncGenerator<Buffer> {
  let left = bytes
  for await (const chunk of open?.() ?? []) {
    yield (chunk as Buffer).subarray(0, left)
    left -= (chunk as Buffer).length
    if (left <= 0) throw new Error('cut')
  }
}

/** A registry that gives tokens to one user only. */
export function demandPassword (user: string, password: string): Fault {
  const expected = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  return (answer, { headers: { authorization } }) => {
    const isGood = answer.kind !== 'tokens' || authorization === expected
    return isGood ? answer : { kind: 'others', reply: createErrorReply('UNAUTHORIZED') }
  }
}
