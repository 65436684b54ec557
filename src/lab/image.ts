import { createCipheriv, createHash, type Cipher } from 'node:crypto'
import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'

/** Large enough that the calls cost nothing, small enough that many open layers cost no memory. */
const chunkBytes = 128 * 1024
const zeros = Buffer.alloc(chunkBytes)
const cipherBlockBytes = 16
/** How much is hashed before others get their turn: some ten milliseconds. */
const turnBytes = 8 * 1024 * 1024

/** Media types of the OCI image format 1.1; a layer is said to be an uncompressed archive. */
const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const

/** The bytes from `start` to `end`, both included, as in HTTP. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** Content under its digest, `sha256:…`. */
export interface ImageBlob {
  readonly digest: string
  readonly size: number
  /** The whole content or a part of it; the caller reads it to its end or destroys it. */
  open (range?: ByteRange): Readable
}

/** The manifest, as it is served and hashed. */
export interface Manifest {
  readonly mediaType: string
  readonly digest: string
  readonly content: Buffer
}

/** An image that a registry can serve and a client can verify. Its layers are noise, not archives. */
export interface Image {
  readonly manifest: Manifest
  readonly config: ImageBlob
  readonly layers: readonly ImageBlob[]
}

export interface ImageOptions {
  /** The size of each layer in bytes. */
  readonly layers: readonly number[]
  /** The same seed and sizes make the same image, to the byte. */
  readonly seed: string
}

/**
 * Makes an image out of a seed. Layers are keystream of AES-128 in counter mode: seekable, fast, incompressible and
 * never stored. Every layer is generated once here, for its digest.
 *
 * @throws RangeError for a size that is no positive whole number.
 */
export async function createImage ({ layers: sizes, seed }: ImageOptions): Promise<Image> {
  const layers: ImageBlob[] = []
  for (const [index, size] of sizes.entries()) layers.push(await createLayer(size, `${seed}/${index}`))
  const config = createConfig(layers)
  const content = encodeJson({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: config.digest, size: config.size },
    layers: layers.map(({ digest, size }) => ({ mediaType: mediaTypes.layer, digest, size })),
  })
  return { manifest: { mediaType: mediaTypes.manifest, digest: computeDigest(content), content }, config, layers }
}

async function createLayer (size: number, seed: string): Promise<ImageBlob> {
  if (!Number.isSafeInteger(size) || size < 1) throw new RangeError(`a layer has 1 or more whole bytes, not ${size}`)
  const key = createHash('sha256').update(seed).digest().subarray(0, cipherBlockBytes)
  const hash = createHash('sha256')
  let hashedBytes = 0
  for (const chunk of generateKeystream(key, { start: 0, end: size - 1 })) {
    hash.update(chunk)
    hashedBytes += chunk.length
    if (hashedBytes % turnBytes === 0) await setImmediate()
  }
  return {
    digest: `sha256:${hash.digest('hex')}`,
    size,
    open: (range = { start: 0, end: size - 1 }) => openKeystream(key, range),
  }
}

/** Docker and containerd want an architecture and the digests of the unpacked layers. */
function createConfig (layers: readonly ImageBlob[]): ImageBlob {
  const content = encodeJson({
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
  })
  return {
    digest: computeDigest(content),
    size: content.length,
    open: ({ start, end } = { start: 0, end: content.length - 1 }) =>
      Readable.from([content.subarray(start, end + 1)], { objectMode: false }),
  }
}

function openKeystream (key: Buffer, range: ByteRange): Readable {
  const chunks = generateKeystream(key, range)
  return new Readable({
    highWaterMark: chunkBytes,
    read () {
      const { value } = chunks.next()
      this.push(value ?? null)
    },
  })
}

function * generateKeystream (key: Buffer, { start, end }: ByteRange): Generator<Buffer, undefined> {
  const cipher = createCipherAt(key, start)
  for (let left = end - start + 1; left > 0; left -= chunkBytes) {
    yield cipher.update(left < chunkBytes ? zeros.subarray(0, left) : zeros)
  }
}

/** The cipher as it stands when `offset` bytes are behind it. */
function createCipherAt (key: Buffer, offset: number): Cipher {
  const counter = Buffer.alloc(cipherBlockBytes)
  counter.writeBigUInt64BE(BigInt(Math.floor(offset / cipherBlockBytes)), 8)
  const cipher = createCipheriv('aes-128-ctr', key, counter)
  cipher.update(zeros.subarray(0, offset % cipherBlockBytes))
  return cipher
}

function encodeJson (value: object): Buffer {
  return Buffer.from(JSON.stringify(value))
}

function computeDigest (content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}
