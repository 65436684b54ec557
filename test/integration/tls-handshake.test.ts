import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { type AddressInfo, type Socket, createServer, connect as connectTcp } from 'node:net'
import { type ConnectionOptions, connect } from 'node:tls'
import t, { type Test } from 'tap'
import { parseAnswer, writeConnect } from '../support/answer.ts'
import { type TestGateway, startGateway } from '../support/gateway.ts'
import { createOpensslAuthority } from '../support/openssl-authority.ts'
import { countResources } from '../support/resources.ts'
import { waitUntil } from '../support/wait-until.ts'

const authority = createOpensslAuthority(t)
const server = authority.issueServer(['gateway.example'])
const device = authority.issueClient({ subject: '/CN=line1' })
const files = { 'server.crt': server.cert, 'server.key': server.key, 'ca.crt': authority.cert, 'ca.crl': authority.issueList() }
const yaml = `registries: [{loginServer: contoso.azurecr.io}]
listen:
  tls: { certFile: server.crt, keyFile: server.key, clientCaFile: ca.crt, clientCrlFile: ca.crl }
`
const versions = ['TLSv1.2', 'TLSv1.3'] as const

/** How the connection of a client ends: as a process that exits, or one that is killed. */
const ways: ReadonlyArray<readonly [how: string, end: (socket: Socket) => void]> = [
  ['FIN', (socket) => { socket.destroy() }],
  ['RST', (socket) => { socket.resetAndDestroy() }],
]

/** What the client has sent, and what it has read, when its connection is ended. */
interface Cut {
  readonly afterSent?: number
  readonly afterRead?: number
  readonly end: (socket: Socket) => void
}

interface Seen {
  /** The lengths of what the client sent, and read, at once. */
  readonly sent: readonly number[]
  readonly read: readonly number[]
}

/** A client whose bytes go by way of somebody who ends the connection to the gateway at a certain byte. */
async function handshake (t: Test, { proxy }: TestGateway, options: ConnectionOptions, cut?: Cut): Promise<Seen> {
  const [sent, read]: [number[], number[]] = [[], []]
  const middle = createServer((near) => {
    const far = connectTcp({ ...proxy, noDelay: true })
    const stop = () => {
      cut?.end(far)
      near.destroy()
    }
    near.on('error', () => {})
    far.on('error', () => {})
    near.on('close', () => { far.destroy() })
    far.on('close', () => { near.destroy() })
    near.on('data', (bytes: Buffer) => {
      const room = (cut?.afterSent ?? Infinity) - sum(sent)
      sent.push(bytes.length)
      // The part before the cut is out when the end follows it.
      if (bytes.length < room) far.write(bytes)
      else far.write(bytes.subarray(0, room), stop)
    })
    far.on('data', (bytes: Buffer) => {
      read.push(bytes.length)
      if (sum(read) >= (cut?.afterRead ?? Infinity)) stop()
      else near.write(bytes)
    })
  })
  await new Promise<void>((resolve) => { middle.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => { middle.close() })
  const client = connect({ ...options, port: (middle.address() as AddressInfo).port, host: '127.0.0.1', ca: authority.cert })
  client.on('error', () => {})
  client.once('secureConnect', () => { client.write(writeConnect('evil.example:443')) })
  client.resume()
  await new Promise((resolve) => { client.once('close', resolve) })
  middle.close()
  return { sent, read }
}

function sum (numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}

/** The first bytes that a TLS client sends. */
async function recordHello (options: ConnectionOptions): Promise<Buffer> {
  const listener = createServer()
  await new Promise<void>((resolve) => { listener.listen(0, '127.0.0.1', resolve) })
  const client = connect({ ...options, port: (listener.address() as AddressInfo).port, host: '127.0.0.1' })
  client.on('error', () => {})
  const [socket] = await once(listener, 'connection') as [Socket]
  const [bytes] = await once(socket, 'data') as [Buffer]
  socket.destroy()
  listener.close()
  return bytes
}

/** Sees that nothing is left of what came before, and how many handshakes failed, by why. */
async function seeSettled (
  t: Test, gateway: TestGateway, before: { resources: number, descriptors: number },
): Promise<void> {
  await gateway.settle()
  await waitUntil(() => countResources() <= before.resources, 'the sockets and timers to be gone')
  await waitUntil(() => countDescriptors() <= before.descriptors, 'the descriptors to be closed')
  t.equal(gateway.tunnelLines.filter(({ event }) => event !== 'tunnel_refused').length, 0)
}

function countDescriptors (): number {
  return readdirSync('/proc/self/fd').length
}

t.test('a first flight cut at each of its bytes is counted, and leaves nothing', async (t) => {
  const gateway = await startGateway(t, yaml, files)
  await gateway.readMetric('acr_egress_client_connections_active')
  const before = { resources: countResources(), descriptors: countDescriptors() }
  let expected = 0
  for (const [how, end] of ways) {
    for (const version of versions) {
      const hello = await recordHello({ minVersion: version, maxVersion: version, servername: 'gateway.example' })
      t.ok(hello.length > 100, `${version}: ${hello.length} bytes`)
      for (let length = 0; length < hello.length; length++) {
        const client = connectTcp({ ...gateway.proxy, noDelay: true })
        client.on('error', () => {})
        await once(client, 'connect')
        if (length === 0) end(client)
        else client.write(hello.subarray(0, length), () => end(client))
        await new Promise((resolve) => { client.once('close', resolve) })
      }
      expected += hello.length - 1
      await waitUntil(async () => await gateway.readMetric('acr_egress_client_connections_active') === 0, 'all to be gone')
      const failures = await gateway.readMetric('acr_egress_tls_handshake_failures_total')
      // A reset may overtake the bytes before it, and then there never was a handshake.
      t.ok(how === 'RST' ? failures <= expected : failures === expected, `${version}, ${how}: ${failures} of ${expected}`)
      expected = failures
    }
  }
  t.equal(await gateway.readMetric('acr_egress_tls_handshake_failures_total', { reason: 'client_gone' }), expected)
  await seeSettled(t, gateway, before)
  t.equal(gateway.tunnelLines.length, 0, 'nothing was asked')
})

t.test('a handshake cut at each flight, either way, is counted or refused, and leaves nothing', async (t) => {
  const gateway = await startGateway(t, yaml, files)
  for (const version of versions) {
    for (const pair of [device, {}]) {
      const options: ConnectionOptions = { minVersion: version, maxVersion: version, ...pair }
      const whole = await handshake(t, gateway, options)
      await gateway.settle()
      const before = { resources: countResources(), descriptors: countDescriptors() }
      const refusedBefore = gateway.tunnelLines.length
      const failedBefore = await gateway.readMetric('acr_egress_tls_handshake_failures_total')
      const cuts = listCuts(whole)
      for (const [, end] of ways) {
        for (const cut of cuts) await handshake(t, gateway, options, { ...cut, end })
      }
      await seeSettled(t, gateway, before)
      const refused = gateway.tunnelLines.length - refusedBefore
      const failed = await gateway.readMetric('acr_egress_tls_handshake_failures_total') - failedBefore
      // A reset may overtake the bytes before it, so that the gateway has seen none; an end does not.
      const [hello = 0, second = 0] = whole.sent
      const certain = cuts.filter(({ afterSent }) => afterSent !== undefined && afterSent <= hello + second / 2).length
      t.ok(certain > 4)
      t.ok(failed >= certain, `${version}: of ${2 * cuts.length} handshakes ${failed} failed`)
      t.ok(failed + refused <= 2 * cuts.length, `${refused} were refused behind the handshake`)
    }
  }
})

/** Inside each of the flights, at its last byte, and in its middle. */
function listCuts ({ sent, read }: Seen): ReadonlyArray<Omit<Cut, 'end'>> {
  const places = (lengths: readonly number[]) => lengths.flatMap((length, index) => {
    const start = sum(lengths.slice(0, index))
    return [...new Set([1, Math.ceil(length / 2), length - 1, length])].map((part) => start + part)
  })
  return [...places(sent).map((afterSent) => ({ afterSent })), ...places(read).map((afterRead) => ({ afterRead }))]
}

t.test('a handshake that takes too long is counted as that, and its connection closed', async (t) => {
  const gateway = await startGateway(t, yaml.replace('listen:', 'listen:\n  headTimeout: 100ms'), files)
  const hello = await recordHello({})
  for (const bytes of [hello, hello.subarray(0, 1), hello.subarray(0, hello.length - 1)]) {
    const client = connectTcp(gateway.proxy)
    client.on('error', () => {})
    client.write(bytes)
    client.resume()
    await new Promise((resolve) => { client.once('close', resolve) })
  }
  await gateway.settle()
  t.equal(await gateway.readMetric('acr_egress_tls_handshake_failures_total', { reason: 'timeout' }), 3)
  t.equal(await gateway.readMetric('acr_egress_tls_handshake_failures_total'), 3)
})

t.test('what begins like a handshake and is none is counted, and its connection closed', async (t) => {
  const gateway = await startGateway(t, yaml, files)
  const garbage = [Buffer.from('\x16\x03\x01'), Buffer.alloc(100_000, 0x16), Buffer.from('160301ffff01000000', 'hex'), Buffer.from('\x16GET / HTTP/1.1\r\n\r\n')]
  for (const bytes of garbage) {
    const client = connectTcp({ ...gateway.proxy, allowHalfOpen: true })
    client.on('error', () => {})
    client.end(bytes)
    client.resume()
    await new Promise((resolve) => { client.once('close', resolve) })
  }
  await gateway.settle()
  t.equal(await gateway.readMetric('acr_egress_tls_handshake_failures_total'), garbage.length)
})

t.test('a client may not begin the handshake anew', async (t) => {
  const gateway = await startGateway(t, yaml, files)
  const client = connect({ ...gateway.proxy, ...device, ca: authority.cert, maxVersion: 'TLSv1.2' })
  t.teardown(() => { client.destroy() })
  await once(client, 'secureConnect')
  const failed = once(client, 'error')
  client.renegotiate({}, () => {})
  t.match(await failed, [{ code: 'ERR_SSL_NO_RENEGOTIATION' }])
  await gateway.settle()
})

t.test('a client that is refused for its certificate is told in HTTP', async (t) => {
  const gateway = await startGateway(t, yaml, files)
  const client = connect({ ...gateway.proxy, ca: authority.cert })
  client.write(writeConnect('contoso.azurecr.io:443'))
  let answer = ''
  client.setEncoding('latin1').on('data', (text: string) => { answer += text })
  await once(client, 'end')
  t.match(parseAnswer(answer), { status: 403, reason: 'client_certificate_refused' })
  client.destroy()
  await gateway.settle()
})
