import { URL } from 'node:url'
import fc from 'fast-check'
import t from 'tap'
import {
  type ProxyUrlForm, describeProxyUrl, findCredentialsProblem, formatBasicAuthorization, formatProxyUrl, parseProxyUrl,
} from '../../../src/net/proxy-url.ts'

const form: ProxyUrlForm = { example: { host: 'proxy.example', port: 3128 }, credentialsAdvice: 'give them otherwise' }
const looseForm: ProxyUrlForm = { ...form, takesShortForms: true }

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
    for (const how of [form, looseForm]) {
      const parsed = parseProxyUrl(text, how)
      t.equal(parsed.ok && formatProxyUrl(parsed.proxy), spelling, text)
    }
  }
})

t.test('what is no proxy\'s URL is refused, with what to write', async (t) => {
  const table: ReadonlyArray<readonly [text: string, message: RegExp]> = [
    ['', /no scheme; write it like http:\/\/proxy\.example:3128$/],
    ['gw.example:443', /no scheme/],
    ['socks5://gw:443', /socks5:\/\/ is no scheme of an HTTP proxy; write http:\/\/ or https:\/\//],
    ['http://', /neither a name nor an address/],
    ['http://:443', /neither a name nor an address/],
    ['http://gw_1:443', /neither a name nor an address/],
    ['http://fd00::4:443', /an IPv6 address in brackets$/],
    ['http://[10.0.0.4]:443', /neither a name nor an address/],
    ['http://0x7f.1:443', /neither a name nor an address/],
    ['http://gw', /no port; write its port behind the host, like gw:3128$/],
    ['http://gw:', /no port/],
    ['http://gw:0', /not a number from 1 to 65535/],
    ['http://gw:70000', /not a number from 1 to 65535/],
    ['http://gw:443/', /a proxy has no path; end it with gw:443$/],
    ['http://gw:443/v2', /no path/],
    ['http://gw:443?x', /no path/],
    [' http://gw:443', /no scheme/],
    ['http://gw:443 ', /not a number/],
    ['http://@gw:443', /the user's name is empty; give them otherwise$/],
    ['http://:secret@gw:443', /the user's name is empty/],
    ['http://a%3Ab:c@gw:443', /has a colon/],
    ['http://a:b%0A@gw:443', /control character/],
    ['http://a:%FF@gw:443', /not percent-encoded UTF-8/],
  ]
  for (const [text, message] of table) {
    const parsed = parseProxyUrl(text, form)
    t.match(parsed.ok ? 'read' : `${parsed.mistake.what}; ${parsed.mistake.write}`, message, JSON.stringify(text))
  }
})

t.test('what docker and curl take besides is taken where that is wanted, and told apart from slips all the same', async (t) => {
  const table: ReadonlyArray<readonly [text: string, spelling: string]> = [
    ['https://gw.example', 'https://gw.example:443'],
    ['http://gw.example/', 'http://gw.example:80'],
    ['http://gw.example:/', 'http://gw.example:80'],
    ['http://[::1]:8443/', 'http://[::1]:8443'],
    ['http://a:b:c@gw.example:1', 'http://a:b%3Ac@gw.example:1'],
  ]
  for (const [text, spelling] of table) {
    const parsed = parseProxyUrl(text, looseForm)
    t.equal(parsed.ok && formatProxyUrl(parsed.proxy), spelling, text)
    t.notOk(parseProxyUrl(text, form).ok, text)
  }
  for (const text of ['http://gw.example:1/v2/', 'http://gw.example:99999', 'http://', 'http://a:b c@gw.example']) {
    t.notOk(parseProxyUrl(text, looseForm).ok, text)
  }
})

t.test('neither a mistake nor the text for a person holds anything of user and password', async (t) => {
  const texts = [
    'socks5://secret@gw.example:1', 'http://user:secret@word@gw.example:1', 'http://user:sec ret@gw.example:1',
    'http://user:sec%ret@gw.example:1', 'http://user:secret%FF@gw.example:1', 'http://user:secret@gw.example:1/secret',
    'http://:secret@gw.example:1', 'http://user:secret@gw_1:1', 'http://us%3Aer:secret@gw.example:1', 'user:secret@gw:1',
  ]
  for (const text of texts) {
    for (const how of [form, looseForm]) {
      const parsed = parseProxyUrl(text, how)
      t.notOk(parsed.ok, text)
      t.notMatch(JSON.stringify(parsed), /secret|sec /)
    }
  }
  const parsed = parseProxyUrl('https://user:secret@[fd00::4]:443', form)
  t.equal(parsed.ok && describeProxyUrl(parsed.proxy), 'https://[fd00::4]:443')
})

t.test('Basic authorization is of the name and the password in UTF-8', async (t) => {
  t.equal(formatBasicAuthorization({ user: 'u@corp', password: 'p:/% ü' }), `Basic ${Buffer.from('u@corp:p:/% ü').toString('base64')}`)
  t.equal(formatBasicAuthorization({ user: 'user' }), `Basic ${Buffer.from('user:').toString('base64')}`)
})

t.test('whatever name and password there are, every parser of URLs has them back', async (t) => {
  const text = fc.string({ unit: 'binary', maxLength: 20 })
  fc.assert(fc.property(text, text, (user, password) => {
    if (findCredentialsProblem({ user, password }) !== undefined) return
    const url = formatProxyUrl({ scheme: 'http', host: 'gw.example', port: 443, credentials: { user, password } })
    t.match(url, /^http:\/\/[A-Za-z0-9._~%-]+:[A-Za-z0-9._~%-]*@gw\.example:443$/)
    const parsed = parseProxyUrl(url, form)
    t.same(parsed.ok && parsed.proxy.credentials, { user, password })
    const whatwg = new URL(url)
    t.same([decodeURIComponent(whatwg.username), decodeURIComponent(whatwg.password)], [user, password])
  }))
})

t.test('no text makes it throw', async (t) => {
  const part = fc.constantFrom('http', '://', '@', ':', '/', '[', ']', '%', '%4', 'gw', '443', '\uD800', '\u0000', ' ')
  fc.assert(fc.property(fc.array(part), (parts) => {
    for (const how of [form, looseForm]) {
      const parsed = parseProxyUrl(parts.join(''), how)
      if (parsed.ok) formatProxyUrl(parsed.proxy)
    }
  }))
})
