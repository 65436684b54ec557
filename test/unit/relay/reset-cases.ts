import { once } from 'node:events'
import type { Test } from 'tap'
import { computeSha256, createNoise } from '../../support/noise.ts'
import { readBytes, readToEnd, untilClosed, writeAll } from '../../support/stream-watch.ts'
import type { RelayCase } from './relay-cases.ts'
import { type Bench, type Side, type Tunnel, type TunnelOptions, countFrom, openTunnel, otherSide, sides } from './tunnel-bench.ts'

const content = createNoise(1_000_000)

/** A moment in the life of a tunnel at which one side resets its connection. */
interface Stage {
  readonly name: string
  readonly options?: (side: Side) => TunnelOptions
  /** Brings the tunnel to that moment. */
  readonly reach?: (tunnel: Tunnel, side: Side) => Promise<void>
  /** What the other peer may see; a write that meets the reset fails in its own way. */
  readonly seen?: readonly string[]
}

const stages: readonly Stage[] = [
  { name: 'before a byte was sent' },
  {
    name: 'before the relay begins, unnoticed',
    options: (side) => ({ async before (pairs) { pairs[side].far.socket.resetAndDestroy() } }),
  },
  {
    name: 'before the relay begins, noticed',
    options: (side) => ({
      async before (pairs) {
        const { near, far } = pairs[side]
        near.stream.resume()
        far.socket.resetAndDestroy()
        await untilClosed(near.stream)
      },
    }),
  },
  {
    name: 'in the middle of what it sends',
    async reach ({ far }, side) {
      far[side].stream.write(content)
      await readBytes(far[otherSide(side)].stream, 100_000)
    },
  },
  {
    name: 'in the middle of what it is sent',
    async reach ({ far }, side) {
      far[otherSide(side)].stream.end(content)
      await readBytes(far[side].stream, 100_000)
    },
  },
  {
    name: 'while it is sent without end',
    async reach ({ far }, side) {
      const { stream } = far[otherSide(side)]
      void writeAll(stream, repeatForever(content))
      await readBytes(far[side].stream, 5_000_000)
    },
    seen: ['ECONNRESET', 'EPIPE'],
  },
  {
    name: 'after the other side has ended',
    async reach ({ far }, side) {
      far[otherSide(side)].stream.end('.')
      far[side].stream.resume()
      await once(far[side].stream, 'end')
    },
  },
  {
    name: 'while the other side does not read',
    async reach ({ far, relay }, side) {
      far[side].stream.write(createNoise(32_000_000))
      while (countFrom(relay, side) < 1_000_000) await new Promise(setImmediate)
    },
  },
]

function * repeatForever (chunk: Buffer): Iterable<Buffer> {
  for (;;) yield chunk
}

const stageCases = stages.flatMap((stage) => sides.map((side): RelayCase => ({
  name: `a reset by the ${side} ${stage.name} is passed on as a reset`,
  async run (t, bench) {
    const tunnel = await openTunnel(t, bench, stage.options?.(side))
    await stage.reach?.(tunnel, side)
    const seen = readToEnd(tunnel.far[otherSide(side)])
    tunnel.far[side].socket.resetAndDestroy()
    const { end } = await seen
    t.ok((stage.seen ?? ['ECONNRESET']).includes(end), `the other side saw ${end}`)
    t.equal(await tunnel.relay.ended, `${side}_reset`)
  },
})))

/** As a server does that refuses an upload half-way: it answers and closes, and its kernel resets what still comes. */
async function answerEarly (t: Test, bench: Bench, answerer: Side): Promise<void> {
  const { relay, far } = await openTunnel(t, bench)
  const { stream, socket } = far[answerer]
  const talker = far[otherSide(answerer)]
  void writeAll(talker.stream, repeatForever(content))
  await readBytes(stream, 2_000_000)
  // More than the talker's socket holds while it does not read, and less than both sockets on the way do.
  const answer = createNoise(2_000_000, 1)
  stream.end(answer)
  // What the answerer itself had not sent yet when it closed is lost by its own doing.
  while (!stream.writableFinished || countFrom(relay, answerer) < answer.length) await new Promise(setImmediate)
  socket.destroy()
  const seen = await readBytes(talker.stream, answer.length)
  t.equal(computeSha256(seen), computeSha256(answer))
  talker.socket.destroy()
  t.equal(await relay.ended, `${answerer}_reset`)
}

/** As a client does that uploads, closes without waiting for the answer, and is answered all the same. */
async function leaveEarly (t: Test, bench: Bench, leaver: Side): Promise<void> {
  const { relay, far } = await openTunnel(t, bench)
  const other = otherSide(leaver)
  // More than the other side's socket takes while nobody reads, and less than the relay takes on top of that.
  const upload = createNoise(1_000_000, 1)
  far[leaver].stream.end(upload)
  while (countFrom(relay, leaver) < upload.length) await new Promise(setImmediate)
  far[leaver].socket.destroy()
  // The first word meets a connection that is still there, and the kernel's answer is a reset; the second one fails.
  far[other].stream.write('.')
  while (countFrom(relay, other) < 1) await new Promise(setImmediate)
  far[other].stream.write('.')
  const seen = await readBytes(far[other].stream, upload.length)
  t.equal(computeSha256(seen), computeSha256(upload))
  far[other].stream.destroy()
  t.equal(await relay.ended, `${leaver}_reset`)
}

async function stop (t: Test, bench: Bench, isBusy: boolean): Promise<void> {
  const { relay, far } = await openTunnel(t, bench)
  if (isBusy) {
    far.upstream.stream.write(createNoise(32_000_000))
    await readBytes(far.client.stream, 1_000_000)
  }
  const endings = sides.map(async (side) => (await readToEnd(far[side])).end)
  relay.stop()
  relay.stop()
  t.equal(await relay.ended, 'stopped')
  for (const end of await Promise.all(endings)) t.ok(['ECONNRESET', 'EPIPE'].includes(end), end)
}

const destroyedCases = sides.map((side): RelayCase => ({
  name: `a ${side} that is destroyed when the relay begins ends it, and the other side is reset`,
  async run (t, bench) {
    const { relay, far } = await openTunnel(t, bench, {
      early: Buffer.from('early'),
      async before (pairs) { pairs[side].near.stream.destroy() },
    })
    t.equal((await readToEnd(far[otherSide(side)])).end, 'ECONNRESET')
    t.equal(await relay.ended, `${side}_reset`)
  },
}))

export const resetCases: readonly RelayCase[] = [
  ...stageCases,
  ...destroyedCases,
  ...sides.map((side): RelayCase => ({
    name: `the last words of the ${side} arrive whole though it closes while the other side still sends`,
    run: (t, bench) => answerEarly(t, bench, side),
  })),
  ...sides.map((side): RelayCase => ({
    name: `what the ${side} sent before it closed arrives whole though it is still answered`,
    run: (t, bench) => leaveEarly(t, bench, side),
  })),
  { name: 'stopped, it resets both ends', run: (t, bench) => stop(t, bench, false) },
  { name: 'stopped while bytes move, it resets both ends', run: (t, bench) => stop(t, bench, true) },
]
