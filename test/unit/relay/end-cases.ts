import { once } from 'node:events'
import type { Test } from 'tap'
import { computeSha256, createNoise } from '../../support/noise.ts'
import { countResources } from '../../support/resources.ts'
import { readBytes, readToEnd, untilClosed } from '../../support/stream-watch.ts'
import { waitUntil } from '../../support/wait-until.ts'
import type { RelayCase } from './relay-cases.ts'
import { type Bench, type Side, openTunnel, otherSide, sides } from './tunnel-bench.ts'

const content = createNoise(3_000_000)
const wholeContent = { length: content.length, sha256: computeSha256(content), end: 'end' }

const halfCloseCases = sides.map((first): RelayCase => ({
  name: `the ${first} may end first and is still sent everything`,
  async run (t, bench) {
    const { relay, far } = await openTunnel(t, bench)
    const second = otherSide(first)
    far[first].stream.end('question')
    const question = await readToEnd(far[second])
    t.strictSame([question.length, question.end], [8, 'end'])
    const answer = readToEnd(far[first])
    far[second].stream.end(content)
    t.strictSame(await answer, wholeContent)
    t.equal(await relay.ended, 'closed')
  },
}))

/** A FIN that is there before the relay is: still in the socket, or already read by whoever had it before. */
const earlyFinCases = sides.flatMap((side) => [false, true].map((isRead): RelayCase => ({
  name: `a FIN of the ${side} that was ${isRead ? 'read' : 'there'} before the relay began is passed on`,
  async run (t, bench) {
    const { relay, far } = await openTunnel(t, bench, {
      early: Buffer.from('early'),
      async before (pairs) {
        const { near, far: { stream } } = pairs[side]
        await new Promise<void>((resolve) => { stream.end(resolve) })
        if (!isRead) return
        near.stream.resume()
        await once(near.stream, 'end')
      },
    })
    const other = otherSide(side)
    const seen = await readToEnd(far[other])
    t.strictSame([seen.length, seen.end], [side === 'client' ? 5 : 0, 'end'])
    if (side === 'upstream') await readBytes(far.upstream.stream, 5)
    const arrival = readToEnd(far[side])
    far[other].stream.end(content)
    t.strictSame(await arrival, wholeContent)
    t.equal(await relay.ended, 'closed')
  },
})))

const idleCases = sides.map((talker): RelayCase => ({
  name: `bytes of the ${talker} alone keep the tunnel open, and without any it is idle and both are reset`,
  async run (t, bench) {
    const idleTimeoutMs = 300
    const { relay, far } = await openTunnel(t, bench, { idleTimeoutMs })
    const startedAt = performance.now()
    while (performance.now() - startedAt < 2 * idleTimeoutMs) {
      far[talker].stream.write('.')
      await readBytes(far[otherSide(talker)].stream, 1)
    }
    const endings = sides.map(async (side) => (await readToEnd(far[side])).end)
    t.equal(await relay.ended, 'idle')
    // The clock of timers is read once a turn, so that one can fire a little early.
    t.ok(relay.idleMs() > idleTimeoutMs * 0.9)
    t.strictSame(await Promise.all(endings), ['ECONNRESET', 'ECONNRESET'])
  },
}))

/** Runs one tunnel to its end, in the way given, and waits for the peers to be closed too. */
async function runTunnel (t: Test, bench: Bench, finish: 'ends' | 'is stopped' | 'is reset'): Promise<void> {
  const { relay, far } = await openTunnel(t, bench)
  for (const side of sides) {
    far[side].stream.resume()
    if (finish === 'ends') far[side].stream.end('.')
  }
  if (finish === 'is stopped') relay.stop()
  if (finish === 'is reset') far.client.socket.resetAndDestroy()
  await relay.ended
  await Promise.all(sides.map((side) => untilClosed(far[side].socket)))
}

const leftoverCases = (['ends', 'is stopped', 'is reset'] as const).map((finish): RelayCase => ({
  name: `a tunnel that ${finish} leaves no timer and no socket behind`,
  async run (t, bench) {
    const before = countResources()
    await runTunnel(t, bench, finish)
    // Node frees a socket's handle a turn after the socket says that it is closed.
    await t.resolves(waitUntil(() => countResources() <= before, 'no more than there was before'))
  },
}))

async function endBoth (t: Test, bench: Bench): Promise<void> {
  const { relay, far, near } = await openTunnel(t, bench)
  let resolved = 0
  const ended = relay.ended.then((outcome) => {
    resolved++
    t.ok(near.client.stream.closed && near.client.socket.closed, 'the client is closed by then')
    t.ok(near.upstream.stream.closed && near.upstream.socket.closed, 'the upstream is closed by then')
    return outcome
  })
  const seen = sides.map((side: Side) => readToEnd(far[side]))
  far.client.stream.end()
  await seen[1]
  t.equal(resolved, 0, 'not yet')
  far.upstream.stream.end()
  t.equal(await ended, 'closed')
  for (const { length, end } of await Promise.all(seen)) t.strictSame([length, end], [0, 'end'])
  relay.stop()
  t.equal(await relay.ended, 'closed', 'what comes later changes nothing')
}

export const endCases: readonly RelayCase[] = [
  ...halfCloseCases,
  ...earlyFinCases,
  ...idleCases,
  ...leftoverCases,
  { name: 'it has ended when both ends are closed, and not before', run: endBoth },
]
