import { EnvHttpProxyAgent, type Response, fetch } from 'undici'
import type { Cloud } from '../acr/clouds.ts'

/** What was fetched, and from where. */
export interface Download {
  readonly url: string
  readonly text: string
}

/** How a download failed; a closed list. */
export type DownloadFailure = 'unreachable' | 'status' | 'no_link' | 'too_long' | 'timeout' | 'insecure'

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
  /** Ends the download. */
  readonly signal?: AbortSignal
  /** Bytes of the file so far, and in all where that is known. */
  readonly onProgress?: (done: number, total: number) => void
}

// The largest so far has 4 MB.
const maxBytes = 32 * 1024 * 1024
const answerTimeoutMs = 30_000
const timeoutMs = 300_000
const maxRedirects = 5
// A page may hold several links, of which the newest does not always work.
const maxLinks = 3

/**
 * Fetches the newest file of service tags of a cloud: from Microsoft's page, or where that has none, from an address
 * that Microsoft does not document. Goes through `HTTPS_PROXY` unless `NO_PROXY` says otherwise. Rejects with
 * `DownloadError`, of several failures with the first.
 */
export async function downloadServiceTags (options: DownloadOptions): Promise<Download> {
  const { cloud, from, onProgress } = options
  const signals = [AbortSignal.timeout(timeoutMs), ...options.signal === undefined ? [] : [options.signal]]
  const agent = new EnvHttpProxyAgent({
    headersTimeout: answerTimeoutMs, bodyTimeout: answerTimeoutMs, connectTimeout: answerTimeoutMs,
  })
  const get = async (url: URL): Promise<Download> => {
    return await getText(url, { agent, signal: AbortSignal.any(signals), onProgress: onProgress ?? (() => {}) })
  }
  try {
    const first = await get(from ?? findPage(cloud)).catch((error: unknown) => error)
    if (isFile(first)) return first
    return await getLinked(first, { cloud, from, get })
  } finally {
    await agent.destroy()
  }
}

/** Microsoft's page for a cloud's file. */
export function findPage ({ tagsPageId }: Cloud): URL {
  return new URL(`https://www.microsoft.com/en-us/download/details.aspx?id=${tagsPageId}`)
}

/** The links to a cloud's files in a page, the newest first: to Microsoft's download host, or on a mirror to itself. */
export function findLinks (page: Download, { tagsName }: Cloud, host = 'download.microsoft.com'): readonly URL[] {
  const form = new RegExp(`["'=]\\s*([^"'\\s<>=]*ServiceTags_${tagsName}_(\\d{8})\\.json)`, 'g')
  const days = new Map<string, string>()
  // In a script the slashes may be escaped.
  for (const [, link = '', day = ''] of page.text.replaceAll('\\/', '/').matchAll(form)) {
    if (!URL.canParse(link, page.url)) continue
    const url = new URL(link, page.url)
    if (url.host === host && url.protocol === new URL(page.url).protocol) days.set(url.href, day)
  }
  return [...days].sort(([, a], [, b]) => b.localeCompare(a)).slice(0, maxLinks).map(([href]) => new URL(href))
}

interface Search {
  readonly cloud: Cloud
  readonly from: URL | undefined
  readonly get: (url: URL) => Promise<Download>
}

/** The first file that a page leads to; `page` is it, or why there is none. */
async function getLinked (page: unknown, { cloud, from, get }: Search): Promise<Download> {
  const links = isDownload(page) ? findLinks(page, cloud, from?.host) : []
  let failure: unknown = isDownload(page) ? new DownloadError('no_link', page.url) : page
  for (const url of [...links, ...from === undefined ? listLastResorts(cloud) : []]) {
    const file = await get(url).catch((error: unknown) => error)
    if (isFile(file)) return file
    if (links.includes(url)) failure = isDownload(file) ? new DownloadError('no_link', file.url) : file
  }
  throw failure
}

/** In use by others for years, and in none of Microsoft's documents. */
function listLastResorts ({ tagsName }: Cloud): readonly URL[] {
  const folder = 'https://download.microsoft.com/download/7/1/D/71D86715-5596-4529-9B13-DA13A5DE5B63'
  return tagsName === 'Public' ? [new URL(`${folder}/ServiceTags_Public_Latest.json`)] : []
}

function isDownload (value: unknown): value is Download {
  return !(value instanceof Error)
}

function isFile (value: unknown): value is Download {
  return isDownload(value) && value.text.trimStart().startsWith('{')
}

interface GetOptions {
  readonly agent: EnvHttpProxyAgent
  readonly signal: AbortSignal
  readonly onProgress: (done: number, total: number) => void
}

async function getText (start: URL, options: GetOptions): Promise<Download> {
  let url = start
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    if (!isSecure(url)) throw new DownloadError('insecure', url.href)
    const response = await getResponse(url, options)
    const location = response.headers.get('location')
    if (response.status >= 300 && response.status < 400 && location !== null && URL.canParse(location, url.href)) {
      await response.body?.cancel()
      url = new URL(location, url.href)
      continue
    }
    if (response.status !== 200) throw new DownloadError('status', url.href, String(response.status))
    return { url: url.href, text: await readBody(response, url, options) }
  }
  throw new DownloadError('status', url.href, 'too many redirects')
}

/** HTTPS; for a lab on the same machine HTTP will do. */
function isSecure ({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || (protocol === 'http:' && /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname))
}

async function getResponse (url: URL, { agent, signal }: GetOptions): Promise<Response> {
  try {
    return await fetch(url, { dispatcher: agent, signal, redirect: 'manual', headers: { accept: '*/*' } })
  } catch (error) {
    throw describeFailure(error, url)
  }
}

async function readBody (response: Response, url: URL, { onProgress }: GetOptions): Promise<string> {
  const total = Number(response.headers.get('content-length') ?? 0)
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for await (const part of response.body ?? []) {
      length += part.length
      if (length > maxBytes) throw new DownloadError('too_long', url.href)
      parts.push(part)
      onProgress(length, Math.max(total, length))
    }
  } catch (error) {
    throw error instanceof DownloadError ? error : describeFailure(error, url)
  }
  return new TextDecoder().decode(Buffer.concat(parts))
}

const timeoutCodes = ['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']

function describeFailure (error: unknown, url: URL): DownloadError {
  const cause = findCause(error)
  const code = Object(cause).code ?? cause.name
  const isLate = timeoutCodes.includes(code) || cause.name === 'TimeoutError'
  return new DownloadError(isLate ? 'timeout' : 'unreachable', url.href, `${code}, ${cause.message}`, error)
}

/** What an error comes from in the end: `fetch` wraps it twice. */
function findCause (error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error))
  return error.cause instanceof Error ? findCause(error.cause) : error
}
