import { STATUS_CODES } from 'node:http'
import type { FastifyReply } from 'fastify'

/** The body of every answer that is an error: "problem details" (RFC 9457) whose type is the status code itself. */
export interface Problem {
  readonly status: number
  /** What is wrong and what to do, for a person. */
  readonly detail: string
  /** The paths there are, when the one asked for is not among them. */
  readonly endpoints?: readonly string[]
}

const mediaType = 'application/problem+json; charset=utf-8'

/** Answers with a problem. */
export function sendProblem (reply: FastifyReply, problem: Problem): FastifyReply {
  return reply.code(problem.status).type(mediaType).send(formatBody(problem))
}

/**
 * The same answer as text for a bare socket, for requests that HTTP's parser gave up on. It announces the end of
 * the connection, which the caller closes.
 */
export function formatProblem (problem: Problem, headers: Readonly<Record<string, string>>): string {
  const body = formatBody(problem)
  const fields = {
    ...headers,
    'content-type': mediaType,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${problem.status} ${describeStatus(problem.status)}\r\n${lines.join('')}\r\n${body}`
}

function formatBody (problem: Problem): string {
  return JSON.stringify({ type: 'about:blank', title: describeStatus(problem.status), ...problem })
}

function describeStatus (status: number): string {
  return STATUS_CODES[status] ?? 'Error'
}
