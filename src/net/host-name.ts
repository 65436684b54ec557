/**
 * A host name in the one form the gateway compares: lower case, without the trailing dot, labels of letters, digits
 * and hyphens (RFC 952, RFC 1123 §2.1), each 1 to 63 long, 253 in all (RFC 1035 §2.3.4 less the root), and the last
 * one not a number, so that nothing that any resolver could take for an address is a name.
 */
export type HostName = string & { readonly hostName: unique symbol }

const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
// WHATWG URL §3.5 "ends in a number": decimal digits, or 0x and hexadecimal ones, are read as an IPv4 address.
const numeric = /^(?:[0-9]+|0x[0-9a-f]*)$/

/** The canonical form of `text`, or `undefined` if it is not a host name. Only ASCII letters change case. */
export function canonicalHostName (text: string): HostName | undefined {
  if (text.length > 254 || !/^[A-Za-z0-9.-]+$/.test(text)) return undefined
  const lower = text.toLowerCase()
  const name = lower.endsWith('.') ? lower.slice(0, -1) : lower
  if (name.length > 253) return undefined
  const labels = name.split('.')
  if (!labels.every((part) => label.test(part))) return undefined
  if (numeric.test(labels.at(-1) ?? '')) return undefined
  return name as HostName
}

/** A name put together from checked parts; that it is none would be a bug of the checks, and throws `TypeError`. */
export function knownHostName (text: string): HostName {
  const name = canonicalHostName(text)
  if (name === undefined) throw new TypeError(`not a host name: ${text}`)
  return name
}

/** The name without its first label; a wildcard stands for exactly one label, so this is what it is looked up by. */
export function parentName (name: HostName): HostName | undefined {
  const dot = name.indexOf('.')
  return dot === -1 ? undefined : name.slice(dot + 1) as HostName
}
