import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** How long a link to a layer lives; Azure's own are valid for 20 minutes. */
const linkLifetimeMs = 20 * 60_000

/** Makes and checks the signed links with which a login server sends its clients to the data endpoint. */
export interface BlobLinks {
  /** Path and query of a link that is good for 20 minutes. */
  sign (digest: string): string
  /** The digest that a path and query lead to; `undefined` when the link is forged, cut or expired. */
  verify (path: string): string | undefined
}

export interface BlobLinksOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/**
 * Links in the form that Azure's have: a path of the blob's digest, and a shared access signature in the query.
 * The key is born here and known to nobody else.
 */
export function createBlobLinks ({ now }: BlobLinksOptions): BlobLinks {
  const key = randomBytes(32)
  const registryId = randomBytes(8).toString('hex')
  const signText = (text: string): Buffer => createHmac('sha256', key).update(text).digest()
  return {
    sign (digest) {
      const hex = digest.replace('sha256:', '')
      const path = `/${registryId}/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`
      const expiry = new Date(now() + linkLifetimeMs).toISOString()
      const signature = signText(`${path}\n${expiry}`).toString('base64')
      return `${path}?${new URLSearchParams({ se: expiry, sig: signature, sp: 'r', spr: 'https', sr: 'b', regid: registryId })}`
    },
    verify (path) {
      const link = parseLink(path)
      if (link === undefined || Date.parse(link.expiry) <= now()) return undefined
      const signature = Buffer.from(link.signature, 'base64')
      const expected = signText(`${link.path}\n${link.expiry}`)
      const isGenuine = signature.length === expected.length && timingSafeEqual(signature, expected)
      return isGenuine ? `sha256:${link.hex}` : undefined
    },
  }
}

function parseLink (text: string): { path: string, hex: string, expiry: string, signature: string } | undefined {
  const [path = '', query = ''] = text.split('?')
  const parameters = new URLSearchParams(query)
  const hex = /\/([0-9a-f]{64})\/data$/.exec(path)?.[1]
  const expiry = parameters.get('se')
  const signature = parameters.get('sig')
  if (hex === undefined || expiry === null || signature === null) return undefined
  return { path, hex, expiry, signature }
}
