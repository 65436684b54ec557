/**
 * An IP address as a value: what the gateway compares, checks and dials.
 *
 * `words` holds the bits from the left, 32 at a time and unsigned: one word for IPv4, four for IPv6.
 * Two addresses are the same if and only if their `text` is the same.
 */
export interface Address {
  readonly family: 4 | 6
  readonly words: readonly number[]
  /** Dotted decimal, or the RFC 5952 form of an IPv6 address. */
  readonly text: string
}

/**
 * Reads one spelling of an address and no other: four decimal numbers without leading zeros, or RFC 4291 §2.2
 * text (with `::`, upper case and a dotted tail allowed). Brackets, zone ids, octal, hexadecimal and short IPv4 forms
 * are not addresses.
 */
export function parseAddress (text: string): Address | undefined {
  const words = text.includes(':') ? parseIpv6(text) : parseIpv4(text)
  return words === undefined ? undefined : createAddress(words)
}

/** The address with these bits, as `Address.words` has them: one word is IPv4, four are IPv6. */
export function createAddress (words: readonly number[]): Address {
  return words.length === 1
    ? { family: 4, words, text: formatIpv4(words[0] ?? 0) }
    : { family: 6, words, text: formatIpv6(words) }
}

/**
 * The IPv4 address inside an IPv4-mapped one (RFC 4291 §2.5.5.2), which is how a socket that serves both families names
 * its IPv4 peers; any other address as it is. For the addresses of peers only: a *target* that resolves to a mapped
 * address is refused as what it is.
 */
export function unmapAddress (address: Address): Address {
  const [first, second, third, last = 0] = address.words
  if (address.family === 4 || first !== 0 || second !== 0 || third !== 0xffff) return address
  return createAddress([last])
}

/** An address and a port as a URL and a log line write them: `10.0.0.1:443`, `[::1]:443`. */
export function formatSocketAddress (address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** Bits in an address of a family. */
export function bitLength (family: 4 | 6): number {
  return family === 4 ? 32 : 128
}

function parseIpv4 (text: string): number[] | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  let word = 0
  for (const part of parts) {
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(part)) return undefined
    const byte = Number(part)
    if (byte > 255) return undefined
    word = word * 256 + byte
  }
  return [word]
}

function parseIpv6 (text: string): number[] | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const head = parseGroups(halves[0] ?? '', halves.length === 1)
  const tail = parseGroups(halves[1] ?? '', true)
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  // `::` stands for at least one group (RFC 4291 §2.2 says "one or more").
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const groups = [...head, ...Array<number>(missing).fill(0), ...tail]
  const words: number[] = []
  for (let index = 0; index < 8; index += 2) {
    words.push((groups[index] ?? 0) * 0x10000 + (groups[index + 1] ?? 0))
  }
  return words
}

/** The 16-bit groups of one side of `::`; a dotted tail counts as two, and may only come last. */
function parseGroups (text: string, mayEndDotted: boolean): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    if (mayEndDotted && index === parts.length - 1 && part.includes('.')) {
      const dotted = parseIpv4(part)?.[0]
      if (dotted === undefined) return undefined
      groups.push(dotted >>> 16, dotted & 0xffff)
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16))
    } else {
      return undefined
    }
  }
  return groups
}

function formatIpv4 (word: number): string {
  return [word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff].join('.')
}

/** RFC 5952 §4: lower case, no leading zeros; the longest run of zero groups, the first if equal, becomes `::`. */
function formatIpv6 (words: readonly number[]): string {
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff])
  let start = -1
  let length = 1
  for (let index = 0; index < 8; index++) {
    let end = index
    while (groups[end] === 0) end++
    if (end - index > length) {
      start = index
      length = end - index
    }
  }
  const hex = groups.map((group) => group.toString(16))
  if (start === -1) return hex.join(':')
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`
}
