import t, { type Test } from 'tap'
import { loadLibc } from '../../../src/host/libc.ts'
import { type SpliceRelays, startSpliceRelays } from '../../../src/relay/splice/splice-relays.ts'
import { openPlainPair } from '../../support/socket-pair.ts'
import { readBytes, readToEnd } from '../../support/stream-watch.ts'

const loaded = loadLibc()
const skip = 'libc' in loaded ? false : `needs the C library: ${loaded.problem}`

/** Relays on one thread, and the death of it. */
function startRelays (t: Test, shortestLifeMs: number) {
  if (!('libc' in loaded)) throw new Error(loaded.problem)
  let died = (_isReplaced: boolean): void => {}
  const death = new Promise<boolean>((resolve) => { died = resolve })
  const relays = startSpliceRelays({
    libc: loaded.libc,
    threads: 1,
    maxTunnels: 10,
    shortestLifeMs,
    onThreadDeath: (_cause, isReplaced) => died(isReplaced),
  })
  t.teardown(() => relays.close())
  return { relays, death }
}

async function start (t: Test, relays: SpliceRelays, early: Buffer) {
  const [client, upstream] = await Promise.all([openPlainPair(t), openPlainPair(t)])
  const relay = relays.start({ client: client.near, upstream: upstream.near, early, idleTimeoutMs: 60_000 })
  return { relay, client: client.far, upstream: upstream.far }
}

// No caller can hand over such bytes; the thread stumbles over them in the middle of its loop.
const deadly = { length: 1 } as unknown as Buffer

t.test('a thread that dies is replaced, its tunnels have failed, and later ones are carried', { skip }, async (t) => {
  const { relays, death } = startRelays(t, 0)
  const lost = await start(t, relays, deadly)
  const seen = readToEnd(lost.client)
  t.equal(await lost.relay?.ended, 'failed')
  t.equal((await seen).end, 'ECONNRESET')
  t.equal(await death, true)
  t.strictSame([relays.threadsRunning, relays.threadsDied], [1, 1])
  const { client, upstream } = await start(t, relays, Buffer.from('early'))
  t.equal((await readBytes(upstream.stream, 5)).toString(), 'early')
  client.stream.destroy()
})

t.test('a thread that dies at birth is not, and tunnels are left to streams', { skip }, async (t) => {
  const { relays, death } = startRelays(t, 3_600_000)
  await start(t, relays, deadly)
  t.equal(await death, false)
  t.strictSame([relays.threadsRunning, relays.threadsDied], [0, 1])
  const { relay } = await start(t, relays, Buffer.alloc(0))
  t.equal(relay, undefined)
})
