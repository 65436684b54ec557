import { networkInterfaces } from 'node:os'
import t from 'tap'
import { createOwnEnd } from '../../../src/host/own-end.ts'

t.test('nothing leads back to a process that does not listen', async (t) => {
  t.equal(createOwnEnd().leadsBack('127.0.0.1', 443), false)
})

t.test('one address is one end', async (t) => {
  const end = createOwnEnd()
  end.listenAt({ address: '127.0.0.2', port: 443 })
  t.equal(end.leadsBack('127.0.0.2', 443), true)
  t.equal(end.leadsBack('127.0.0.2', 444), false)
  t.equal(end.leadsBack('127.0.0.1', 443), false)
})

t.test('every address of the host is one, where it listens on all', async (t) => {
  for (const address of ['0.0.0.0', '::']) {
    const end = createOwnEnd()
    end.listenAt({ address, port: 443 })
    const own = Object.values(networkInterfaces()).flatMap((list = []) => list.map((one) => one.address))
    t.ok(own.length > 0)
    for (const one of [...own, '127.9.9.9']) t.equal(end.leadsBack(one, 443), true, one)
    t.equal(end.leadsBack('192.0.2.1', 443), false)
    t.equal(end.leadsBack('127.0.0.1', 80), false)
  }
})
