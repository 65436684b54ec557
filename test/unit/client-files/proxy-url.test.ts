import fc from 'fast-check'
import t from 'tap'
import { parseClientProxyUrl, respellProxyUrl } from '../../../src/client-files/proxy-url.ts'

t.test('user information that is not encoded is refused, and there is a right spelling', async (t) => {
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
    t.match(parseClientProxyUrl(`http://${userInfo}@gw:443`), { ok: false, mistake: { write: /^give the name and password by --user / } })
    t.equal(respellProxyUrl(`http://${userInfo}@gw:443`), `http://${right}@gw:443`, userInfo)
    t.ok(parseClientProxyUrl(`http://${right}@gw:443`).ok, right)
  }
})

t.test('there is no right spelling for what is wrong otherwise, and for what is right', async (t) => {
  for (const text of ['http://a:b c@gw', 'http://@gw:443', 'gw:443', 'http://a:\uD800@gw:443', 'http://edge:p%40ss@gw:443']) {
    t.equal(respellProxyUrl(text), undefined, text)
  }
})

t.test('no text makes it throw', async (t) => {
  const part = fc.constantFrom('http', '://', '@', ':', '/', '[', ']', '%', '%4', 'gw', '443', '\uD800', '\u0000', ' ')
  fc.assert(fc.property(fc.array(part), (parts) => { respellProxyUrl(parts.join('')) }))
})
