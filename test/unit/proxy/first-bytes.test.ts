import t, { type Test } from 'tap'
import { readFirstBytes } from '../../../src/proxy/first-bytes.ts'
import { createTlsPairs, openPlainPair } from '../../support/socket-pair.ts'

const nothing = Buffer.alloc(0)
const openTlsPair = await createTlsPairs()

/** Knows what five bytes are. */
function judgeFive (bytes: Buffer): string | undefined {
  return bytes.length < 5 ? undefined : bytes.toString('latin1', 0, 5)
}

async function read (t: Test, early: string, { signal = new AbortController().signal, pair = openPlainPair(t) } = {}) {
  const { near, far } = await pair
  return { near, far, first: readFirstBytes(near.stream, Buffer.from(early), judgeFive, signal) }
}

t.test('bytes that come in pieces are put together until it is known what they are', async (t) => {
  for (const pair of [openPlainPair(t), openTlsPair(t)]) {
    const { near, far, first } = await read(t, 'a', { pair })
    far.stream.write('bc')
    far.stream.write('defg')
    const result = await first
    t.match(result, { kind: 'judged', verdict: 'abcde' })
    t.equal(`${result.bytes}${near.stream.read() as Buffer | null ?? ''}`, 'abcdefg', 'nothing is lost or read twice')
  }
})

t.test('what has come early may be enough', async (t) => {
  const { first } = await read(t, 'abcdef')
  t.match(await first, { kind: 'judged', verdict: 'abcde', bytes: Buffer.from('abcdef') })
})

t.test('what comes behind is left where it is, and can be read on', async (t) => {
  const { near, far, first } = await read(t, '')
  far.stream.write('abcde')
  await first
  t.equal(['readable', 'end', 'close'].map((event) => near.stream.listenerCount(event)).join(), '0,1,0')
  const rest: Buffer[] = []
  near.stream.on('data', (chunk: Buffer) => { rest.push(chunk) })
  near.stream.resume()
  far.stream.end('fgh')
  await new Promise((resolve) => near.stream.once('end', resolve))
  t.equal(Buffer.concat(rest).toString(), 'fgh')
})

t.test('a stream that ends, also before it was looked at, has ended with what there was of it', async (t) => {
  const ending = await read(t, 'a')
  ending.far.stream.end('bc')
  t.match(await ending.first, { kind: 'ended', bytes: Buffer.from('abc') })
  t.match(await readFirstBytes(ending.near.stream, nothing, judgeFive, new AbortController().signal), { kind: 'ended', bytes: nothing })
})

t.test('a stream that fails is closed, also before it was looked at', async (t) => {
  const { near, far, first } = await read(t, 'a')
  far.socket.resetAndDestroy()
  t.match(await first, { kind: 'closed', bytes: Buffer.from('a') })
  t.match(await readFirstBytes(near.stream, Buffer.from('abcdef'), judgeFive, AbortSignal.abort()), { kind: 'closed' })
})

t.test('the signal cuts it short, and a late byte is nobody\'s', async (t) => {
  const controller = new AbortController()
  const { near, far, first } = await read(t, 'a', { signal: controller.signal })
  controller.abort()
  t.match(await first, { kind: 'cut', bytes: Buffer.from('a') })
  far.stream.write('bcdef')
  await new Promise((resolve) => near.stream.once('readable', resolve))
  t.equal(String(near.stream.read()), 'bcdef')
  t.match(await readFirstBytes(near.stream, nothing, judgeFive, AbortSignal.abort()), { kind: 'cut' })
})
