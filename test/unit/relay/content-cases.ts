import type { Test } from 'tap'
import { computeSha256, createDice, createNoise } from '../../support/noise.ts'
import { readBytes, readToEnd, writeAll } from '../../support/stream-watch.ts'
import type { RelayCase } from './relay-cases.ts'
import { type Bench, type Side, type Tunnel, countBoth, countFrom, openTunnel, otherSide, sides } from './tunnel-bench.ts'

const mebibyte = 1024 * 1024
const sizes = [0, 1, 4095, 4096, 65_535, 65_536, mebibyte - 1, mebibyte, mebibyte + 1, 64 * mebibyte]
// The send buffer of one socket and the receive buffer of another, as large as the kernel lets them grow, and some.
const maxHeldBytes = 8 * mebibyte

const noises = new Map<string, Buffer>()

/** The bytes that a side sends; made once, for 64 MiB take a while. */
function noiseOf (side: Side, size: number): Buffer {
  const key = `${side} ${size}`
  const known = noises.get(key)
  if (known !== undefined) return known
  const noise = createNoise(size, side === 'client' ? 1 : 2)
  noises.set(key, noise)
  return noise
}

/** Both sides send, in these chunks, and end. */
async function exchange (t: Test, { relay, far }: Tunnel, chunksOf: (side: Side) => Buffer[]): Promise<void> {
  const arrivals = { client: readToEnd(far.client), upstream: readToEnd(far.upstream) }
  await Promise.all(sides.map(async (side) => {
    await writeAll(far[side].stream, chunksOf(side))
    far[side].stream.end()
  }))
  for (const side of sides) {
    const sent = Buffer.concat(chunksOf(side))
    const seen = await arrivals[otherSide(side)]
    t.strictSame(seen, { length: sent.length, sha256: computeSha256(sent), end: 'end' }, `from ${side}`)
    t.equal(countFrom(relay, side), sent.length, `counted from ${side}`)
  }
  t.equal(await relay.ended, 'closed')
}

function cutAtRandom (content: Buffer, seed: number): Buffer[] {
  const roll = createDice(seed)
  const chunks: Buffer[] = []
  for (let start = 0; start < content.length;) {
    const end = start + 1 + Math.floor(roll() ** 3 * 100_000)
    chunks.push(content.subarray(start, end))
    start = end
  }
  return chunks
}

const sizeCases = sizes.map((size): RelayCase => ({
  name: `${size} bytes arrive whole, in both directions at once`,
  async run (t, bench) {
    await exchange(t, await openTunnel(t, bench), (side) => [noiseOf(side, size)])
  },
}))

const earlyCases = [0, 1, 65_536].map((size): RelayCase => ({
  name: `${size} early bytes go to the upstream first`,
  async run (t, bench) {
    const early = createNoise(size, 3)
    const later = noiseOf('client', 65_535)
    const { relay, far } = await openTunnel(t, bench, { early })
    const arrival = readToEnd(far.upstream)
    far.client.stream.end(later)
    const all = Buffer.concat([early, later])
    t.strictSame(await arrival, { length: all.length, sha256: computeSha256(all), end: 'end' })
    t.equal(relay.bytes.fromClient, all.length)
    t.equal(relay.bytes.fromUpstream, 0)
  },
}))

const stalledReaderCases = sides.map((reader): RelayCase => ({
  name: `the other side can send no more while the ${reader} does not read, and all arrives when it does`,
  run: (t, bench) => stallReader(t, bench, reader),
}))

async function stallReader (t: Test, bench: Bench, reader: Side): Promise<void> {
  const { relay, far } = await openTunnel(t, bench)
  const writer = otherSide(reader)
  const content = noiseOf(writer, 64 * mebibyte)
  far[writer].stream.end(content)
  // The way back is open. What the writer could get rid of has long gone when so many bytes went there one by one.
  for (let round = 0; round < 500; round++) {
    far[reader].stream.write('.')
    await readBytes(far[writer].stream, 1)
  }
  const held = countFrom(relay, writer)
  t.ok(held > 0 && held < maxHeldBytes, `${held} bytes were taken`)
  const arrival = readToEnd(far[reader])
  t.strictSame(await arrival, { length: content.length, sha256: computeSha256(content), end: 'end' })
  t.equal(countFrom(relay, writer), content.length)
}

/** As in an answer whose connection stays open: nothing but the bytes themselves says that they are the last. */
const lastBlockCases = sides.map((sender): RelayCase => ({
  name: `a small block of the ${sender} behind a great many bytes arrives though nothing follows it`,
  async run (t, bench) {
    const { far } = await openTunnel(t, bench)
    const content = noiseOf(sender, 64 * mebibyte)
    for (const size of [1, 4096, 100_000]) {
      const whole = Buffer.concat([content, content.subarray(0, size)])
      const arrival = readBytes(far[otherSide(sender)].stream, whole.length)
      await writeAll(far[sender].stream, [whole])
      t.equal(computeSha256(await arrival), computeSha256(whole))
    }
  },
}))

export const contentCases: readonly RelayCase[] = [
  ...sizeCases,
  ...earlyCases,
  ...stalledReaderCases,
  ...lastBlockCases,
  {
    name: 'chunks of any size arrive as one stream, in both directions at once',
    async run (t, bench) {
      const chunks = { client: cutAtRandom(noiseOf('client', 3_000_000), 1), upstream: cutAtRandom(noiseOf('upstream', 5_000_000), 2) }
      await exchange(t, await openTunnel(t, bench), (side) => chunks[side])
    },
  },
  {
    name: 'the counts move while bytes do, and so does the time since the last one',
    async run (t, bench) {
      const { relay, far } = await openTunnel(t, bench, { early: Buffer.from('early') })
      t.strictSame(countBoth(relay), [5, 0])
      await readBytes(far.upstream.stream, 5)
      far.upstream.stream.write('up')
      await readBytes(far.client.stream, 2)
      t.strictSame(countBoth(relay), [5, 2])
      while (relay.idleMs() < 5) await new Promise(setImmediate)
      const writtenAt = performance.now()
      far.client.stream.write('down')
      await readBytes(far.upstream.stream, 4)
      t.ok(relay.idleMs() <= performance.now() - writtenAt)
      t.strictSame(countBoth(relay), [9, 2])
    },
  },
]
