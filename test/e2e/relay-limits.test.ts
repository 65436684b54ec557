import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openTunnel } from '../../src/outbound/tunnel-client.ts'
import { type Daemon, startDaemon } from '../support/daemon.ts'
import { computeSha256, createNoise } from '../support/noise.ts'
import { startPipeHoard } from '../support/pipe-hoard.ts'
import { readToEnd, writeAll } from '../support/stream-watch.ts'
import { type Upstream, startEchoUpstream, startUpstream } from '../support/upstream.ts'
import { waitUntil } from '../support/wait-until.ts'

const engines = ['splice', 'stream'] as const
const target = 'contoso.azurecr.io:443'
const mebibyte = 1024 * 1024
// A user of its own, so that nobody else's pipes count.
const asNobody = ['setpriv', '--reuid=61234', '--regid=61234', '--clear-groups']
const isRoot = process.getuid?.() === 0

async function startGateway (
  t: Test, engine: string, { port }: Upstream, wrapper: readonly string[] = [],
): Promise<Daemon> {
  const folder = t.testdir({
    'config.yaml': JSON.stringify({
      registries: [{ loginServer: 'contoso.azurecr.io', regions: ['eastus'], privateEndpoints: ['127.0.0.0/8'] }],
      listen: { address: '127.0.0.1', port: 0 },
      admin: { address: '127.0.0.1', port: 0 },
      tunnel: { serverName: 'off', maxTunnels: 5000, maxTunnelsPerClient: 5000, maxSetupsPerSecondPerClient: 5000 },
      dns: { hosts: { 'contoso.azurecr.io': [`127.0.0.1:${port}`] } },
      relay: { engine },
    }),
  })
  const daemon = await startDaemon(['--config', `${folder}/config.yaml`], {}, wrapper)
  t.teardown(() => daemon.stop('SIGKILL'))
  return daemon
}

/** Descriptors of a gateway without tunnels, once it has had one: its relay thread is up, and has what it needs. */
async function countAtRest (t: Test, gateway: Daemon): Promise<number> {
  const first = await open(t, gateway)
  first.end()
  await digest(first)
  await waitUntil(() => gateway.lines.some(({ event }) => event === 'tunnel_ended'), 'the first tunnel to end')
  return gateway.descriptorCount()
}

async function open (t: Test, { proxy }: Daemon): Promise<Socket> {
  const socket = await openTunnel({ proxy, target })
  socket.on('error', () => {})
  t.teardown(() => { socket.destroy() })
  return socket
}

async function readMetric ({ admin }: Daemon, series: string): Promise<number> {
  const text = await (await fetch(`${admin}/metrics`, { headers: { connection: 'close' } })).text()
  return Number(text.split('\n').find((line) => line.startsWith(`${series} `))?.split(' ')[1] ?? 0)
}

/** All that a connection brings, for FarEnd's readers. */
async function digest (socket: Socket): Promise<{ length: number, sha256: string, end: string }> {
  return await readToEnd({ stream: socket, socket })
}

for (const engine of engines) {
  t.test(`${engine}: 5 GB in one tunnel arrive whole, and both sides count them`, async (t) => {
    const block = createNoise(32 * mebibyte)
    const blocks = 149
    const sent = createHash('sha256')
    const upstream = await startUpstream(t, (socket) => {
      void (async () => {
        for (let index = 0; index < blocks; index++) {
          // No two blocks are the same, so that none can stand for another.
          const own = Buffer.concat([Buffer.from(`block ${index}\n`), block])
          sent.update(own)
          await writeAll(socket, [own])
        }
        socket.end()
      })()
    })
    const gateway = await startGateway(t, engine, upstream)
    const client = await open(t, gateway)
    const { length, sha256, end } = await digest(client)
    client.end()
    t.ok(length > 4.99e9, `${length} bytes`)
    t.strictSame([sha256, end], [sent.digest('hex'), 'end'])
    await waitUntil(() => gateway.lines.some(({ event }) => event === 'tunnel_ended'), 'the line of the tunnel')
    t.match(gateway.lines.at(-1), { event: 'tunnel_ended', end: 'closed', bytesFromUpstream: length })
  })

  t.test(`${engine}: 2,000 tunnels at once each carry their own bytes, and leave no descriptor`, async (t) => {
    const gateway = await startGateway(t, engine, await startEchoUpstream(t))
    const before = await countAtRest(t, gateway)
    const sockets: Socket[] = []
    while (sockets.length < 2000) {
      sockets.push(...await Promise.all(Array.from({ length: 50 }, async () => await open(t, gateway))))
    }
    t.equal(await readMetric(gateway, 'acr_egress_tunnels_active{registry="contoso.azurecr.io",class="login"}'), 2000)
    const wrong: number[] = []
    await Promise.all(sockets.map(async (socket, index) => {
      const content = createNoise(1000 + 7 * index, index)
      const seen = digest(socket)
      socket.end(content)
      const { sha256, end } = await seen
      if (sha256 !== computeSha256(content) || end !== 'end') wrong.push(index)
    }))
    t.strictSame(wrong, [])
    await t.resolves(waitUntil(() => gateway.descriptorCount() <= before, 'every descriptor to be given back'))
  })

  t.test(`${engine}: at the limit of descriptors tunnels are refused, those there are go on, and later ones open`, async (t) => {
    const gateway = await startGateway(t, engine, await startEchoUpstream(t), ['prlimit', '--nofile=300:300'])
    const before = await countAtRest(t, gateway)
    const opened: Socket[] = []
    const problems = new Set<string>()
    for (let count = 0; count < 200; count++) {
      await open(t, gateway).then((socket) => opened.push(socket), (error: Error) => problems.add(error.name))
    }
    t.ok(opened.length > 50 && opened.length < 150, `${opened.length} tunnels were opened`)
    t.ok(problems.size > 0)
    const content = createNoise(3 * mebibyte)
    await Promise.all(opened.map(async (socket) => {
      const seen = digest(socket)
      await writeAll(socket, [content])
      socket.end()
      t.match(await seen, { sha256: computeSha256(content), end: 'end' })
    }))
    await t.resolves(waitUntil(() => gateway.descriptorCount() <= before, 'every descriptor to be given back'))
    const late = await open(t, gateway)
    late.end('late')
    t.equal((await digest(late)).length, 4)
  })
}

t.test('a reader that stops for 30 s gets everything when it goes on', async (t) => {
  const content = createNoise(64 * mebibyte)
  const upstream = await startUpstream(t, (socket) => { socket.end(content) })
  await Promise.all(engines.map(async (engine) => {
    const client = await open(t, await startGateway(t, engine, upstream))
    client.pause()
    // The time itself is what is tried.
    await pause(30_000)
    t.match(await digest(client), { length: content.length, sha256: computeSha256(content), end: 'end' }, engine)
  }))
})

t.test('an unprivileged user whose pipes are used up is served all the same, by copying', {
  skip: isRoot ? false : 'needs root, to become somebody else',
}, async (t) => {
  // More than the sockets on both sides hold, so that some is left in a pipe.
  const content = createNoise(16 * mebibyte)
  const upstream = await startUpstream(t, (socket) => { socket.end(content) })
  // Of the 64 MiB that fs.pipe-user-pages-soft leaves a user.
  await startPipeHoard(t, 48, asNobody)
  const gateway = await startGateway(t, 'splice', upstream, asNobody)
  const clients = await Promise.all(Array.from({ length: 100 }, async () => {
    const client = await open(t, gateway)
    client.pause()
    return client
  }))
  const lent = 'acr_egress_relay_pipes{state="lent"}'
  await waitUntil(async () => await readMetric(gateway, lent) > 5, 'pipes to be lent')
  t.ok(await readMetric(gateway, lent) < 80, 'and not as many as there are tunnels')
  const wanted = computeSha256(content)
  const digests = await Promise.all(clients.map(async (client) => (await digest(client)).sha256))
  t.strictSame(new Set(digests), new Set([wanted]))
  await t.resolves(waitUntil(async () => await readMetric(gateway, lent) === 0, 'every pipe to be given back'))
})
