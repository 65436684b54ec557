import t from 'tap'
import { loadLibc } from '../../../src/host/libc.ts'
import { handOver } from '../../../src/relay/splice/hand-over.ts'
import { startRelayThread } from '../../../src/relay/splice/thread.ts'
import { openPlainPair } from '../../support/socket-pair.ts'
import { readToEnd } from '../../support/stream-watch.ts'

const loaded = loadLibc()
const skip = 'libc' in loaded ? false : `needs the C library: ${loaded.problem}`

t.test('a thread that dies ends its tunnels as failed, resets their ends, and says so', { skip }, async (t) => {
  if (!('libc' in loaded)) return
  const { libc } = loaded
  let died = (_cause: unknown): void => {}
  const death = new Promise<unknown>((resolve) => { died = resolve })
  const thread = startRelayThread({
    libc,
    slots: 2,
    maxPipeBytes: 65536,
    spliceAfterBytes: 0,
    onDeath: died,
  })
  const outcomes: string[] = []
  async function addTunnel (fromClient: Uint8Array | undefined) {
    const [client, upstream] = await Promise.all([openPlainPair(t), openPlainPair(t)])
    const taken = handOver(libc, client.near, upstream.near)
    if (taken === undefined) throw new Error('the ends could not be handed over')
    thread.add({
      clientFd: taken.client.fd,
      upstreamFd: taken.upstream.fd,
      fromClient,
      fromUpstream: undefined,
      idleTimeoutMs: 60_000,
    }, (outcome) => outcomes.push(outcome))
    return [client.far, upstream.far].map(async (end) => (await readToEnd(end)).end)
  }
  const healthy = await addTunnel(undefined)
  t.equal(thread.load, 1)
  // No caller can hand over such bytes; the thread stumbles over them in the middle of its loop.
  const deadly = await addTunnel({ length: 1 } as Uint8Array)
  t.ok(await death instanceof Error)
  t.strictSame(outcomes, ['failed', 'failed'])
  t.strictSame(await Promise.all([...healthy, ...deadly]), ['ECONNRESET', 'ECONNRESET', 'ECONNRESET', 'ECONNRESET'])
  t.equal(thread.load, 0)
  t.notOk(thread.hasRoom)
  await thread.close()
})
