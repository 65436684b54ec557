import type { X509Certificate } from 'node:crypto'

/** An ordinary subject has a third of it. */
const maxLength = 256

/**
 * The subject of a certificate as one line of printable ASCII: RFC 4514, with its hexadecimal escapes for all else, cut
 * at 256 characters. Of a certificate without a subject, its alternative names as OpenSSL writes them.
 */
export function formatSubject (certificate: X509Certificate): string {
  // Its type does not say so, but there is none where it is empty.
  const subject = certificate.subject as string | undefined
  // OpenSSL has escaped each value: a line feed and a plus between spaces can only stand between values.
  const text = subject === undefined
    ? certificate.subjectAltName ?? ''
    : subject.split('\n').reverse().join(',').replaceAll(' + ', '+')
  const ascii = text.replace(/[^\x20-\x7e]/gu, escapeBytes)
  return ascii.length <= maxLength ? ascii : `${ascii.slice(0, maxLength - 3)}...`
}

/** RFC 4514 §2.4: a backslash and two digits for each byte of UTF-8. */
function escapeBytes (character: string): string {
  return Buffer.from(character).toString('hex').toUpperCase().replace(/../g, '\\$&')
}
