import { createHash } from 'node:crypto'
import type { HostName } from '../net/host-name.ts'
import { type Answer, type Exchange, readObject } from './exchange.ts'
import type { ImageReference } from './image-reference.ts'
import { failByStatus, nameAnswer } from './registry-answer.ts'
import type { Route } from './route.ts'
import { type Outcome, StepFailure } from './step.ts'
import type { Authorization } from './token.ts'
import type { Walk } from './walk.ts'

/** Content that a manifest names. */
export interface Descriptor {
  readonly digest: string
  readonly size: number
}

/** What this host runs, in the words of image indexes (those of Go: GOOS and GOARCH). */
export interface Platform {
  readonly os: string
  readonly architecture: string
}

export interface ManifestOptions {
  readonly image: ImageReference
  readonly platform: Platform
  readonly authorization: Authorization
}

const accept = [
  'application/vnd.oci.image.index.v1+json', 'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json', 'application/vnd.docker.distribution.manifest.v2+json',
].join(', ')

/** Fetches the manifest of the image for this host, by way of the index if there is one: one step. Gives a layer. */
export async function fetchLargestLayer (
  walk: Walk, route: Route, exchange: Exchange, options: ManifestOptions,
): Promise<Descriptor> {
  const { host } = route
  return await walk.take({
    step: 'manifest',
    host,
    late: { found: 'the registry gave no manifest', toDo: `Try again; if it stays, see what is between here and ${host}.` },
    take: async (signal) => {
      const { image: { reference }, platform } = options
      const fetchOne = async (one: string): Promise<Readonly<Record<string, unknown>>> => {
        return await fetchManifest(route, exchange, options, { reference: one, signal })
      }
      const first = await fetchOne(reference)
      if (!Array.isArray(first['manifests'])) return chooseLayer(first, '')
      const digest = choosePlatform(first['manifests'], platform)
      return chooseLayer(await fetchOne(digest), `${nameDigest(digest)} for ${namePlatform(platform)}, `)
    },
  })
}

async function fetchManifest (
  route: Route, exchange: Exchange, { image: { repository }, authorization }: ManifestOptions,
  { reference, signal }: { readonly reference: string, readonly signal: AbortSignal },
): Promise<Readonly<Record<string, unknown>>> {
  const { host } = route
  const url = new URL(`https://${host}/v2/${repository}/manifests/${reference}`)
  const answer = await exchange.fetch(route, { url, headers: { ...authorization, Accept: accept }, signal })
  const isDigested = reference.includes(':')
  const image = `${repository}${isDigested ? '@' : ':'}${reference}`
  if (answer.status !== 200) throw describeStatus(answer, host, image)
  const digest = `sha256:${createHash('sha256').update(answer.body).digest('hex')}`
  if (isDigested && reference !== digest) {
    throw new StepFailure(`the manifest ${nameDigest(reference)} came with other content than its digest says`,
      'Something on the way changes what is pulled: see who issued the certificate (step tls).')
  }
  const manifest = readObject(answer)
  if (manifest !== undefined) return manifest
  throw new StepFailure('the manifest is not JSON', 'See what answers in the place of the registry.')
}

function describeStatus (answer: Answer, host: HostName, image: string): StepFailure {
  const said = `(${nameAnswer(answer)})`
  if (answer.status === 404) {
    const [name = ''] = host.split(/[.-]/)
    return new StepFailure(`there is no ${image} in ${host} ${said}`,
      `Check repository and tag: az acr repository show-tags --name ${name} --repository ${image.split(/[:@]/)[0] ?? ''}`)
  }
  if (answer.status === 401 || answer.status === 403) {
    return new StepFailure(`this user may not pull ${image} ${said}`,
      'Give the user the role AcrPull (or the repository to its token), or allow anonymous pull.')
  }
  return failByStatus(answer, `the request for ${image}`)
}

/** The digest of the manifest for a platform. */
function choosePlatform (manifests: readonly unknown[], wanted: Platform): string {
  const known = manifests.flatMap((one) => {
    const { digest, platform } = Object(one) as { digest?: unknown, platform?: unknown }
    const { os, architecture } = Object(platform) as { os?: unknown, architecture?: unknown }
    return isDigest(digest) ? [{ digest, os: String(os), architecture: String(architecture) }] : []
  })
  const match = known.find(({ os, architecture }) => os === wanted.os && architecture === wanted.architecture)
  if (match !== undefined) return match.digest
  // Attestations have an unknown platform, and are nothing to run.
  const others = [...new Set(known.map(namePlatform))].filter((name) => !name.startsWith('unknown/')).slice(0, maxNamed)
  throw new StepFailure(`the image is not there for ${namePlatform(wanted)}, only for ${others.join(', ') || 'nothing'}`,
    `Push it for ${namePlatform(wanted)} too, or run doctor on a device of one of these.`)
}

const maxNamed = 6

/** The largest layer that is the registry's own; of an artifact without layers its configuration. */
function chooseLayer (manifest: Readonly<Record<string, unknown>>, what: string): Outcome<Descriptor> {
  const layers: unknown[] = Array.isArray(manifest['layers']) ? manifest['layers'] : []
  // Base layers of Windows come from elsewhere, by addresses of their own.
  const own = layers.filter((layer) => (Object(layer) as { urls?: unknown }).urls === undefined).filter(isDescriptor)
  const [largest = manifest['config']] = own.sort((a, b) => b.size - a.size)
  if (!isDescriptor(largest)) {
    throw new StepFailure('the manifest is of a kind that has no layers that can be fetched',
      'Name an image with layers, of schema 2 or OCI; docker converts older ones when it pushes them again.')
  }
  const total = own.reduce((sum, { size }) => sum + size, 0)
  return { value: largest, found: `${what}${layers.length} layers, ${total} bytes` }
}

function isDescriptor (value: unknown): value is Descriptor {
  const { digest, size } = Object(value) as Partial<Descriptor>
  return isDigest(digest) && typeof size === 'number' && Number.isSafeInteger(size) && size > 0
}

function isDigest (value: unknown): value is string {
  return typeof value === 'string' && /^sha256:[0-9a-f]{64}$/.test(value)
}

function namePlatform ({ os, architecture }: Platform): string {
  return `${os}/${architecture}`.slice(0, 40)
}

/** As much of a digest as a person compares. */
export function nameDigest (digest: string): string {
  return digest.slice(0, 'sha256:'.length + 12)
}
