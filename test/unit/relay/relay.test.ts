import t from 'tap'
import { loadLibc } from '../../../src/host/libc.ts'
import { type RelaysOptions, startRelays } from '../../../src/relay/relay.ts'
import { testSplice } from '../../../src/relay/splice/self-test.ts'
import { createTlsPairs, openPlainPair } from '../../support/socket-pair.ts'
import { readBytes, readToEnd } from '../../support/stream-watch.ts'
import { type Bench, countBoth, openTunnel } from './tunnel-bench.ts'

const loaded = loadLibc()
const skip = 'libc' in loaded ? false : `needs the C library: ${loaded.problem}`

function createOptions (engine: RelaysOptions['engine']): RelaysOptions {
  return {
    engine,
    threads: 1,
    maxTunnels: 10,
    onFallback: (problem) => { throw new Error(problem) },
    onThreadDeath: (cause) => { throw cause },
  }
}

t.test('streams are streams, without a thread or a pipe', async (t) => {
  const relays = await startRelays(createOptions('stream'))
  t.equal(relays.engine, 'stream')
  t.strictSame(relays.pipes, { idle: 0, lent: 0 })
  await relays.close()
})

t.test('what the splice engine rests on works here, and auto takes it', { skip }, async (t) => {
  if (!('libc' in loaded)) return
  t.equal(await testSplice(loaded.libc), undefined)
  const relays = await startRelays(createOptions('auto'))
  t.teardown(() => relays.close())
  t.equal(relays.engine, 'splice')
})

t.test('the self-test says what does not work', { skip }, async (t) => {
  if (!('libc' in loaded)) return
  const { libc } = loaded
  t.match(await testSplice({ ...libc, duplicate: () => -24 }), 'errno 24')
  t.match(await testSplice({ ...libc, pipe: () => -24 }), 'no pipe')
  t.match(await testSplice({ ...libc, splice: () => -22 }), 'splice(2) brought -22')
})

t.test('a client that speaks TLS is carried by streams, beside others that are spliced', { skip }, async (t) => {
  const relays = await startRelays(createOptions('splice'))
  t.teardown(() => relays.close())
  const clients = [openPlainPair, await createTlsPairs()]
  for (const openClient of clients) {
    const { far, relay } = await openTunnel(t, { start: relays.start, openClient, openUpstream: openPlainPair })
    far.client.stream.write('question')
    t.equal((await readBytes(far.upstream.stream, 8)).toString(), 'question')
    far.upstream.stream.end('answer')
    const { end } = await readToEnd(far.client)
    t.equal(end, 'end')
    far.client.stream.end()
    t.equal(await relay.ended, 'closed')
    t.strictSame(countBoth(relay), [8, 6])
  }
})

t.test('closed, it resets what is left on its threads', { skip }, async (t) => {
  const relays = await startRelays(createOptions('splice'))
  const bench: Bench = { start: relays.start, openClient: openPlainPair, openUpstream: openPlainPair }
  const { far, relay } = await openTunnel(t, bench)
  const endings = [far.client, far.upstream].map(async (end) => (await readToEnd(end)).end)
  await relays.close()
  t.equal(await relay.ended, 'stopped')
  t.strictSame(await Promise.all(endings), ['ECONNRESET', 'ECONNRESET'])
})
