import fc from 'fast-check'
import t from 'tap'
import { describeFound, escapeControls, formatPath, formatProblem, quote } from '../../../src/config/problem.ts'

t.test('a problem is one line: place, key, message', async (t) => {
  const place = { file: 'a.yaml', line: 3, column: 7 }
  t.equal(formatProblem({ place, key: 'listen.port', message: 'is odd; write 443' }), 'a.yaml:3:7: listen.port: is odd; write 443')
  t.equal(formatProblem({ place: { file: 'a.yaml' }, key: '', message: 'is a directory' }), 'a.yaml: is a directory')
  t.equal(formatProblem({ key: '--region', message: 'is odd' }), '--region: is odd')
})

t.test('a key that is no plain word is quoted in its path', async (t) => {
  t.equal(formatPath(['registries', 0, 'regions', 1]), 'registries[0].regions[1]')
  t.equal(formatPath(['dns', 'hosts', 'a.example', 0]), 'dns.hosts["a.example"][0]')
  t.equal(formatPath(['a\u001b[31m']), '["a\\u001b[31m"]')
})

t.test('what was found is named in words', async (t) => {
  const words: Array<readonly [unknown, string]> = [
    [undefined, 'nothing'], [null, 'nothing'], [10, 'the number 10'], [true, 'true'], ['', 'an empty text'],
    ['x', 'the text "x"'], [[1], 'a list'], [{}, 'a map'],
  ]
  for (const [value, expected] of words) t.equal(describeFound(value), expected)
})

t.test('nothing that moves a cursor or turns the writing direction is printed, whatever the text', async (t) => {
  t.equal(quote('a\u001b[31m\u009b\u202e\u2028b'), '"a\\u001b[31m\\u009b\\u202e\\u2028b"')
  t.equal(quote('grün'), '"grün"')
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
    return !/[\p{C}\p{Zl}\p{Zp}]/u.test(quote(text)) && !/[\p{C}\p{Zl}\p{Zp}]/u.test(escapeControls(text))
  }))
})

t.test('a long text is cut', async (t) => {
  t.equal(quote('x'.repeat(1_000_000)), `"${'x'.repeat(60)}…"`)
  t.equal(quote('😀'.repeat(100)), `"${'😀'.repeat(60)}…"`)
})
