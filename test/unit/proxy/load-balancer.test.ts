import { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { createCidrSet } from '../../../src/net/cidr-set.ts'
import { alertVoice } from '../../../src/proxy/alert.ts'
import type { ListenerOptions } from '../../../src/proxy/listener.ts'
import { httpVoice } from '../../../src/proxy/reply.ts'
import { issueProxyCertificate } from '../../support/proxy-certificate.ts'
import {
  assembleVersion2, azureLinkId, localVersion2, proxiedFrom, writeExtension, writeVersion1, writeVersion2,
} from '../../support/proxy-headers.ts'
import { type RunningListener, startListener } from '../../support/proxy-listener.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { createTlsFiles } from '../../support/tls-files.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { readCidr } from '../net/addresses.ts'

const balancer = '127.0.0.7'
const connectHead = Buffer.from('CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n')
const { ca, files } = await issueProxyCertificate()
const tls = createTlsFiles({ pairs: [{ cert: files['server.crt'] ?? '', key: files['server.key'] ?? '' }] })
const headers = {
  'version 1': writeVersion1(proxiedFrom('203.0.113.9', 40_001)),
  'version 1, IPv6': writeVersion1(proxiedFrom('2001:db8::9', 40_001)),
  'version 2': writeVersion2(proxiedFrom('203.0.113.9', 40_001)),
  'version 2 of Azure Private Link': writeVersion2(proxiedFrom('203.0.113.9', 40_001), azureLinkId),
  'version 2, IPv6, with a kilobyte behind it': writeVersion2(proxiedFrom('2001:db8::9', 40_001), writeExtension(4, Buffer.alloc(1000))),
}

function start (t: Test, options: Partial<ListenerOptions> = {}): Promise<RunningListener> {
  const loadBalancers = createCidrSet([readCidr('127.0.0.7/32'), readCidr('127.0.1.0/28')])
  return startListener(t, { loadBalancers, maxConnections: 500, maxConnectionsPerClient: 500, ...options })
}

/** A connection from the load balancer, or from another address. */
function connect (t: Test, running: RunningListener, localAddress = balancer): Promise<RawClient> {
  return connectRaw(t, { host: running.host, port: running.port, localAddress, allowHalfOpen: true })
}

/** Lets the listener, which is in this process, read what has been sent. */
async function letRead (): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => { setImmediate(resolve) })
}

for (const [name, header] of Object.entries(headers)) {
  const text = name.includes('IPv6') ? '2001:db8::9' : '203.0.113.9'

  t.test(`${name}: the client is the one in the header, whether a CONNECT comes with it or later`, async (t) => {
    const running = await start(t)
    const atOnce = await connect(t, running)
    atOnce.send(Buffer.concat([header, connectHead, Buffer.from('early')]))
    const later = await connect(t, running, '127.0.1.3')
    later.send(header)
    await letRead()
    later.send(Buffer.concat([connectHead, Buffer.from('early')]))
    await waitUntil(() => running.connects.length === 2, 'both')
    for (const { client, target, early } of running.connects) {
      t.match(client, { address: { text }, port: 40_001 })
      t.equal(target, 'a:443')
      t.equal(early.toString(), 'early')
    }
    t.strictSame(running.unusables, [])
  })

  t.test(`${name}: cut anywhere it is the same`, async (t) => {
    const running = await start(t, { maxConnections: 2000, maxConnectionsPerClient: 2000 })
    const whole = Buffer.concat([header, connectHead])
    const isLong = whole.length > 500
    const cuts = isLong ? [1, 15, 16, 17, 51, 52, 53, 500, header.length] : [...whole.keys()].slice(1)
    for (const cut of cuts) {
      const client = await connect(t, running)
      client.send(whole.subarray(0, cut))
      await letRead()
      client.send(whole.subarray(cut))
    }
    await waitUntil(() => running.connects.length === cuts.length, 'all of them')
    t.ok(running.connects.every(({ client }) => client.address.text === text && client.port === 40_001))
    t.strictSame(running.unusables, [])
  })
}

t.test('a header comes byte by byte, too', async (t) => {
  const running = await start(t)
  const client = await connect(t, running)
  for (const byte of Buffer.concat([headers['version 1'], connectHead])) {
    client.send(Buffer.of(byte))
    await letRead()
  }
  await waitUntil(() => running.connects.length === 1, 'the request')
  t.match(running.connects[0]?.client, { address: { text: '203.0.113.9' } })
})

t.test('TLS behind a header is TLS, in one segment with it and not', async (t) => {
  const running = await start(t, { tls })
  for (const header of [headers['version 1'], headers['version 2']]) {
    for (const isOneSegment of [true, false]) {
      const tcp = (await connect(t, running)).socket
      let opening = header
      if (!isOneSegment) {
        tcp.write(header)
        opening = Buffer.alloc(0)
      }
      const carrier = new Duplex({
        read () {},
        write (chunk: Buffer, _encoding, done) {
          tcp.write(Buffer.concat([opening, chunk]), done)
          opening = Buffer.alloc(0)
        },
      })
      tcp.on('data', (chunk) => carrier.push(chunk))
      const secure = connectTls({ socket: carrier, ca, host: '127.0.0.1' })
      secure.on('error', (error) => t.fail(error.message)).once('secureConnect', () => secure.write(connectHead))
    }
  }
  await waitUntil(() => running.connects.length === 4, 'all of them')
  for (const { client, end } of running.connects) {
    t.match(client, { address: { text: '203.0.113.9' }, port: 40_001 })
    t.not(end.stream, end.socket)
  }
})

t.test('TLS that asks for a tunnel by its server name has its client from the header, too', async (t) => {
  const running = await start(t, { isTransparent: true })
  const tcp = (await connect(t, running)).socket
  tcp.write(headers['version 2'])
  connectTls({ socket: tcp, servername: 'contoso.azurecr.io' }).on('error', () => {})
  await waitUntil(() => running.connects.length === 1, 'the hello')
  t.match(running.connects, [{ target: 'contoso.azurecr.io:443', client: { address: { text: '203.0.113.9' }, port: 40_001 } }])
})

t.test('what a load balancer must send and does not is refused in words for whoever sets it up', async (t) => {
  const cases = [
    [connectHead, /^no PROXY protocol header from the load balancer 127\.0\.0\.7, which listen\.proxyProtocol names$/, httpVoice],
    [Buffer.from('\x16\x03\x01'), /^no PROXY/, alertVoice],
    [Buffer.from('PROXY TCP4 203.0.113.9 10.0.0.1 1\r\n'), /^a PROXY protocol header that cannot be read from/, httpVoice],
    [assembleVersion2(0x21, 0x12, Buffer.alloc(12)), /^a PROXY protocol header that is not for TCP from/, httpVoice],
    [assembleVersion2(0x21, 0x11, Buffer.alloc(0), 4096), /^a PROXY protocol header over 2064 bytes from/, httpVoice],
  ] as const
  for (const [bytes, detail, voice] of cases) {
    const running = await start(t, { tls })
    const client = await connect(t, running)
    client.send(bytes)
    await waitUntil(() => running.unusables.length === 1, 'the refusal')
    t.match(running.unusables, [{ target: '', client: { address: { text: balancer } }, refusal: { reason: 'bad_request', detail, hint: /load balancer/ } }])
    t.equal(running.unusables[0]?.voice, voice)
    t.equal(running.connects.length, 0)
  }
})

t.test('a header that ends in the middle is refused, and told of once', async (t) => {
  const running = await start(t, { headTimeoutMs: 100 })
  const ended = await connect(t, running)
  ended.send('PROXY TCP4 203')
  ended.socket.end()
  await waitUntil(() => running.unusables.length === 1, 'the one that ended')
  const silent = await connect(t, running)
  silent.send(headers['version 2'].subarray(0, 20))
  await silent.ended
  await waitUntil(() => running.unusables.length === 2, 'the one that fell silent')
  for (const { refusal } of running.unusables) t.match(refusal, { reason: 'bad_request', detail: /cannot be read/ })
})

t.test('a header must come within the time for a head, and so must the head behind it', async (t) => {
  const running = await start(t, { headTimeoutMs: 100 })
  const silent = await connect(t, running)
  await silent.ended
  t.strictSame(running.unusables, [], 'nothing is said to who said nothing')
  const half = await connect(t, running)
  half.send(Buffer.concat([headers['version 1'], Buffer.from('CONNECT')]))
  await waitUntil(() => running.unusables.length === 1, 'the time to be up')
  t.match(running.unusables, [{ refusal: { reason: 'head_timeout' }, client: { address: { text: '203.0.113.9' } } }])
})

t.test('a header from anybody else is refused, in words that say whom it came from', async (t) => {
  const running = await start(t, { tls })
  const spoofers = ['127.0.0.1', '127.0.0.8', '127.0.1.16']
  for (const localAddress of spoofers) {
    for (const header of Object.values(headers)) {
      const client = await connect(t, running, localAddress)
      client.send(Buffer.concat([header, connectHead]))
    }
  }
  const expected = spoofers.length * Object.keys(headers).length
  await waitUntil(() => running.unusables.length === expected, 'all of them')
  for (const { client, refusal } of running.unusables) {
    t.ok(spoofers.includes(client.address.text))
    t.match(refusal, { reason: 'bad_request', detail: `a PROXY protocol header from ${client.address.text}, which listen.proxyProtocol does not name` })
  }
  const cut = await connect(t, running, '127.0.0.8')
  cut.send('PRO')
  await letRead()
  cut.send(Buffer.concat([headers['version 1'].subarray(3), connectHead]))
  await waitUntil(() => running.unusables.length === expected + 1, 'the one that came in two parts')
  t.match(running.unusables.at(-1), { client: { address: { text: '127.0.0.8' } }, refusal: { reason: 'bad_request' } })
  t.equal(running.connects.length, 0)
})

t.test('a client of a load balancer cannot say that it is another', async (t) => {
  const running = await start(t)
  const client = await connect(t, running)
  client.send(Buffer.concat([headers['version 1'], writeVersion1(proxiedFrom('10.0.0.1')), connectHead]))
  await waitUntil(() => running.unusables.length === 1, 'the refusal')
  t.match(running.unusables, [{ client: { address: { text: '203.0.113.9' } }, refusal: { reason: 'bad_request', detail: /203\.0\.113\.9, which/ } }])
  t.equal(running.connects.length, 0)
})

t.test('a connection of the load balancer\'s own has its own address, and costs no word when it closes', async (t) => {
  const running = await start(t)
  for (const header of [localVersion2, Buffer.from('PROXY UNKNOWN\r\n'), Buffer.alloc(0)]) {
    const check = await connect(t, running)
    check.send(header)
    await letRead()
    check.socket.end()
    await check.ended
    const broken = await connect(t, running)
    broken.send(header)
    await letRead()
    broken.reset()
  }
  await waitUntil(() => running.counted.filter((event) => event === 'closed').length === 6, 'all of them to be gone')
  t.strictSame(running.unusables, [])
  const own = await connect(t, running)
  own.send(Buffer.concat([localVersion2, connectHead]))
  await waitUntil(() => running.connects.length === 1, 'the request')
  t.match(running.connects, [{ client: { address: { text: balancer }, port: own.socket.localPort } }])
})

t.test('connections count for the client in the header, and for no load balancer', async (t) => {
  const running = await start(t, { maxConnectionsPerClient: 2 })
  const from = async (source: string): Promise<RawClient> => {
    const client = await connect(t, running)
    client.send(writeVersion2(proxiedFrom(source)))
    return client
  }
  const first = await from('203.0.113.9')
  await from('203.0.113.9')
  await letRead()
  await (await from('203.0.113.9')).ended
  t.strictSame(running.counted.filter((event) => event.startsWith('dropped')), ['dropped by client'])
  for (const source of ['203.0.113.10', '203.0.113.10', '2001:db8::1', '2001:db8::2']) await from(source)
  await letRead()
  await (await from('2001:db8::3')).ended
  first.reset()
  await waitUntil(() => running.counted.filter((event) => event === 'closed').length === 3, 'the first to be gone')
  const next = await from('203.0.113.9')
  next.send(connectHead)
  await waitUntil(() => running.connects.length === 1, 'the next')
  t.equal(running.counted.filter((event) => event === 'dropped by client').length, 2)
})
