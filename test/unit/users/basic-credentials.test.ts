import fc from 'fast-check'
import t from 'tap'
import { parseBasicCredentials } from '../../../src/users/basic-credentials.ts'

function encode (text: string | Uint8Array): string {
  return Buffer.from(text as string).toString('base64')
}

function problemOf (value: string): string {
  const parsed = parseBasicCredentials(value)
  return parsed.ok ? 'understood' : parsed.problem
}

t.test('user and password come out as they were', async (t) => {
  const rows: ReadonlyArray<readonly [user: string, password: string]> = [
    // The example of RFC 7617 section 2.
    ['Aladdin', 'open sesame'],
    // And that of section 2.1.
    ['test', '123\u00a3'],
    ['edge', 'p@ss:word'],
    ['edge', ':'],
    ['edge', ''],
    ['', ''],
    ['edge', '\ufeffmarked'],
    ['\ufeffedge', '%25'],
    [' ', ' '],
  ]
  for (const [user, password] of rows) {
    t.same(parseBasicCredentials(`Basic ${encode(`${user}:${password}`)}`), { ok: true, credentials: { user, password } })
  }
  t.equal(encode('Aladdin:open sesame'), 'QWxhZGRpbjpvcGVuIHNlc2FtZQ==')
})

t.test('the scheme may be in any case, with more than one space behind it', async (t) => {
  for (const scheme of ['basic', 'BASIC', 'bAsIc', 'Basic  ']) {
    t.ok(parseBasicCredentials(`${scheme} ${encode('a:b')}`).ok, scheme)
  }
  t.ok(parseBasicCredentials(`Basic ${encode('a:b')}  `).ok)
})

t.test('another scheme is told of', async (t) => {
  for (const value of ['', ' ', 'Bearer abc', 'Negotiate TlRM', `Basicx ${encode('a:b')}`, encode('a:b'), `Basic\t${encode('a:b')}`]) {
    t.equal(problemOf(value), 'the gateway takes Basic credentials only', value)
  }
})

t.test('base64 has one form', async (t) => {
  t.equal(problemOf('Basic YTpi'), 'understood')
  const wrong = [
    'Basic', 'Basic ', 'Basic YTp', 'Basic YTo', 'Basic YTpi=', 'Basic YTpi====', 'Basic YT pi', 'Basic YTpi, x', 'Basic "YTpi"',
    'Basic YTp\u00e9', 'Basic YTp\tiYQ==', 'Basic YTo-', 'Basic YTo_',
    // Bits that nothing is made of.
    'Basic YTpiYTr=', 'Basic YTp=YTpi',
  ]
  for (const value of wrong) t.equal(problemOf(value), 'the Basic credentials are not base64', value)
})

t.test('what is in it is UTF-8, and no other', async (t) => {
  for (const bytes of [[0x61, 0x3a, 0xa3], [0xff, 0x3a], [0x61, 0x3a, 0xc0, 0x80], [0x61, 0x3a, 0xed, 0xa0, 0x80]]) {
    t.equal(problemOf(`Basic ${encode(Uint8Array.from(bytes))}`), 'the user name or password is not UTF-8')
  }
})

t.test('control characters are refused, in either part', async (t) => {
  for (const code of [...Array(32).keys(), 127]) {
    const character = String.fromCharCode(code)
    for (const text of [`a${character}:b`, `a:b${character}`, `${character}a:b`]) {
      t.equal(problemOf(`Basic ${encode(text)}`), 'the user name or password holds a control character', String(code))
    }
  }
})

t.test('without a colon there is no password', async (t) => {
  t.equal(problemOf(`Basic ${encode('edge')}`), 'the Basic credentials have no colon')
})

t.test('any two texts without control characters come through, up to the first colon', async (t) => {
  const printable = fc.string({ unit: 'binary' }).filter((text) => !/[\p{Cc}]/u.test(text))
  fc.assert(fc.property(printable.filter((user) => !user.includes(':')), printable, (user, password) => {
    const parsed = parseBasicCredentials(`Basic ${encode(`${user}:${password}`)}`)
    return parsed.ok && parsed.credentials.user === user && parsed.credentials.password === password
  }))
})

t.test('whatever comes, nothing is thrown, and nothing of it is said again', async (t) => {
  const problems = new Set<string>()
  fc.assert(fc.property(fc.string({ unit: 'binary' }), fc.boolean(), (value, isBasic) => {
    problems.add(problemOf(isBasic ? `Basic ${value}` : value))
  }), { numRuns: 500 })
  t.ok(problems.size <= 6)
})
