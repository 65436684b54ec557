import t from 'tap'
import { startStreamRelay } from '../../../src/relay/stream-relay.ts'
import { createTlsPairs, openPlainPair } from '../../support/socket-pair.ts'
import { relayCases } from './relay-cases.ts'
import { type Bench, openTunnel, sides } from './tunnel-bench.ts'

const plain: Bench = { start: startStreamRelay, openClient: openPlainPair, openUpstream: openPlainPair }
const tls: Bench = { ...plain, openClient: await createTlsPairs() }

for (const { name, run } of relayCases) {
  t.test(`clear text: ${name}`, async (t) => { await run(t, plain) })
  t.test(`TLS on the client's side: ${name}`, async (t) => { await run(t, tls) })
}

for (const [name, bench] of [['clear text', plain], ['TLS', tls]] as const) {
  t.test(`${name}: stopped while the FIN of one side is being passed on, it ends all the same`, async (t) => {
    for (const side of sides) {
      const { relay, far, near } = await openTunnel(t, bench)
      // Behind the turn in which the relay calls shutdown(2), and before the one in which it is done.
      near[side].stream.once('end', () => setImmediate(() => relay.stop()))
      far[side].stream.end()
      t.equal(await relay.ended, 'stopped')
    }
  })
}
