import { once } from 'node:events'
import { type AddressInfo, type Server, createServer } from 'node:net'
import t, { type Test } from 'tap'
import { type Address, parseAddress } from '../../../src/net/address.ts'
import { type AttemptOutcome, DialError, dial } from '../../../src/proxy/dial.ts'
import { type DialTarget, type SlowTargets, createSlowTargets } from '../../../src/proxy/slow-targets.ts'
import { startFullListener } from '../../support/full-listener.ts'
import { readBytes, untilClosed } from '../../support/stream-watch.ts'
import { startEchoUpstream } from '../../support/upstream.ts'
import { waitUntil } from '../../support/wait-until.ts'

const never = new AbortController().signal
// Longer than any test: only a failure starts the next attempt.
const noStaggerMs = 3_600_000

function target (port: number, text = '127.0.0.1'): DialTarget {
  return { address: parseAddress(text) as Address, port }
}

async function listen (t: Test, host = '127.0.0.1'): Promise<{ server: Server, port: number }> {
  const server = createServer({ allowHalfOpen: false }, (socket) => {
    t.teardown(() => socket.destroy())
    socket.on('error', () => {}).resume()
  })
  server.listen(0, host)
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { server, port: (server.address() as AddressInfo).port }
}

/** A port that nobody listens on: one that was just given back. */
async function findRefusingPort (host = '127.0.0.1'): Promise<number> {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Dials, keeps the outcomes of the attempts, and destroys the winner at the test's end. */
function startDial (t: Test, targets: readonly DialTarget[], attemptDelayMs: number, signal: AbortSignal = never) {
  const outcomes: AttemptOutcome[] = []
  const dialled = dial({ targets, signal, attemptDelayMs, onAttempt: (outcome) => outcomes.push(outcome) })
  dialled.then(({ socket }) => t.teardown(() => socket.destroy()), () => {})
  return { outcomes, dialled }
}

/** Connections, finished or not, that the process has. */
function countConnections (): number {
  return process.getActiveResourcesInfo().filter((kind) => kind.startsWith('TCPSocket') || kind.startsWith('TCPConnect')).length
}

t.test('the winner is handed over bare, and carries bytes', async (t) => {
  const { port } = await startEchoUpstream(t)
  const { outcomes, dialled } = startDial(t, [target(port)], noStaggerMs)
  const { socket, target: won } = await dialled
  t.equal(won.port, port)
  t.strictSame(outcomes, ['connected'])
  t.equal(socket.listenerCount('error'), 0)
  t.equal(socket.listenerCount('connect'), 0)
  t.ok(socket.allowHalfOpen)
  socket.end('echo')
  t.equal((await readBytes(socket, 4)).toString(), 'echo')
})

t.test('after a refusal the next target is tried at once', async (t) => {
  const { port } = await listen(t)
  const { outcomes, dialled } = startDial(t, [target(await findRefusingPort()), target(port)], noStaggerMs)
  t.equal((await dialled).target.port, port)
  t.strictSame(outcomes, ['refused', 'connected'])
})

/** Dials one connection after another, and gives back the outcomes of each. */
async function dialInTurn (t: Test, times: number, targets: readonly DialTarget[], slowTargets: SlowTargets) {
  const all: AttemptOutcome[][] = []
  for (let time = 0; time < times; time++) {
    const outcomes: AttemptOutcome[] = []
    const { socket } = await dial({
      targets, slowTargets, signal: never, attemptDelayMs: 60, onAttempt: (outcome) => outcomes.push(outcome),
    })
    t.teardown(() => socket.destroy())
    all.push(outcomes)
  }
  return all
}

t.test('a target that failed, or was overtaken, is tried last for a while', async (t) => {
  const [silent, { port }] = await Promise.all([startFullListener(t), listen(t)])
  for (const [bad, outcome] of [[await findRefusingPort(), 'refused'], [silent.port, 'abandoned']] as const) {
    let nowMs = 0
    const slowTargets = createSlowTargets({ memoryMs: 30_000, now: () => nowMs })
    const targets = [target(bad), target(port)]
    const [first, second] = await dialInTurn(t, 2, targets, slowTargets)
    t.strictSame(first, [outcome, 'connected'])
    t.strictSame(second, ['connected'])
    nowMs = 30_000
    const [later] = await dialInTurn(t, 1, targets, slowTargets)
    t.strictSame(later, [outcome, 'connected'], 'it has another chance')
  }
})

t.test('a remembered target is still tried, and forgotten when it answers', async (t) => {
  const [first, second] = await Promise.all([listen(t), listen(t)])
  const slowTargets = createSlowTargets()
  const targets = [target(first.port), target(second.port)]
  slowTargets.remember(target(first.port))
  t.strictSame(slowTargets.moveBack(targets).map(({ port }) => port), [second.port, first.port])
  const { socket } = await dial({ targets: [target(first.port)], slowTargets, signal: never })
  t.teardown(() => socket.destroy())
  t.strictSame(slowTargets.moveBack(targets), targets)
})

t.test('on a host that has one family only the other family costs no time, and is tried last from then on', async (t) => {
  const { port } = await listen(t)
  // Nobody listens at this port of ::1, which is as quickly found out as that there is no way there.
  const targets = [target(port), target(port, '::1')]
  const [first, second] = await dialInTurn(t, 2, targets, createSlowTargets())
  t.strictSame(first, ['refused', 'connected'])
  t.strictSame(second, ['connected'])
})

t.test('no more than a thousand targets are remembered, the latest', async (t) => {
  const slowTargets = createSlowTargets()
  for (let port = 1; port <= 1500; port++) slowTargets.remember(target(port))
  const targets = Array.from({ length: 1500 }, (_, index) => target(index + 1))
  t.strictSame(slowTargets.moveBack(targets).map(({ port }) => port), [
    ...targets.slice(0, 500).map(({ port }) => port), ...targets.slice(500).map(({ port }) => port),
  ])
  t.strictSame(slowTargets.moveBack([target(501), target(500)]).map(({ port }) => port), [500, 501])
})

t.test('while the first target is silent the second is tried after the delay, and the first is given up', async (t) => {
  const [silent, { port }] = await Promise.all([startFullListener(t), listen(t)])
  const before = countConnections()
  const startedAt = performance.now()
  const { outcomes, dialled } = startDial(t, [target(silent.port), target(port)], 60)
  t.equal((await dialled).target.port, port)
  const elapsedMs = performance.now() - startedAt
  // Timers may fire a millisecond early; the kernel would try the first again after 1,000.
  t.ok(elapsedMs > 55 && elapsedMs < 900, `${elapsedMs} ms`)
  t.strictSame(outcomes, ['abandoned', 'connected'])
  await t.resolves(waitUntil(() => countConnections() === before + 2, 'the two ends of the winner alone'))
})

t.test('an earlier attempt lives on while later ones run, and wins if it connects first', async (t) => {
  const [first, second] = await Promise.all([startFullListener(t), startFullListener(t)])
  const outcomes: AttemptOutcome[] = []
  // The refused third target says that the second attempt has begun.
  const targets = [target(first.port), target(second.port), target(await findRefusingPort())]
  const dialled = dial({
    targets,
    signal: never,
    attemptDelayMs: 20,
    onAttempt (outcome) {
      outcomes.push(outcome)
      if (outcome === 'refused') first.open()
    },
  })
  const { socket, target: won } = await dialled
  t.teardown(() => socket.destroy())
  t.equal(won.port, first.port)
  t.strictSame(outcomes, ['refused', 'connected', 'abandoned'])
})

t.test('of two connections made at the same time one survives, and the other upstream sees it close', async (t) => {
  const upstreams = [await listen(t), await listen(t)]
  const accepted = Promise.all(upstreams.map(({ server }) => once(server, 'connection')))
  await new Promise(setImmediate)
  const { outcomes, dialled } = startDial(t, upstreams.map(({ port }) => target(port)), 1)
  // The kernel connects both while this thread stands still: the second timer is due before the first result is seen.
  await new Promise((resolve) => { process.nextTick(resolve) })
  const until = performance.now() + 5
  while (performance.now() < until);
  const { target: won } = await dialled
  t.strictSame([...outcomes].sort(), ['abandoned', 'connected'])
  const sockets = (await accepted).map(([socket]) => socket)
  const loser = upstreams.findIndex(({ port }) => port !== won.port)
  await untilClosed(sockets[loser])
  t.notOk(sockets[1 - loser].destroyed)
})

t.test('IPv6 goes first, then the families take turns, each in its own order', async (t) => {
  const [refused4, refused6] = await Promise.all([findRefusingPort(), findRefusingPort('::1')])
  const [open4, open6] = await Promise.all([listen(t), listen(t, '::1')])
  const bad4 = target(refused4)
  const good4 = target(open4.port)
  const bad6 = target(refused6, '::1')
  const good6 = target(open6.port, '::1')
  const table = [
    { targets: [good4, good6], winner: good6, refused: 0 },
    { targets: [bad4, good4, bad6, good6], winner: good6, refused: 2 },
    { targets: [good4, bad4, bad6, good6], winner: good4, refused: 1 },
    { targets: [bad6, bad6, bad6, bad4, good4], winner: good4, refused: 3 },
    { targets: [bad4, bad4, bad4, bad6, good6], winner: good6, refused: 2 },
    { targets: [bad4, bad4, good4], winner: good4, refused: 2 },
  ]
  for (const { targets, winner, refused } of table) {
    const { outcomes, dialled } = startDial(t, targets, noStaggerMs)
    t.equal((await dialled).target, winner)
    t.strictSame(outcomes, [...Array<string>(refused).fill('refused'), 'connected'])
  }
})

t.test('when all are refused, that is the outcome, with the first error as its cause', async (t) => {
  const port = await findRefusingPort()
  const { outcomes, dialled } = startDial(t, [target(port), target(port), target(port)], noStaggerMs)
  const error = await dialled.catch((error: unknown) => error)
  if (!(error instanceof DialError)) throw error
  t.equal(error.outcome, 'refused')
  t.match(error.cause, { code: 'ECONNREFUSED', port })
  t.strictSame(outcomes, ['refused', 'refused', 'refused'])
})

t.test('of 200 targets 16 are tried', async (t) => {
  const port = await findRefusingPort()
  const { outcomes, dialled } = startDial(t, Array<DialTarget>(200).fill(target(port)), noStaggerMs)
  await t.rejects(dialled, DialError)
  t.equal(outcomes.length, 16)
})

t.test('aborted, it is a timeout and leaves no connection behind', async (t) => {
  const silent = await startFullListener(t)
  const controller = new AbortController()
  const before = countConnections()
  const targets = [target(silent.port), target(silent.port), target(await findRefusingPort())]
  const outcomes: AttemptOutcome[] = []
  const dialled = dial({
    targets,
    signal: controller.signal,
    attemptDelayMs: 5,
    onAttempt (outcome) {
      outcomes.push(outcome)
      if (outcome === 'refused') controller.abort()
    },
  })
  await t.rejects(dialled, { name: 'DialError', outcome: 'timeout' })
  t.strictSame(outcomes, ['refused', 'timeout', 'timeout'])
  await t.resolves(waitUntil(() => countConnections() === before, 'the attempts to go away'))
})

t.test('aborted before it begins, it tries nothing', async (t) => {
  const { port } = await listen(t)
  const { outcomes, dialled } = startDial(t, [target(port)], noStaggerMs, AbortSignal.abort())
  await t.rejects(dialled, { name: 'DialError', outcome: 'timeout' })
  t.strictSame(outcomes, [])
})
