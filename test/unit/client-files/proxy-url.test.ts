import { URL } from 'node:url'
import fc from 'fast-check'
import t from 'tap'
import { findCredentialsProblem, formatProxyUrl, parseProxyUrl } from '../../../src/client-files/proxy-url.ts'

t.test('a URL is read, and written in its one spelling', async (t) => {
  const table: ReadonlyArray<readonly [text: string, spelling: string]> = [
    ['http://gateway.example:443', 'http://gateway.example:443'],
    ['HTTPS://Gateway.Example.:8443', 'https://gateway.example:8443'],
    ['http://10.0.0.4:3128', 'http://10.0.0.4:3128'],
    ['http://[FD00::4]:443', 'http://[fd00::4]:443'],
    ['http://gw:443', 'http://gw:443'],
    ['http://edge@gw:443', 'http://edge@gw:443'],
    ['http://edge:@gw:443', 'http://edge:@gw:443'],
    ['http://edge:p%40ss%3a@gw:443', 'http://edge:p%40ss%3A@gw:443'],
    ['http://edge:it\'s$5!@gw:443', 'http://edge:it%27s%245%21@gw:443'],
  ]
  for (const [text, spelling] of table) {
    const parsed = parseProxyUrl(text)
    t.equal(parsed.ok && formatProxyUrl(parsed.proxy), spelling, text)
  }
})

t.test('what is no proxy\'s URL is refused, with what to write', async (t) => {
  const table: ReadonlyArray<readonly [text: string, message: RegExp]> = [
    ['', /no scheme; write it like http:\/\/gateway\.example:443$/],
    ['gw.example:443', /no scheme/],
    ['socks5://gw:443', /socks5:\/\/ is no scheme of the gateway; write http:\/\/ or https:\/\//],
    ['http://', /neither a name nor an address/],
    ['http://:443', /neither a name nor an address/],
    ['http://gw_1:443', /neither a name nor an address/],
    ['http://fd00::4:443', /an IPv6 address in brackets$/],
    ['http://[10.0.0.4]:443', /neither a name nor an address/],
    ['http://0x7f.1:443', /neither a name nor an address/],
    ['http://gw', /no port; write the gateway's port behind the host, like gw:443$/],
    ['http://gw:', /no port/],
    ['http://gw:0', /not a number from 1 to 65535/],
    ['http://gw:70000', /not a number from 1 to 65535/],
    ['http://gw:443/', /a proxy has no path; end it with gw:443$/],
    ['http://gw:443/v2', /no path/],
    ['http://gw:443?x', /no path/],
    [' http://gw:443', /no scheme/],
    ['http://gw:443 ', /not a number/],
    ['http://@gw:443', /the user's name is empty; give the name and password by --user/],
    ['http://:secret@gw:443', /the user's name is empty/],
    ['http://a%3Ab:c@gw:443', /has a colon/],
    ['http://a:b%0A@gw:443', /control character/],
    ['http://a:%FF@gw:443', /not percent-encoded UTF-8/],
  ]
  for (const [text, message] of table) {
    const parsed = parseProxyUrl(text)
    t.match(parsed.ok ? 'read' : `${parsed.mistake.what}; ${parsed.mistake.write}`, message, JSON.stringify(text))
  }
})

t.test('user information that is not encoded is refused with the right spelling', async (t) => {
  const table: ReadonlyArray<readonly [userInfo: string, right: string]> = [
    ['edge:p@ss', 'edge:p%40ss'],
    ['edge:pa ss', 'edge:pa%20ss'],
    ['edge:pa:ss', 'edge:pa%3Ass'],
    ['edge:pa/ss?#', 'edge:pa%2Fss%3F%23'],
    ['edge:100%', 'edge:100%25'],
    ['edge:p%40s@s', 'edge:p%40s%40s'],
    ['corp\\edge:"é"', 'corp%5Cedge:%22%C3%A9%22'],
  ]
  for (const [userInfo, right] of table) {
    const parsed = parseProxyUrl(`http://${userInfo}@gw:443`)
    const write = parsed.ok ? '' : parsed.mistake.write
    t.equal(write.split(', or ')[0], `write http://${right}@gw:443`, userInfo)
    t.ok(parseProxyUrl(`http://${right}@gw:443`).ok, right)
  }
})

t.test('whatever name and password there are, every parser of URLs has them back', async (t) => {
  const text = fc.string({ unit: 'binary', maxLength: 20 })
  fc.assert(fc.property(text, text, (user, password) => {
    if (findCredentialsProblem({ user, password }) !== undefined) return
    const url = formatProxyUrl({ scheme: 'http', host: 'gw.example', port: 443, credentials: { user, password } })
    t.match(url, /^http:\/\/[A-Za-z0-9._~%-]+:[A-Za-z0-9._~%-]*@gw\.example:443$/)
    const parsed = parseProxyUrl(url)
    t.same(parsed.ok && parsed.proxy.credentials, { user, password })
    const whatwg = new URL(url)
    t.same([decodeURIComponent(whatwg.username), decodeURIComponent(whatwg.password)], [user, password])
  }))
})

t.test('no text makes it throw', async (t) => {
  const part = fc.constantFrom('http', '://', '@', ':', '/', '[', ']', '%', '%4', 'gw', '443', '\uD800', '\u0000', ' ')
  fc.assert(fc.property(fc.array(part), (parts) => {
    const parsed = parseProxyUrl(parts.join(''))
    if (parsed.ok) formatProxyUrl(parsed.proxy)
  }))
})
