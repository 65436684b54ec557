import t, { type Test } from 'tap'
import { loadLibc } from '../../../src/host/libc.ts'
import { handOver } from '../../../src/relay/splice/hand-over.ts'
import { createPipePool } from '../../../src/relay/splice/pipe-pool.ts'
import { createTally } from '../../../src/relay/splice/tally.ts'
import { createTunnelLoop } from '../../../src/relay/splice/tunnel-loop.ts'
import { computeSha256, createNoise } from '../../support/noise.ts'
import { openPlainPair } from '../../support/socket-pair.ts'

const loaded = loadLibc()
const skip = 'libc' in loaded ? false : `needs the C library: ${loaded.problem}`

/** A loop in this thread, which does nothing but when it is told to take a turn, and one tunnel in it. */
async function startLoop (t: Test) {
  if (!('libc' in loaded)) throw new TypeError('no libc')
  const { libc } = loaded
  const outcomes: string[] = []
  const tally = createTally(1)
  const eventFd = libc.createEvent()
  const loop = createTunnelLoop({
    libc,
    pipes: createPipePool({ libc, maxBytes: 4 * 2 ** 20 }),
    tally,
    eventFd,
    spliceAfterBytes: 0,
    onEnded: (_slot, outcome) => outcomes.push(outcome),
  })
  t.teardown(() => {
    loop.close()
    libc.close(eventFd)
  })
  const [client, upstream] = await Promise.all([openPlainPair(t), openPlainPair(t)])
  const taken = handOver(libc, client.near, upstream.near)
  if (taken === undefined) throw new Error('the ends could not be handed over')
  tally.begin(0, 0, 0)
  loop.add({
    slot: 0,
    clientFd: taken.client.fd,
    upstreamFd: taken.upstream.fd,
    fromClient: undefined,
    fromUpstream: undefined,
    idleTimeoutMs: 60_000,
  })
  /** A turn that waits for nothing, and then one of Node's. */
  async function turn (): Promise<void> {
    libc.signalEvent(eventFd)
    loop.turn()
    await new Promise(setImmediate)
  }
  return { turn, tally, outcomes, client: client.far, upstream: upstream.far }
}

t.test('FIN and a reset right behind it, seen at once, cut off nothing that was said before', { skip }, async (t) => {
  const { turn, tally, outcomes, client, upstream } = await startLoop(t)
  const answer = createNoise(2_000_000, 1)
  // The upstream leaves this unread, so that its kernel resets the connection when it closes.
  upstream.stream.pause()
  client.stream.pause().write(createNoise(100_000))
  upstream.stream.write(answer)
  while (tally.bytesFromUpstream(0) < answer.length || tally.bytesFromClient(0) < 100_000) await turn()
  // Not one turn from here to the reset, as on a thread that others hold up.
  await new Promise<void>((resolve) => { upstream.stream.end(resolve) })
  client.stream.write('more')
  upstream.socket.destroy()
  await new Promise<void>((resolve) => { upstream.socket.once('close', () => resolve()) })
  const chunks: Buffer[] = []
  const ended = new Promise<string>((resolve) => {
    client.stream.on('data', (chunk: Buffer) => chunks.push(chunk)).once('end', () => resolve('end')).resume()
    client.stream.once('error', (error) => resolve(String(Object(error).code)))
  })
  const seen: string[] = []
  void ended.then((how) => seen.push(how))
  while (seen.length === 0) await turn()
  t.strictSame(seen, ['end'])
  t.equal(computeSha256(Buffer.concat(chunks)), computeSha256(answer))
  client.socket.destroy()
  while (outcomes.length === 0) await turn()
  t.strictSame(outcomes, ['upstream_reset'])
})
