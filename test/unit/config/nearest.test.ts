import t from 'tap'
import { findNearest } from '../../../src/config/nearest.ts'

const known = ['listen', 'clients', 'tunnel', 'dns', 'log']

t.test('a slip of the hand finds the word that was meant', async (t) => {
  t.equal(findNearest('lisen', known), 'listen')
  t.equal(findNearest('tunnels', known), 'tunnel')
  t.equal(findNearest('DNS', known), 'dns')
})

t.test('another word altogether finds nothing', async (t) => {
  t.equal(findNearest('proxy', known), undefined)
  t.equal(findNearest('xy', known), undefined)
  t.equal(findNearest('', known), undefined)
  t.equal(findNearest('x'.repeat(1_000_000), known), undefined, 'and a very long one finds it at once')
})
