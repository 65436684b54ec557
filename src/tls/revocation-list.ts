import { type KeyObject, constants, verify } from 'node:crypto'
import { decodePemBlock } from './pem.ts'

/** A list of revoked certificates (RFC 5280 §5), as far as it says whose it is and until when it counts. */
export interface RevocationList {
  /** Milliseconds since the epoch. */
  readonly thisUpdate: number
  /** When its authority is to have issued the next one; never, when it does not say. */
  readonly nextUpdate: number | undefined
  isSignedBy (authority: KeyObject): boolean
}

/**
 * Reads a list, PEM; `undefined` when it is none. What is revoked is for OpenSSL to read: this is what Node has no
 * words for. Of the whole list only the outermost elements are looked at, however long it is.
 */
export function parseRevocationList (pem: string): RevocationList | undefined {
  const der = decodePemBlock(pem)
  const whole = readElement(der, 0, der.length)
  const [body, algorithm, signature] = whole === undefined ? [] : listElements(der, whole)
  if (body?.tag !== sequence || algorithm?.tag !== sequence || signature?.tag !== bitString) return undefined
  const times = listElements(der, body).filter(({ tag }) => tag === utcTime || tag === generalizedTime)
  const [thisUpdate, nextUpdate] = times.map((time) => readTime(der, time))
  if (thisUpdate === undefined || Number.isNaN(thisUpdate) || Number.isNaN(nextUpdate)) return undefined
  const signed = der.subarray(body.start, body.end)
  // The first byte says how many bits of the last one do not count, which are none.
  const signatureBytes = der.subarray(signature.content + 1, signature.end)
  return { thisUpdate, nextUpdate, isSignedBy: (key) => isSigned(signed, signatureBytes, key) }
}

/** An element of DER (X.690 §8.1): its tag, and where it and its content begin and end. */
interface Element {
  readonly tag: number
  readonly start: number
  readonly content: number
  readonly end: number
}

const sequence = 0x30
const bitString = 0x03
const utcTime = 0x17
const generalizedTime = 0x18

/** The element at an offset, when all of it lies before `limit`. */
function readElement (der: Buffer, start: number, limit: number): Element | undefined {
  const tag = der[start]
  const first = der[start + 1]
  if (tag === undefined || first === undefined) return undefined
  // X.690 §8.1.3: up to 127 the length itself, above that the number of its bytes.
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  const content = start + 2 + lengthBytes
  if (lengthBytes > 4 || first === 0x80 || content > limit) return undefined
  const length = lengthBytes === 0 ? first : der.readUIntBE(start + 2, lengthBytes)
  const end = content + length
  return end > limit ? undefined : { tag, start, content, end }
}

function listElements (der: Buffer, parent: Element): readonly Element[] {
  const elements: Element[] = []
  let offset = parent.content
  while (offset < parent.end) {
    const element = readElement(der, offset, parent.end)
    if (element === undefined) break
    elements.push(element)
    offset = element.end
  }
  return elements
}

/** RFC 5280 §5.1.2.4: YYMMDDHHMMSSZ until 2049, with four digits of the year from then on; NaN for anything else. */
function readTime (der: Buffer, { tag, content, end }: Element): number {
  const text = der.toString('latin1', content, end)
  const digits = tag === utcTime ? `${text < '50' ? '20' : '19'}${text}` : text
  if (!/^[0-9]{14}Z$/.test(digits)) return NaN
  return Date.parse(digits.replace(/^(....)(..)(..)(..)(..)/, '$1-$2-$3T$4:$5:'))
}

const rsaPaddings = [constants.RSA_PKCS1_PADDING, constants.RSA_PKCS1_PSS_PADDING]
const digests = ['sha256', 'sha384', 'sha512', 'sha224', 'sha1']

/** Whether the key has made the signature, by whichever of the ways there are for its kind: each list has one. */
function isSigned (signed: Buffer, signature: Buffer, key: KeyObject): boolean {
  const type = key.asymmetricKeyType
  if (type === 'ed25519' || type === 'ed448') return isSignedWith(null, signed, signature, { key })
  const options = type === 'rsa' ? rsaPaddings.map((padding) => ({ key, padding })) : [{ key }]
  return options.some((option) => digests.some((digest) => isSignedWith(digest, signed, signature, option)))
}

function isSignedWith (
  digest: string | null, signed: Buffer, signature: Buffer, key: { readonly key: KeyObject, readonly padding?: number },
): boolean {
  try {
    return verify(digest, signed, key, signature)
  } catch {
    // The key is too short for the digest, or of a kind that signs otherwise.
    return false
  }
}
