import t from 'tap'
import { createKnownPasswords } from '../../../src/users/known-passwords.ts'

const stored = { hash: `$2b$04$${'.'.repeat(53)}`, cost: 4 }
const other = { hash: `$2b$04$${'/'.repeat(53)}`, cost: 4 }

t.test('what stands for a password is another one for each user, password, hash and process', async (t) => {
  const known = createKnownPasswords(() => 0)
  const codes = [
    known.makeCode({ user: 'a', password: 'b' }, stored),
    known.makeCode({ user: 'a', password: 'b' }, other),
    known.makeCode({ user: 'a', password: 'b' }, undefined),
    known.makeCode({ user: 'a', password: 'c' }, stored),
    known.makeCode({ user: 'ab', password: '' }, stored),
    known.makeCode({ user: '', password: 'ab' }, stored),
    createKnownPasswords(() => 0).makeCode({ user: 'a', password: 'b' }, stored),
  ]
  t.equal(new Set(codes).size, codes.length)
  t.equal(known.makeCode({ user: 'a', password: 'b' }, { ...stored }), codes[0])
  for (const code of codes) t.match(code, /^[A-Za-z0-9+/]{43}=$/, '256 bits, and nothing of the password')
})

t.test('what was right is known from its place and in general, for ten minutes from its last use', async (t) => {
  let time = 1
  const known = createKnownPasswords(() => time)
  t.notOk(known.isKnown('code') || known.isKnownAt('here', 'code'))
  known.remember('here', 'code')
  t.ok(known.isKnown('code') && known.isKnownAt('here', 'code'))
  t.notOk(known.isKnownAt('there', 'code'))
  time += 599_999
  t.ok(known.isKnownAt('here', 'code'))
  time += 599_999
  t.ok(known.isKnownAt('here', 'code'))
  t.notOk(known.isKnown('code'), 'each is used by itself')
  time += 600_001
  t.notOk(known.isKnownAt('here', 'code'))
})
