import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { createServer, type Server } from 'node:https'
import { issueServerCertificate, type Authority } from '../tls/certificates.ts'
import { createBlobLinks, type BlobLinks } from './blob-link.ts'
import { parseRange } from './byte-range.ts'
import { createErrorReply, createReply, sendReply, type Reply } from './http-reply.ts'
import type { Image, ImageBlob } from './image.ts'
import { listenOnLoopback, loopback } from './loopback.ts'

/** Long enough for any test and demo; the authority of a lab dies with it. */
const certificateDays = 30

export interface LabRegistryOptions {
  /** The registry's name, as `contoso.azurecr.io`. */
  readonly loginServer: string
  /** Where layers come from, as `contoso.eastus.data.azurecr.io`. */
  readonly dataEndpoint: string
  readonly repository: string
  readonly tag: string
  readonly image: Image
  /** Issues the certificates of both servers. */
  readonly authority: Authority
  /** The port written into the links to the data endpoint; absent: 443, as Azure's are. It need not be the real one. */
  readonly dataLocation?: { readonly port?: number }
  /** Milliseconds since the epoch; the system's clock when absent. */
  readonly now?: () => number
  /** When the certificates were issued, for 30 days; now when absent. */
  readonly issuedAt?: Date
  /** Spoils answers, for tests; none when absent. */
  readonly fault?: Fault
}

/** How often each kind of request was answered. */
export interface RegistryRequests {
  /** 401, where to get a token. */
  readonly challenges: number
  readonly tokens: number
  readonly manifests: number
  /** 307, to the data endpoint. */
  readonly redirects: number
  /** Blobs or parts of them, from the data endpoint. */
  readonly blobs: number
  /** All other answers: errors, and the version check. */
  readonly others: number
}

/** A registry that listens; each of its two names has a port of its own. */
export interface LabRegistry {
  readonly login: Listener
  readonly data: Listener
  /** Counts as they stand at the moment of asking. */
  readonly requests: RegistryRequests
  /** Ends both servers and every connection. */
  close (): Promise<void>
}

/** Where a name of the registry is really served. */
export interface Listener {
  readonly address: string
  readonly port: number
}

type Kind = keyof RegistryRequests

/** An answer, and what it counts as. */
export interface Answer {
  readonly kind: Kind
  readonly reply: Reply
}

/** What is sent in place of a good answer; `undefined`: nothing at all, ever. */
export type Fault = (answer: Answer, request: IncomingMessage) => Answer | undefined

/**
 * Starts a look-alike of an Azure container registry with one public image: a login server that asks for an anonymous
 * token and redirects blobs, and a data endpoint that serves them by signed link. The caller closes it.
 */
export async function startLabRegistry (options: LabRegistryOptions): Promise<LabRegistry> {
  const requests = { challenges: 0, tokens: 0, manifests: 0, redirects: 0, blobs: 0, others: 0 }
  const links = createBlobLinks({ now: options.now ?? Date.now })

  async function createHttpsServer (name: string, answer: (request: IncomingMessage) => Answer): Promise<Server> {
    const { authority, issuedAt: now = new Date(), fault = (good) => good } = options
    const issued = await issueServerCertificate({ authority, hosts: [name], validDays: certificateDays, now })
    return createServer({ cert: issued.chainPem, key: issued.keyPem, noDelay: true }, (request, response) => {
      const { kind, reply } = answer(request)
      requests[kind]++
      request.resume()
      const sent = fault({ kind, reply }, request)
      if (sent !== undefined) sendReply(response, sent.reply)
    })
  }

  const [loginServer, dataServer] = await Promise.all([
    createHttpsServer(options.loginServer, createLoginAnswers(options, links)),
    createHttpsServer(options.dataEndpoint, createDataAnswers(options.image, links)),
  ])
  const login = await listenOnLoopback(loginServer)
  const data = await listenOnLoopback(dataServer)
  return {
    login: { address: loopback, port: login.port },
    data: { address: loopback, port: data.port },
    requests,
    async close () {
      await Promise.all([login.close(), data.close()])
    },
  }
}

function createLoginAnswers (options: LabRegistryOptions, links: BlobLinks): (request: IncomingMessage) => Answer {
  const { loginServer, repository, tag, image: { manifest } } = options
  const token = randomBytes(24).toString('base64url')
  const blobs = indexBlobs(options.image)
  const dataOrigin = `https://${options.dataEndpoint}${formatPort(options.dataLocation?.port)}`
  const challenge = `Bearer realm="https://${loginServer}/oauth2/token",service="${loginServer}",` +
    `scope="repository:${repository}:pull"`

  const answerManifest = (reference: string): Answer => {
    if (reference !== tag && reference !== manifest.digest) return refuse(createErrorReply('MANIFEST_UNKNOWN'))
    const headers = { 'content-type': manifest.mediaType, 'docker-content-digest': manifest.digest }
    return { kind: 'manifests', reply: createReply(200, headers, manifest.content) }
  }

  const answerBlob = (digest: string): Answer => {
    if (!blobs.has(digest)) return refuse(createErrorReply('BLOB_UNKNOWN'))
    const headers = { location: dataOrigin + links.sign(digest), 'docker-content-digest': digest, 'content-length': 0 }
    return { kind: 'redirects', reply: { status: 307, headers } }
  }

  return (request) => {
    const path = readPath(request)
    if (!isReading(request)) return refuse(createErrorReply('UNSUPPORTED', { allow: 'GET, HEAD' }))
    if (path === '/oauth2/token') return { kind: 'tokens', reply: createJsonReply({ access_token: token }) }
    if (!path.startsWith('/v2/')) return refuse(createErrorReply('NAME_UNKNOWN'))
    if (request.headers.authorization !== `Bearer ${token}`) {
      return { kind: 'challenges', reply: createErrorReply('UNAUTHORIZED', { 'www-authenticate': challenge }) }
    }
    if (path === '/v2/') return { kind: 'others', reply: createJsonReply({}) }
    const { name, resource, reference = '' } = /^\/v2\/(?<name>.+)\/(?<resource>manifests|blobs)\/(?<reference>[^/]+)$/
      .exec(path)?.groups ?? {}
    if (name !== repository) return refuse(createErrorReply('NAME_UNKNOWN'))
    return resource === 'manifests' ? answerManifest(reference) : answerBlob(reference)
  }
}

function createDataAnswers (image: Image, links: BlobLinks): (request: IncomingMessage) => Answer {
  const blobs = indexBlobs(image)
  return (request) => {
    if (!isReading(request)) return refuse(createErrorReply('UNSUPPORTED', { allow: 'GET, HEAD' }))
    const digest = links.verify(request.url ?? '')
    if (digest === undefined) return refuse(createErrorReply('DENIED'))
    const blob = blobs.get(digest)
    return blob === undefined ? refuse(createErrorReply('BLOB_UNKNOWN')) : answerContent(blob, request)
  }
}

function answerContent (blob: ImageBlob, { headers: { range: asked } }: IncomingMessage): Answer {
  const headers = { 'content-type': 'application/octet-stream', 'accept-ranges': 'bytes', etag: `"${blob.digest}"` }
  const range = parseRange(asked, blob.size)
  if (range === 'unsatisfiable') {
    return refuse({ status: 416, headers: { 'content-range': `bytes */${blob.size}`, 'content-length': 0 } })
  }
  if (range === undefined) {
    return { kind: 'blobs', reply: { status: 200, headers: { ...headers, 'content-length': blob.size }, open: () => blob.open() } }
  }
  const { start, end } = range
  const partHeaders = { 'content-range': `bytes ${start}-${end}/${blob.size}`, 'content-length': end - start + 1 }
  return { kind: 'blobs', reply: { status: 206, headers: { ...headers, ...partHeaders }, open: () => blob.open(range) } }
}

function indexBlobs ({ config, layers }: Image): ReadonlyMap<string, ImageBlob> {
  return new Map([config, ...layers].map((blob) => [blob.digest, blob]))
}

function refuse (reply: Reply): Answer {
  return { kind: 'others', reply }
}

function createJsonReply (value: object): Reply {
  return createReply(200, { 'content-type': 'application/json; charset=utf-8' }, Buffer.from(JSON.stringify(value)))
}

function isReading ({ method }: IncomingMessage): boolean {
  return method === 'GET' || method === 'HEAD'
}

function readPath ({ url = '' }: IncomingMessage): string {
  return url.split('?')[0] ?? ''
}

function formatPort (port = 443): string {
  return port === 443 ? '' : `:${port}`
}
