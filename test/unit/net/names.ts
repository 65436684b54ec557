import fc from 'fast-check'

/** Names in good and bad spellings: domains, such with a slip, and what looks a little like one. */
export const almostName = fc.oneof(
  fc.domain(),
  fc.tuple(fc.domain(), fc.nat(30), fc.nat(2), fc.constantFrom('', '.', '..', '-', '_', '%41', 'K', 'é', '。', ':', '@', '1', '0x', 'xn--'))
    .map(([text, at, cut, slip]) => text.slice(0, at) + slip + text.slice(at + cut)),
  fc.string({ unit: fc.constantFrom(...'abcxXZ019.-'), maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 12 }),
)

/** One to four numbers, each decimal, octal or hexadecimal, as inet_aton(3) reads an address; perhaps a dot behind. */
export const inetAtonText = fc.tuple(
  fc.array(fc.tuple(fc.nat(0xffffffff), fc.constantFrom(8, 10, 16)), { minLength: 1, maxLength: 4 }),
  fc.constantFrom('', '.'),
).map(([numbers, dot]) => {
  const prefixes: Readonly<Record<number, string>> = { 8: '0', 10: '', 16: '0x' }
  return numbers.map(([number, base]) => `${prefixes[base]}${number.toString(base)}`).join('.') + dot
})

/** The host that a URL has when the text stands in the host's place, without a trailing dot; none if it is no URL. */
export function readHostAsUrl (text: string): string | undefined {
  return URL.canParse(`https://${text}/`) ? new URL(`https://${text}/`).hostname.replace(/\.$/, '') : undefined
}
