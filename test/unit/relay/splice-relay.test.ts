import t from 'tap'
import { loadLibc } from '../../../src/host/libc.ts'
import { startSpliceRelays } from '../../../src/relay/splice/splice-relays.ts'
import { startStreamRelay } from '../../../src/relay/stream-relay.ts'
import { openPlainPair } from '../../support/socket-pair.ts'
import { relayCases } from './relay-cases.ts'
import type { Bench } from './tunnel-bench.ts'

const loaded = loadLibc()
const skip = 'libc' in loaded ? false : `needs the C library: ${loaded.problem}`

t.test('the splice engine keeps every promise of a relay', { skip }, async (t) => {
  if (!('libc' in loaded)) return
  const relays = startSpliceRelays({
    libc: loaded.libc,
    threads: 1,
    maxTunnels: 100,
    onThreadDeath: (cause) => t.fail(`the relay thread died: ${String(cause)}`),
  })
  t.teardown(() => relays.close())
  const bench: Bench = {
    // An end that has gone before the relay begins cannot be handed over.
    start: (options) => relays.start(options) ?? startStreamRelay(options),
    openClient: openPlainPair,
    openUpstream: openPlainPair,
  }
  for (const { name, run } of relayCases) t.test(name, async (t) => { await run(t, bench) })
})
