import { isIPv4 } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { canonicalHostName, parentName } from '../../../src/net/host-name.ts'
import { almostName, inetAtonText, readHostAsUrl } from './names.ts'

t.test('a name has one form: lower case, without its trailing dot', async (t) => {
  const table: ReadonlyArray<readonly [text: string, canonical: string]> = [
    ['contoso.azurecr.io', 'contoso.azurecr.io'],
    ['CONTOSO.AzureCR.io.', 'contoso.azurecr.io'],
    ['contoso-a1b2.azurecr.io', 'contoso-a1b2.azurecr.io'],
    ['localhost', 'localhost'],
    ['1.2.3.example', '1.2.3.example'],
    ['1e3', '1e3'],
    ['0xg', '0xg'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    [`${'a'.repeat(63)}.example`, `${'a'.repeat(63)}.example`],
    [`${'a.'.repeat(126)}a`, `${'a.'.repeat(126)}a`],
    [`${'a.'.repeat(126)}a.`, `${'a.'.repeat(126)}a`],
  ]
  for (const [text, canonical] of table) t.equal(canonicalHostName(text), canonical, text)
})

t.test('what is not a name in letters, digits, dots and hyphens is none', async (t) => {
  const none = [
    '', '.', '..', 'a..b', '.a', 'a..', '-a.example', 'a-.example', 'a_b.example', 'a b', ' a', 'a ', 'a\n', 'a\t', 'a\0b', 'a%2eb',
    'a@b', 'a:b', 'a/b', 'a\\b', 'a?b', 'a#b', '*.example', '[a]', 'bücher.example', 'contoso。azurecr.io', 'contoso．azurecr．io',
    'contoſo.azurecr.io', '\u212Aontoso.azurecr.io', 'a\u00adb', 'a\u200db', 'a\u202eb',
    `${'a'.repeat(64)}.example`, `${'a.'.repeat(126)}aa`, `${'a.'.repeat(126)}aa.`, 'a'.repeat(1_000_000),
  ]
  for (const text of none) t.equal(canonicalHostName(text), undefined, JSON.stringify(text.slice(0, 40)))
})

t.test('a name that ends in a number is none, since somebody would take it for an address', async (t) => {
  const none = [
    '1', '127.1', '1.2.3.4', '1.2.3.4.', '1.2.3.4.5', '256.256.256.256', '0x7f.1', '0x7f000001', '0X7F000001', '017700000001',
    '0x', 'a.0x', 'a.0xff', 'a.1', 'a.01.', '4294967296', '99999999999999999999', 'contoso.azurecr.0',
  ]
  for (const text of none) t.equal(canonicalHostName(text), undefined, text)
})

t.test('whatever is a name is plain, canonical once and for all, and the same host to a URL', async () => {
  fc.assert(fc.property(almostName, (text) => {
    const name = canonicalHostName(text)
    if (name === undefined) return true
    const asUrl = readHostAsUrl(text)
    // A URL refuses labels that begin with xn-- and are no Punycode; as a name they are merely nobody's.
    const isSame = asUrl === undefined ? /(?:^|\.)xn--/.test(name) : asUrl === name
    return /^[a-z0-9.-]{1,253}$/.test(name) && canonicalHostName(name) === name && isSame
  }), { numRuns: 5000 })
})

t.test('ordinary domains are names', async () => {
  fc.assert(fc.property(fc.domain(), (domain) => canonicalHostName(domain) === domain.toLowerCase()))
})

t.test('nothing that inet_aton(3) or a URL takes for an address is a name', async () => {
  fc.assert(fc.property(inetAtonText, (text) => canonicalHostName(text) === undefined))
  const digits = fc.string({ unit: fc.constantFrom(...'0123456789abcdefxX.%'), maxLength: 16 })
  fc.assert(fc.property(fc.oneof(digits, almostName), (text) => {
    return !isIPv4(readHostAsUrl(text) ?? '') || canonicalHostName(text) === undefined
  }), { numRuns: 5000 })
})

t.test('the parent of a name is what is left without its first label', async (t) => {
  const table: ReadonlyArray<readonly [text: string, parent: string | undefined]> = [
    ['a.b.example', 'b.example'], ['example', undefined],
  ]
  for (const [text, parent] of table) {
    const name = canonicalHostName(text)
    t.equal(name === undefined ? text : parentName(name), parent, text)
  }
})
