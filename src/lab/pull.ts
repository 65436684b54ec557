import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { readBody } from '../outbound/get-request.ts'
import type { ProxyAddress } from '../outbound/tunnel-client.ts'
import { requestThroughTunnel } from './tunnelled-request.ts'

const defaultConcurrency = 3
/** The OCI distribution specification asks registries to take manifests of up to 4 MiB. */
const maxDocumentBytes = 4 * 1024 * 1024
const maxRedirects = 3
const manifestTypes = 'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json'

export interface PullOptions {
  readonly proxy: ProxyAddress
  /** The login server, as `contoso.azurecr.io`; asked on port 443. */
  readonly registry: string
  readonly repository: string
  readonly tag: string
  /** The authority that the registry's certificates must come from, PEM. */
  readonly ca: string
  /** Called for each piece of a blob: how much has come by now, and how much there is to come in all. */
  readonly onProgress?: (receivedBytes: number, totalBytes: number) => void
  /** How many blobs are read at once; 3 when absent, as docker does. */
  readonly concurrency?: number
  readonly signal?: AbortSignal
}

export interface PullResult {
  /** Of the configuration and all layers. */
  readonly bytes: number
  readonly layers: number
  /** The manifest's. */
  readonly digest: string
  readonly durationMs: number
}

/** A pull that got through the proxy and met something wrong behind it. */
export class PullError extends Error {
  override readonly name = 'PullError'
  /** Content that is not what its digest or size says, or an answer that a pull cannot go on with. */
  readonly code: 'ERR_PULL_CONTENT' | 'ERR_PULL_ANSWER'

  constructor (code: PullError['code'], message: string) {
    super(message)
    this.code = code
  }
}

interface Descriptor {
  readonly digest: string
  readonly size: number
}

interface ImageManifest {
  readonly digest: string
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
}

/** What all requests of one pull share. */
interface Session extends PullOptions {
  readonly signal: AbortSignal
  /** The value of `Authorization` towards the login server. */
  readonly authorization: string | undefined
}

/**
 * Pulls an image as docker does and throws it away: version check, anonymous token, manifest, then every blob by its
 * redirect, each request through a CONNECT of its own, TLS inside it, every digest verified.
 *
 * Rejects with `ProxyRefusedError` when the proxy refuses a CONNECT, with `PullError` for a bad answer or bad content,
 * with the signal's reason when aborted, else as a connection fails. The first failure ends the other requests.
 */
export async function pullImage (options: PullOptions): Promise<PullResult> {
  const startedAt = performance.now()
  const ended = new AbortController()
  const signal = options.signal === undefined ? ended.signal : AbortSignal.any([ended.signal, options.signal])
  try {
    const stranger: Session = { ...options, signal, authorization: undefined }
    const session: Session = { ...stranger, authorization: await authorize(stranger) }
    const { digest, config, layers } = await fetchManifest(session)
    const bytes = await fetchBlobs(session, [config, ...layers])
    return { bytes, layers: layers.length, digest, durationMs: performance.now() - startedAt }
  } catch (error) {
    options.signal?.throwIfAborted()
    throw error
  } finally {
    ended.abort()
  }
}

/** Asks for a token where the registry's challenge says (RFC 6750 section 3); a registry without one wants none. */
async function authorize (session: Session): Promise<string | undefined> {
  const { registry, repository } = session
  const checkUrl = new URL(`https://${registry}/v2/`)
  const check = await get(session, checkUrl)
  await readDocument(check)
  if (check.statusCode === 200) return undefined
  const challenge = check.headers['www-authenticate'] ?? ''
  const realm = readParameter(challenge, 'realm') ?? ''
  if (check.statusCode !== 401 || !URL.canParse(realm)) throw createAnswerError(checkUrl, check)
  const url = new URL(realm)
  url.searchParams.set('service', readParameter(challenge, 'service') ?? registry)
  url.searchParams.set('scope', `repository:${repository}:pull`)
  const { access_token: accessToken, token = accessToken } = parseObject(await fetchDocument(session, url))
  if (typeof token === 'string') return `Bearer ${token}`
  throw new PullError('ERR_PULL_ANSWER', `${describe(url)} answered without a token; allow anonymous pull, or try another registry`)
}

async function fetchManifest (session: Session): Promise<ImageManifest> {
  const url = new URL(`https://${session.registry}/v2/${session.repository}/manifests/${session.tag}`)
  const response = await get(session, url, { accept: manifestTypes })
  const content = await readDocument(response)
  if (response.statusCode !== 200) throw createAnswerError(url, response)
  const digest = computeDigest(content)
  const stated = response.headers['docker-content-digest']
  if (stated !== digest) throw createContentError(describe(url), `has digest ${digest}, and its header says ${String(stated)}`)
  const { config, layers } = parseObject(content)
  if (isDescriptor(config) && Array.isArray(layers) && layers.every(isDescriptor)) return { digest, config, layers }
  throw new PullError('ERR_PULL_ANSWER', `${describe(url)} is no image manifest; pull the tag of a single-platform image`)
}

/** Several at a time, in order; the first to fail ends the rest. */
async function fetchBlobs (session: Session, blobs: readonly Descriptor[]): Promise<number> {
  const { concurrency = defaultConcurrency, onProgress } = session
  const totalBytes = blobs.reduce((sum, { size }) => sum + size, 0)
  let receivedBytes = 0
  const waiting = [...blobs]
  const fetchWaiting = async (): Promise<void> => {
    for (let blob = waiting.shift(); blob !== undefined; blob = waiting.shift()) {
      await fetchBlob(session, blob, (bytes) => {
        receivedBytes += bytes
        onProgress?.(receivedBytes, totalBytes)
      })
    }
  }
  await Promise.all(Array.from({ length: concurrency }, fetchWaiting))
  return receivedBytes
}

async function fetchBlob (session: Session, blob: Descriptor, onBytes: (bytes: number) => void): Promise<void> {
  const { digest, size } = blob
  const url = new URL(`https://${session.registry}/v2/${session.repository}/blobs/${digest}`)
  const response = await getRedirected(session, url)
  if (response.statusCode !== 200) {
    response.destroy()
    throw createAnswerError(url, response)
  }
  const hash = createHash('sha256')
  let receivedBytes = 0
  await readBody(response, (chunk) => {
    receivedBytes += chunk.length
    if (receivedBytes > size) throw createContentError(describe(url), `is longer than the ${size} bytes of its manifest`)
    hash.update(chunk)
    onBytes(chunk.length)
  })
  const actual = `sha256:${hash.digest('hex')}`
  if (actual !== digest) throw createContentError(describe(url), `came as ${receivedBytes} bytes with digest ${actual}`)
}

async function getRedirected (session: Session, start: URL): Promise<IncomingMessage> {
  let url = start
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const response = await get(session, url)
    const { location = '' } = response.headers
    if (response.statusCode !== 307 || !URL.canParse(location, url.href)) return response
    await readDocument(response)
    url = new URL(location, url)
  }
  throw new PullError('ERR_PULL_ANSWER', `${describe(start)} redirects more than ${maxRedirects} times`)
}

/** One request of the pull; the token goes to the registry that gave it and to nobody else. */
async function get (session: Session, url: URL, more: Readonly<Record<string, string>> = {}): Promise<IncomingMessage> {
  const { proxy, ca, signal, registry, authorization } = session
  const isOwn = url.hostname === registry && authorization !== undefined
  const headers = isOwn ? { ...more, authorization } : more
  return await requestThroughTunnel({ proxy, url, ca, headers, signal })
}

async function fetchDocument (session: Session, url: URL): Promise<Buffer> {
  const response = await get(session, url)
  const content = await readDocument(response)
  if (response.statusCode !== 200) throw createAnswerError(url, response)
  return content
}

async function readDocument (response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let receivedBytes = 0
  await readBody(response, (chunk) => {
    receivedBytes += chunk.length
    if (receivedBytes > maxDocumentBytes) throw new PullError('ERR_PULL_ANSWER', 'the registry sent a document of more than 4 MiB')
    chunks.push(chunk)
  })
  return Buffer.concat(chunks)
}

/** A parameter of a challenge, `name="value"` (RFC 9110 section 11.6.1). */
function readParameter (challenge: string, name: string): string | undefined {
  return new RegExp(`[ ,]${name}="([^"]*)"`, 'i').exec(challenge)?.[1]
}

function parseObject (content: Buffer): Record<string, unknown> {
  try {
    return Object(JSON.parse(content.toString())) as Record<string, unknown>
  } catch {
    throw new PullError('ERR_PULL_ANSWER', 'the registry sent a document that is not JSON; is this a registry?')
  }
}

function isDescriptor (value: unknown): value is Descriptor {
  const { digest, size } = Object(value) as Partial<Descriptor>
  return typeof digest === 'string' && /^sha256:[0-9a-f]{64}$/.test(digest) && Number.isSafeInteger(size)
}

function computeDigest (content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}

/** Without the query: that of a blob's link is a secret. */
function describe (url: URL): string {
  return url.host + url.pathname
}

function createAnswerError (url: URL, { statusCode, statusMessage }: IncomingMessage): PullError {
  return new PullError('ERR_PULL_ANSWER', `${describe(url)} answered ${statusCode} ${statusMessage}`)
}

function createContentError (what: string, problem: string): PullError {
  return new PullError('ERR_PULL_CONTENT', `${what} ${problem}; what lies between has changed or cut it`)
}
