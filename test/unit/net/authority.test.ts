import { isIPv4 } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { parseAuthority, parsePort } from '../../../src/net/authority.ts'
import { almostAddress } from './addresses.ts'
import { almostName, inetAtonText, readHostAsUrl } from './names.ts'

/** `HOST:PORT`, or why there is none. */
function describeAuthority (text: string): string {
  const parsed = parseAuthority(text)
  return parsed.ok ? `${parsed.authority.host}:${parsed.authority.port}` : parsed.problem
}

t.test('a target is a name and a port', async (t) => {
  t.equal(describeAuthority('contoso.azurecr.io:443'), 'contoso.azurecr.io:443')
  t.equal(describeAuthority('Contoso.AZURECR.io.:443'), 'contoso.azurecr.io:443')
  t.equal(describeAuthority('contoso.azurecr.io:1'), 'contoso.azurecr.io:1')
  t.equal(describeAuthority('contoso.azurecr.io:65535'), 'contoso.azurecr.io:65535')
})

t.test('everything else that a URL may have makes a target malformed', async (t) => {
  const malformed = [
    '', ':', ':443', 'contoso.azurecr.io', 'contoso.azurecr.io:', 'contoso.azurecr.io:0', 'contoso.azurecr.io:0443',
    'contoso.azurecr.io:65536', 'contoso.azurecr.io:443443', 'contoso.azurecr.io:+443', 'contoso.azurecr.io:-1',
    'contoso.azurecr.io:https', 'contoso.azurecr.io: 443', 'contoso.azurecr.io:443 ', ' contoso.azurecr.io:443',
    'contoso.azurecr.io:443\n', 'contoso.azurecr.io:443/', 'contoso.azurecr.io:443?a', 'contoso.azurecr.io:443#a',
    'contoso.azurecr.io:４４３', 'contoso.azurecr.io:1e2', 'contoso.azurecr.io:0x1bb', 'contoso.azurecr.io::443',
    'contoso.azurecr.io:443:443', 'https://contoso.azurecr.io', 'https://contoso.azurecr.io:443', '//contoso.azurecr.io:443',
    'user@contoso.azurecr.io:443', 'user:word@contoso.azurecr.io:443', 'contoso.azurecr.io@evil.example:443',
    'contoso%2eazurecr.io:443', 'contoso.azurecr.io%00.evil.example:443', 'contoso.azurecr.io\0.evil.example:443',
    'contoso.azurecr.io\\.evil.example:443', 'contoso..azurecr.io:443', '.contoso.azurecr.io:443', 'contoso.azurecr.io..:443',
    '*.azurecr.io:443', 'cont_oso.azurecr.io:443', 'bücher.example:443', 'contoso。azurecr.io:443', '１２７.0.0.1:443',
    '[contoso.azurecr.io]:443', '[]:443', '[v1.x]:443', 'contoso.azurecr.1:443', '1.2.3.4.5:443',
    `${'a'.repeat(64)}.azurecr.io:443`, `${'a.'.repeat(300)}azurecr.io:443`, `${'1'.repeat(600)}:443`,
  ]
  for (const text of malformed) t.equal(describeAuthority(text), 'malformed', JSON.stringify(text.slice(0, 50)))
})

t.test('an address in any spelling is told as one, with and without a port', async (t) => {
  const literals = [
    '127.0.0.1', '127.1', '127.0.1', '2130706433', '0x7f.1', '0X7F.0.0.1', '0x7f000001', '017700000001', '0177.0.0.01', '0x', '0',
    '1.2.3.4.', '256.256.256.256', '4294967296', '169.254.169.254', '[::1]', '[fe80::1%eth0]', '[fe80::1%25eth0]',
    '[::ffff:169.254.169.254]', '[127.0.0.1]', '127.0.0.1%00',
  ]
  for (const literal of literals) {
    t.equal(describeAuthority(`${literal}:443`), 'ip_literal', `${literal}:443`)
    t.equal(describeAuthority(literal), 'ip_literal', literal)
  }
})

t.test('a bare IPv6 address is told as an address, wherever its last colon stands', async (t) => {
  for (const text of ['::1', '::', '2001:db8::1', '2001:db8::1:443', '1:2:3:4:5:6:7:8', 'fe80::1%eth0', '::1:https', '::ffff:127.0.0.1']) {
    t.equal(describeAuthority(text), 'ip_literal', text)
  }
})

t.test('whatever is let through to judgement is the same host and port to a URL', async () => {
  const almostPort = fc.oneof(fc.nat(70_000).map(String), fc.constantFrom('443', '0443', '', '+1', '1 ', '443/'))
  fc.assert(fc.property(almostName, almostPort, (host, port) => {
    const parsed = parseAuthority(`${host}:${port}`)
    if (!parsed.ok) return true
    const { authority } = parsed
    if (!URL.canParse(`https://${host}:${port}`)) return /(?:^|\.)xn--/.test(authority.host)
    const url = new URL(`https://${host}:${port}`)
    return url.hostname.replace(/\.$/, '') === authority.host && Number(url.port === '' ? 443 : url.port) === authority.port &&
      url.pathname === '/' && url.username === '' && url.search === '' && url.hash === ''
  }), { numRuns: 5000 })
})

t.test('no address becomes a name: not by inet_aton(3), not by a URL, not in IPv6', async () => {
  fc.assert(fc.property(inetAtonText, (text) => describeAuthority(`${text}:443`) === 'ip_literal'))
  fc.assert(fc.property(fc.ipV6(), (text) => {
    return describeAuthority(`[${text}]:443`) === 'ip_literal' && describeAuthority(text) === 'ip_literal'
  }))
  fc.assert(fc.property(fc.oneof(almostAddress, almostName), (text) => {
    return !isIPv4(readHostAsUrl(text) ?? '') || !parseAuthority(`${text}:443`).ok
  }), { numRuns: 3000 })
})

t.test('a port is decimal, from 1 to 65535', async (t) => {
  for (const [text, port] of [['1', 1], ['443', 443], ['65535', 65535]] as const) t.equal(parsePort(text), port)
  for (const text of ['', '0', '00', '01', '65536', '100000', '-1', '+1', '1.0', '1e1', '0x1', ' 1', '1\n', '١']) {
    t.equal(parsePort(text), undefined, JSON.stringify(text))
  }
})
