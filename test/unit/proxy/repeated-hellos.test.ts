import { randomBytes } from 'node:crypto'
import t from 'tap'
import { createRepeatedHellos } from '../../../src/proxy/repeated-hellos.ts'

t.test('a hello that comes again is known, and by its beginning alone', async (t) => {
  const hellos = createRepeatedHellos()
  const hello = randomBytes(500)
  t.equal(hellos.hasMet(hello), false)
  t.equal(hellos.hasMet(randomBytes(500)), false)
  t.equal(hellos.hasMet(hello), true)
  t.equal(hellos.hasMet(Buffer.concat([hello.subarray(0, 100), randomBytes(9)])), true)
})

t.test('the latest thousands are remembered, and those before them forgotten', async (t) => {
  const hellos = createRepeatedHellos()
  const first = randomBytes(80)
  hellos.hasMet(first)
  for (let count = 0; count < 4999; count++) hellos.hasMet(randomBytes(80))
  t.equal(hellos.hasMet(first), true)
  for (let count = 0; count < 10_001; count++) hellos.hasMet(randomBytes(80))
  t.equal(hellos.hasMet(first), false)
})
