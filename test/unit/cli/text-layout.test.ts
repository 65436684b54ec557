import t from 'tap'
import { chooseWidth, layoutEntries, wrapText } from '../../../src/cli/text-layout.ts'

t.test('lines are of 80 characters, or as wide as the terminal, from 40 to 100', async (t) => {
  t.equal(chooseWidth({}), 80)
  t.equal(chooseWidth({ isTTY: false, columns: 200 }), 80)
  t.equal(chooseWidth({ isTTY: true }), 80)
  t.equal(chooseWidth({ isTTY: true, columns: 92 }), 92)
  t.equal(chooseWidth({ isTTY: true, columns: 200 }), 100)
  t.equal(chooseWidth({ isTTY: true, columns: 0 }), 40)
})

t.test('text is broken at spaces only, and a word that is too long stays whole', async (t) => {
  t.equal(wrapText('one two three', { width: 7 }), 'one two\nthree')
  t.equal(wrapText('one two three', { width: 6 }), 'one\ntwo\nthree')
  t.equal(wrapText('a incomprehensible b', { width: 4, indent: 1, hang: 2 }), ' a\n  incomprehensible\n  b')
  t.equal(wrapText('', { width: 10 }), '')
})

t.test('a list has two columns; a term that is too long has its meaning below', async (t) => {
  const long = '--a-flag-that-is-far-too-long'
  t.equal(layoutEntries([['a', 'first'], ['bcd', 'second'], [long, 'third']], 80), `  a    first\n  bcd  second\n  ${long}\n       third`)
})

t.test('on a narrow terminal every meaning is below its term', async (t) => {
  t.equal(layoutEntries([['--config FILE', 'what to read']], 40), '  --config FILE\n      what to read')
  t.equal(layoutEntries([], 40), '')
})
