import { type IncomingMessage, request } from 'node:http'
import { escapeControls } from '../config/problem.ts'
import { formatSocketAddress } from '../net/address.ts'

/** Where a daemon's admin listener is. */
export interface AdminAddress {
  readonly address: string
  readonly port: number
}

/** What the daemon answered, or why not: what is wrong; what to do. One printable line. */
export type DaemonAnswer =
  | { readonly ok: true, readonly value: unknown }
  | { readonly ok: false, readonly problem: string }

/** Above the ten seconds that the daemon gives itself for an answer. */
const defaultTimeoutMs = 15_000
/** A full record of the longest names has less than 2 MiB. */
const maxBytes = 8 * 1024 * 1024

/** Asks a running daemon for a JSON document. Never rejects, and takes 15 seconds at most unless told. */
export async function askDaemon (
  { address, port }: AdminAddress, path: string, timeoutMs = defaultTimeoutMs,
): Promise<DaemonAnswer> {
  const where = formatSocketAddress(address, port)
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    const response = await open(`http://${where}${path}`, signal)
    const body = await readBody(response)
    if (body === undefined) return stranger(where, `sent more than ${maxBytes / 1024 / 1024} MiB`)
    return judgeAnswer(where, path, response, body)
  } catch (error) {
    if (signal.aborted) {
      return { ok: false, problem: `${where} did not answer within ${timeoutMs / 1000} s; see the daemon's log, then ask again` }
    }
    return describeFailure(where, error instanceof Error && 'code' in error ? String(error.code) : 'no code')
  }
}

async function open (url: string, signal: AbortSignal): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    request(url, { agent: false, signal, headers: { accept: 'application/json' } })
      .once('response', resolve).once('error', reject).end()
  })
}

/** `undefined` for one that is too long. */
async function readBody (response: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    length += chunk.length
    if (length > maxBytes) return undefined
  }
  return Buffer.concat(chunks).toString()
}

function judgeAnswer (where: string, path: string, response: IncomingMessage, body: string): DaemonAnswer {
  const { statusCode = 0, headers: { server = '' } } = response
  const isOurs = /^acr-egress\/[\w.-]+$/.test(String(server))
  if (!isOurs) return stranger(where, `is not the admin listener of acr-egress (it answered ${statusCode})`)
  const value = parseJson(body)
  if (statusCode === 404) {
    const name = path.replace(/\?.*$/, '')
    return { ok: false, problem: `the daemon at ${where} is ${String(server)} and has no ${name}; restart it with the version of this command` }
  }
  if (statusCode !== 200) {
    const { detail } = Object(value) as { detail?: unknown }
    const said = typeof detail === 'string' ? escapeControls(detail.slice(0, 300)) : 'See its log.'
    return { ok: false, problem: `the daemon at ${where} answered ${statusCode}: ${said}` }
  }
  return value === undefined ? stranger(where, 'sent what is not JSON') : { ok: true, value }
}

function describeFailure (where: string, code: string): DaemonAnswer {
  switch (code) {
    case 'ECONNREFUSED':
      return { ok: false, problem: `nothing listens at ${where}; see that the gateway runs here (systemctl status acr-egress), or name its admin listener: --admin ADDR:PORT` }
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return { ok: false, problem: `there is no way to ${where} (${code}); name the gateway's admin listener: --admin ADDR:PORT` }
    default:
      return stranger(where, `does not answer as one does (${escapeControls(code)})`)
  }
}

function stranger (where: string, what: string): DaemonAnswer {
  return { ok: false, problem: `what listens at ${where} ${what}; name the gateway's admin listener, not its proxy port: --admin ADDR:PORT` }
}

function parseJson (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
