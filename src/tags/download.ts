import { EnvHttpProxyAgent, type Response, fetch } from 'undici'
import type { Cloud } from '../acr/clouds.ts'
import { type Download, findLinks, findPage, listLastResorts } from './download-page.ts'
import { maxTagFileBytes } from './tag-file.ts'

/** How a download failed; a closed list. */
export type DownloadFailure =
  | 'unreachable' | 'untrusted' | 'timeout' | 'status' | 'no_link' | 'too_long' | 'insecure' | 'bad_proxy'

/** The file could not be fetched. */
export class DownloadError extends Error {
  override readonly name = 'DownloadError'
  readonly failure: DownloadFailure
  readonly url: string
  /** The status of the answer, or the code and the words of what failed below. */
  readonly code: string

  constructor (failure: DownloadFailure, url: string, code = '', cause?: unknown) {
    super(`${url}: ${failure} ${code}`, { cause })
    this.failure = failure
    this.url = url
    this.code = code
  }
}

export interface DownloadOptions {
  readonly cloud: Cloud
  /** A mirror: the file itself, or a page that links to it. Absent: Microsoft's. */
  readonly from?: URL
  /** Bytes of the file so far, and in all where that is known. */
  readonly onProgress?: (done: number, total: number) => void
  /** Milliseconds until an address has begun to answer, or been silent in the middle of its answer. */
  readonly answerTimeoutMs?: number
  /** Milliseconds for all of it. */
  readonly timeoutMs?: number
}

const maxRedirects = 5

/**
 * Fetches the newest file of service tags of a cloud: from Microsoft's page, or where that has none, from an address
 * that Microsoft does not document. Goes through `HTTPS_PROXY` unless `NO_PROXY` says otherwise. Rejects with
 * `DownloadError`, of several failures with the first.
 */
export async function downloadServiceTags (options: DownloadOptions): Promise<Download> {
  const { cloud, from, onProgress = () => {}, answerTimeoutMs = 30_000, timeoutMs = 300_000 } = options
  const start = from ?? findPage(cloud)
  const agent = createAgent(start, answerTimeoutMs)
  const getOptions = { agent, signal: AbortSignal.timeout(timeoutMs), answerTimeoutMs, onProgress }
  const get = async (url: URL): Promise<Attempt> => {
    try {
      return { download: await getText(url, getOptions) }
    } catch (error) {
      if (error instanceof DownloadError) return { failure: error }
      throw error
    }
  }
  try {
    const first = await get(start)
    return isFile(first) ? first.download : await getLinked(first, { cloud, from, get })
  } finally {
    await agent.destroy()
  }
}

/** HTTPS; for a mirror on the same machine HTTP will do. */
export function isSecure (url: URL): boolean {
  return url.protocol === 'https:' || isLoopbackHttp(url)
}

function isLoopbackHttp ({ protocol, hostname }: URL): boolean {
  return protocol === 'http:' && /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname)
}

/** The variables are read here, and only here can they be wrong. */
function createAgent (start: URL, timeoutMs: number): EnvHttpProxyAgent {
  try {
    return new EnvHttpProxyAgent({ connectTimeout: timeoutMs, bodyTimeout: timeoutMs })
  } catch (error) {
    throw new DownloadError('bad_proxy', start.href, '', error)
  }
}

/** What came of asking one address. */
type Attempt = { readonly download: Download } | { readonly failure: DownloadError }

function isFile (attempt: Attempt): attempt is { readonly download: Download } {
  return 'download' in attempt && attempt.download.text.trimStart().startsWith('{')
}

interface Search {
  readonly cloud: Cloud
  readonly from: URL | undefined
  readonly get: (url: URL) => Promise<Attempt>
}

/** The first file that a page leads to; `page` is it, or why there is none. */
async function getLinked (page: Attempt, { cloud, from, get }: Search): Promise<Download> {
  const links = 'download' in page ? findLinks(page.download, cloud, from) : []
  const failures: DownloadError[] = links.length === 0 ? [failureOf(page)] : []
  for (const url of [...links, ...from === undefined ? listLastResorts(cloud) : []]) {
    const attempt = await get(url)
    if (isFile(attempt)) return attempt.download
    failures.push(failureOf(attempt))
  }
  throw failures[0] ?? failureOf(page)
}

/** Why this is no file. */
function failureOf (attempt: Attempt): DownloadError {
  return 'failure' in attempt ? attempt.failure : new DownloadError('no_link', attempt.download.url)
}

interface GetOptions {
  readonly agent: EnvHttpProxyAgent
  readonly signal: AbortSignal
  readonly answerTimeoutMs: number
  readonly onProgress: (done: number, total: number) => void
}

async function getText (start: URL, options: GetOptions): Promise<Download> {
  if (!isSecure(start)) throw new DownloadError('insecure', start.href)
  let url = start
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const response = await getResponse(url, options)
    const location = response.headers.get('location')
    if (response.status >= 300 && response.status < 400 && location !== null && URL.canParse(location, url.href)) {
      await response.body?.cancel()
      url = follow(url, new URL(location, url.href))
      continue
    }
    if (response.status !== 200) throw new DownloadError('status', url.href, String(response.status))
    return { url: url.href, text: await readBody(response, url, options) }
  }
  throw new DownloadError('status', url.href, 'too many redirects')
}

/** A server elsewhere must not send us to what listens on this machine. */
function follow (from: URL, to: URL): URL {
  if (to.protocol === 'https:' || (isLoopbackHttp(from) && isLoopbackHttp(to))) return to
  throw new DownloadError('insecure', to.href)
}

async function getResponse (url: URL, { agent, signal, answerTimeoutMs }: GetOptions): Promise<Response> {
  // Undici's own bound does not count the time that a proxy takes.
  const late = new AbortController()
  const seconds = answerTimeoutMs / 1000
  const timer = setTimeout(() => late.abort(new DownloadError('timeout', url.href, `${seconds} s`)), answerTimeoutMs)
  try {
    const eitherSignal = AbortSignal.any([signal, late.signal])
    return await fetch(url, { dispatcher: agent, signal: eitherSignal, redirect: 'manual', headers: { accept: '*/*' } })
  } catch (error) {
    throw describeFailure(error, url)
  } finally {
    clearTimeout(timer)
  }
}

async function readBody (response: Response, url: URL, { onProgress }: GetOptions): Promise<string> {
  const total = Number(response.headers.get('content-length') ?? 0)
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for await (const part of response.body ?? []) {
      length += part.length
      if (length > maxTagFileBytes) throw new DownloadError('too_long', url.href)
      parts.push(part)
      onProgress(length, Math.max(total, length))
    }
  } catch (error) {
    throw describeFailure(error, url)
  }
  return new TextDecoder().decode(Buffer.concat(parts))
}

const timeoutCodes = ['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']
// Of OpenSSL's and Node's check of a certificate.
const untrustedCode = /^(?:CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_SELF_SIGNED_|ERR_TLS_CERT_)/

function describeFailure (error: unknown, url: URL): DownloadError {
  if (error instanceof DownloadError) return error
  const cause = findCause(error)
  const code = String(Object(cause).code ?? cause.name)
  const failure = timeoutCodes.includes(code) || cause.name === 'TimeoutError'
    ? 'timeout'
    : untrustedCode.test(code) ? 'untrusted' : 'unreachable'
  return new DownloadError(failure, url.href, [code, cause.message].filter((words) => words !== '').join(', '), error)
}

/** What an error comes from in the end: `fetch` wraps it twice. */
function findCause (error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error))
  return error.cause instanceof Error ? findCause(error.cause) : error
}
