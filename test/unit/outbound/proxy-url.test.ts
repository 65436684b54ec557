import t from 'tap'
import { parseProxyUrl } from '../../../src/outbound/proxy-url.ts'

t.test('scheme, host and port are read, and the port that is left out', async (t) => {
  const table = [
    ['http://gw.example:3128', 'http', 'gw.example', 3128],
    ['https://gw.example', 'https', 'gw.example', 443],
    ['http://GW.example/', 'http', 'gw.example', 80],
    ['http://[::1]:8443', 'http', '::1', 8443],
    ['HTTP://10.0.0.4:443', 'http', '10.0.0.4', 443],
  ] as const
  for (const [text, scheme, host, port] of table) {
    const parsed = parseProxyUrl(text)
    t.match(parsed, { ok: true, proxy: { scheme, host, port } }, text)
    t.notOk(parsed.ok && 'authorization' in parsed.proxy)
  }
})

t.test('user and password are percent-decoded, and not in the text for a person', async (t) => {
  const table = [
    ['http://user:secret@gw.example:1', 'user:secret'],
    ['http://u%40corp:p%3A%2F%25%20%C3%BC@gw.example:1', 'u@corp:p:/% ü'],
    ['http://user@gw.example:1', 'user:'],
    ['http://a:b:c@gw.example:1', 'a:b:c'],
  ] as const
  for (const [text, plain] of table) {
    const parsed = parseProxyUrl(text)
    if (!parsed.ok) throw new TypeError(parsed.problem)
    t.equal(parsed.proxy.authorization, `Basic ${Buffer.from(plain).toString('base64')}`)
    t.equal(parsed.proxy.text, 'http://gw.example:1')
  }
})

t.test('what is no proxy is refused with what to write, and never quoted', async (t) => {
  const table = [
    ['gw.example:3128', /http:\/\/ or https:\/\//], ['socks5://secret@gw.example:1', /http:\/\//],
    ['http://user:secret@word@gw.example:1', /%40 for @/], ['http://user:sec ret@gw.example', /percent-encoded/],
    ['http://user:sec%ret@gw.example', /%25/], ['http://user:secret%FF@gw.example', /UTF-8/],
    ['http://gw.example:1/secret', /behind the port/], ['http://gw.example:99999', /write it like/], ['http://', /write it like/],
  ] as const
  for (const [text, problem] of table) {
    const parsed = parseProxyUrl(text)
    t.match(parsed, { ok: false, problem }, text)
    t.notMatch(JSON.stringify(parsed), /secret|sec /)
  }
})
