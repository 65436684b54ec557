import { execFile } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { type AddressInfo, Server as NetServer } from 'node:net'
import { type ConnectionOptions, type SecureVersion, type TLSSocket, connect } from 'node:tls'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { knownHostName } from '../../../src/net/host-name.ts'
import type { CertificateDecision } from '../../../src/proxy/client-certificate.ts'
import { type TlsFront, createTlsFront } from '../../../src/proxy/tls-front.ts'
import type { TlsFiles } from '../../../src/tls/tls-files.ts'
import { type IssuedPair, createOpensslAuthority } from '../../support/openssl-authority.ts'
import { createTlsFiles } from '../../support/tls-files.ts'

const run = promisify(execFile)
const dayMs = 86_400_000
const authority = createOpensslAuthority(t, { subject: '/CN=root' })
const first = authority.issueServer(['gateway.example', '*.plant.example'])
const second = authority.issueServer(['other.example', 'line1.plant.example'])
const intermediate = authority.issueAuthority({ subject: '/CN=plant' })
const stranger = createOpensslAuthority(t, { subject: '/CN=stranger' })
const device = authority.issueClient({ subject: '/O=Contoso/CN=line1' })
const versions = ['TLSv1.2', 'TLSv1.3'] as const

interface Fronted {
  readonly front: TlsFront
  readonly port: number
  /** What handshakes came to, in order: what is thought of the client, or why it failed. */
  readonly outcomes: ReadonlyArray<CertificateDecision | string>
  /** Resolves with the outcome of the next handshake. */
  next (): Promise<CertificateDecision | string>
  /** Resolves when the next handshake has begun. */
  begins (): Promise<unknown>
}

/** A front with a port before it, whose time can be set. */
async function startFront (t: Test, files: TlsFiles, clock = { now: Date.now() }): Promise<Fronted> {
  const outcomes: Array<CertificateDecision | string> = []
  const happened = new EventEmitter()
  const settle = (outcome: CertificateDecision | string): void => {
    outcomes.push(outcome)
    happened.emit('outcome', outcome)
  }
  const front = createTlsFront({
    files,
    handshakeTimeoutMs: 10_000,
    now: () => clock.now,
    onSecure (stream, _socket, certificate) {
      settle(certificate)
      // The client goes by this, and by a ticket, which it must have read.
      stream.end('hello')
      stream.resume()
    },
    onFailed: settle,
  })
  const server = new NetServer({ allowHalfOpen: true })
  server.on('connection', (socket) => {
    socket.on('error', () => {})
    socket.once('readable', () => {
      front.shakeHands(socket)
      happened.emit('begun')
    })
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => { server.close() })
  return {
    front,
    port: (server.address() as AddressInfo).port,
    outcomes,
    next: async () => (await once(happened, 'outcome'))[0],
    begins: () => once(happened, 'begun'),
  }
}

interface Shaken {
  readonly outcome: CertificateDecision | string
  /** Whose certificate the client was shown; absent without a handshake. */
  readonly names?: string | undefined
  readonly isReused: boolean
  readonly alpn: string | false | null
  readonly version: string | null
  /** For a later connection. */
  readonly session: Buffer | undefined
}

/** Shakes hands, and closes when the server has said hello. */
async function shakeHands ({ port, next }: Fronted, options: ConnectionOptions = {}): Promise<Shaken> {
  const outcome = next()
  const socket = connect({ port, host: '127.0.0.1', ca: authority.cert, checkServerIdentity: () => undefined, ...options })
  let session: Buffer | undefined
  socket.on('session', (one: Buffer) => { session = one })
  socket.on('error', () => {})
  let seen: Omit<Shaken, 'outcome' | 'session'> = { isReused: false, alpn: null, version: null }
  socket.once('secureConnect', () => { seen = describe(socket) })
  socket.resume()
  await new Promise((resolve) => { socket.once('close', resolve) })
  return { ...seen, outcome: await outcome, session }
}

function describe (socket: TLSSocket): Omit<Shaken, 'outcome' | 'session'> {
  return {
    names: socket.getPeerX509Certificate()?.subjectAltName,
    isReused: socket.isSessionReused(),
    alpn: socket.alpnProtocol,
    version: socket.getProtocol(),
  }
}

/** One version and no other. */
function pin (version: SecureVersion): ConnectionOptions {
  return { minVersion: version, maxVersion: version }
}

/** The detail of a refusal; the subject of a certificate that is accepted. */
function tell (outcome: CertificateDecision | string): string | undefined {
  if (typeof outcome === 'string') return outcome
  return outcome.allow ? outcome.subject : `${outcome.refusal.reason}: ${outcome.refusal.detail}`
}

t.test('a client is shown the certificate that is for the name it asks for, else the first', async (t) => {
  const fronted = await startFront(t, createTlsFiles({ pairs: [first, second] }))
  const table: ReadonlyArray<readonly [string | undefined, RegExp]> = [
    ['gateway.example', /gateway\.example/],
    ['other.example', /other\.example/],
    ['OTHER.example', /other\.example/],
    ['line1.plant.example', /other\.example/],
    ['line2.plant.example', /gateway\.example/],
    ['nobody.example', /gateway\.example/],
    ['a_b', /gateway\.example/],
    [undefined, /gateway\.example/],
  ]
  for (const [servername, expected] of table) {
    const { names, outcome } = await shakeHands(fronted, servername === undefined ? {} : { servername })
    t.match(names, expected, servername ?? 'no name')
    t.same(outcome, { allow: true })
  }
  for (const name of ['gateway.example', 'other.example', 'line7.plant.example']) t.ok(fronted.front.isOwnName(knownHostName(name)), name)
  for (const name of ['nobody.example', 'plant.example']) t.notOk(fronted.front.isOwnName(knownHostName(name)), name)
})

t.test('TLS 1.2 and 1.3 are spoken, with HTTP/1.1; what cannot be agreed on is told apart', async (t) => {
  const fronted = await startFront(t, createTlsFiles({ pairs: [first] }))
  for (const version of versions) {
    const { outcome, ...seen } = await shakeHands(fronted, { ...pin(version), ALPNProtocols: ['h2', 'http/1.1'] })
    t.match(seen, { version, alpn: 'http/1.1' })
    t.same(outcome, { allow: true })
  }
  t.match(await shakeHands(fronted), { alpn: false, outcome: { allow: true } }, 'a client need not speak of it')
  const old = { ciphers: 'DEFAULT@SECLEVEL=0' }
  const table: ReadonlyArray<readonly [ConnectionOptions, string]> = [
    [{ ...old, ...pin('TLSv1') }, 'no_shared_version'],
    [{ ...old, ...pin('TLSv1.1') }, 'no_shared_version'],
    [{ ...pin('TLSv1.2'), ciphers: 'AES128-SHA' }, 'no_shared_cipher'],
    [{ ALPNProtocols: ['h2'] }, 'no_http_alpn'],
  ]
  for (const [options, expected] of table) {
    t.equal((await shakeHands(fronted, options)).outcome, expected, JSON.stringify(options))
  }
  // Node looks at a certificate when the handshake is over; others do before.
  for (const version of ['-tls1_2', '-tls1_3']) {
    const outcome = fronted.next()
    const words = ['s_client', '-connect', `127.0.0.1:${fronted.port}`, version, '-verify_return_error']
    await run('openssl', words).catch(() => {})
    t.equal(await outcome, 'certificate_rejected', version)
  }
})

t.test('a session is resumed, also under another name and after new files', async (t) => {
  const files = createTlsFiles({ pairs: [first, second] })
  for (const version of versions) {
    const fronted = await startFront(t, files)
    const options = pin(version)
    const { session } = await shakeHands(fronted, { ...options, servername: 'gateway.example' })
    t.match(await shakeHands(fronted, { ...options, servername: 'gateway.example', session }), { isReused: true }, version)
    const other = await shakeHands(fronted, { ...options, servername: 'other.example' })
    t.match(await shakeHands(fronted, { ...options, servername: 'other.example', session: other.session }), { isReused: true }, version)
    fronted.front.serveWith(createTlsFiles({ pairs: [authority.issueServer(['gateway.example']), second] }))
    t.match(await shakeHands(fronted, { ...options, servername: 'gateway.example', session }), { isReused: true }, version)
    t.match(await shakeHands(fronted, { ...options, servername: 'other.example', session: other.session }), { isReused: true }, version)
  }
})

t.test('what seals tickets is renewed each day', async (t) => {
  const clock = { now: Date.now() }
  const fronted = await startFront(t, createTlsFiles({ pairs: [first] }), clock)
  const { session } = await shakeHands(fronted)
  clock.now += dayMs - 1000
  t.equal((await shakeHands(fronted, { session })).isReused, true)
  clock.now += 2000
  const after = await shakeHands(fronted, { session })
  t.equal(after.isReused, false)
  t.same(after.outcome, { allow: true })
  t.equal((await shakeHands(fronted, { session: after.session })).isReused, true)
})

t.test('new files are for new handshakes; those that have begun end with the old', async (t) => {
  const fronted = await startFront(t, createTlsFiles({ pairs: [first] }))
  const begun = fronted.begins()
  const early = shakeHands(fronted)
  await begun
  fronted.front.serveWith(createTlsFiles({ pairs: [second] }))
  t.match((await early).names, 'gateway.example')
  t.match((await shakeHands(fronted)).names, 'other.example')
})

t.test('only certificates of the authorities count, and each that does not is told why', async (t) => {
  const expired = authority.issueClient({ from: -20, to: -10 })
  const early = authority.issueClient({ from: 10 })
  const self = createOpensslAuthority(t, { subject: '/CN=self' })
  const revoked = authority.issueClient()
  authority.revoke(revoked)
  const deep = intermediate.issueClient({ subject: '/CN=deep' })
  const deepRevoked = intermediate.issueClient()
  intermediate.revoke(deepRevoked)
  const withChain = (pair: IssuedPair): IssuedPair => ({ ...pair, cert: pair.cert + intermediate.cert })
  const refused = 'client_certificate_refused: the client\'s certificate'
  const table: ReadonlyArray<readonly [what: string, IssuedPair | undefined, string]> = [
    ['a good one', device, 'CN=line1,O=Contoso'],
    ['one that does not say what it is for', authority.issueForAll({ subject: '/CN=all' }), 'CN=all'],
    ['one from an intermediate', deep, 'CN=deep'],
    ['the same with its chain', withChain(deep), 'CN=deep'],
    ['none', undefined, 'client_certificate_refused: the client showed no certificate'],
    ['an expired one', expired, `${refused} expired on ${new Date(Date.now() - 10 * dayMs).toISOString().slice(0, 10)}`],
    ['one for later', early, `${refused} is not valid before ${new Date(Date.now() + 10 * dayMs).toISOString().slice(0, 10)}`],
    ['one from another authority', stranger.issueClient(), `${refused} is from no authority that counts here`],
    ['a self-signed one', self, `${refused} is from no authority that counts here`],
    ['that of a server', second, `${refused} is not for clients: its extended key usage has no clientAuth`],
    ['a revoked one', revoked, `${refused} is revoked`],
    ['a revoked one from an intermediate', withChain(deepRevoked), `${refused} is revoked`],
  ]
  const fronted = await startFront(t, createTlsFiles({
    pairs: [first], ca: authority.cert + intermediate.cert, crl: authority.issueList() + intermediate.issueList(),
  }))
  for (const version of versions) {
    for (const [what, pair, expected] of table) {
      const { outcome, version: spoken } = await shakeHands(fronted, { ...pin(version), ...pair })
      t.equal(spoken, version, 'there is a handshake all the same, to be told in')
      t.ok(tell(outcome)?.startsWith(expected), `${version}, ${what}: ${tell(outcome)}`)
    }
  }
})

t.test('without revocation lists nothing is revoked, and an intermediate may come from the client alone', async (t) => {
  const deep = intermediate.issueClient({ subject: '/CN=deep' })
  const fronted = await startFront(t, createTlsFiles({ pairs: [first], ca: authority.cert }))
  const { outcome } = await shakeHands(fronted, { key: deep.key, cert: deep.cert + intermediate.cert })
  t.equal(tell(outcome), 'CN=deep')
  t.match(tell((await shakeHands(fronted, deep)).outcome), /is from no authority that counts here/)
})

t.test('revocation lists that are out of date refuse everybody', async (t) => {
  const old = await startFront(t, createTlsFiles({
    pairs: [first], ca: authority.cert, crl: authority.issueList({ from: -5, to: -1 }),
  }))
  t.match(tell((await shakeHands(old, device)).outcome), /the revocation list of the client's authority is out of date/)
  const missing = await startFront(t, createTlsFiles({
    pairs: [first], ca: authority.cert + intermediate.cert, crl: authority.issueList(),
  }))
  t.match(tell((await shakeHands(missing, intermediate.issueClient())).outcome), /there is no revocation list of an authority/)
})

t.test('an old list beside the new one, and one of another authority that is over, refuse nobody else', async (t) => {
  const other = createOpensslAuthority(t, { subject: '/CN=other' })
  const fronted = await startFront(t, createTlsFiles({
    pairs: [first],
    ca: authority.cert + other.cert,
    crl: authority.issueList({ from: -9, to: -2 }) + authority.issueList() + other.issueList({ from: -9, to: -2 }),
  }))
  t.equal(tell((await shakeHands(fronted, device)).outcome), 'CN=line1,O=Contoso')
  t.match(tell((await shakeHands(fronted, other.issueClient())).outcome), /the revocation list of the client's authority is out of date/)
})

t.test('a resumed session is worth no more than a new one', async (t) => {
  const minuteMs = 60_000
  const files = createTlsFiles({ pairs: [first], ca: authority.cert })
  // OpenSSL takes the time from the system, so these are good for it all the while.
  const brief = authority.issueClient({ to: minuteMs / dayMs })
  const briefList = authority.issueList({ to: minuteMs / dayMs })
  for (const version of versions) {
    const clock = { now: Date.now() }
    const fronted = await startFront(t, files, clock)
    const pinned = pin(version)
    const again = async (pair: Partial<IssuedPair>, session: Buffer | undefined) => {
      const { isReused, outcome } = await shakeHands(fronted, { ...pinned, ...pair, session })
      return { isReused, told: tell(outcome) }
    }
    const good = await shakeHands(fronted, { ...pinned, ...device })
    t.same(await again(device, good.session), { isReused: true, told: 'CN=line1,O=Contoso' }, version)

    const bare = await shakeHands(fronted, pinned)
    t.match(await again({}, bare.session), { isReused: true, told: /the client showed no certificate/ }, `${version}, no certificate`)
    const strange = await shakeHands(fronted, { ...pinned, ...stranger.issueClient() })
    t.match(await again({}, strange.session), { isReused: true, told: /from no authority/ }, `${version}, another authority`)

    const { session } = await shakeHands(fronted, { ...pinned, ...brief })
    t.match(await again(brief, session), { isReused: true, told: /^CN=/ }, `${version}, still good`)
    clock.now += 2 * minuteMs
    t.match(await again(brief, session), { isReused: true, told: /certificate expired on/ }, `${version}, expired meanwhile`)
    t.match(await again(device, good.session), { isReused: true, told: /^CN=line1/ }, `${version}, another is not`)

    clock.now = Date.now()
    fronted.front.serveWith(createTlsFiles({ pairs: [first], ca: authority.cert, crl: briefList }))
    const listed = await shakeHands(fronted, { ...pinned, ...device })
    t.match(await again(device, listed.session), { isReused: true, told: /^CN=line1/ }, `${version}, with a list`)
    clock.now += 2 * minuteMs
    t.match(await again(device, listed.session), { isReused: false }, `${version}, the list is over, and OpenSSL is asked anew`)
    const later = await shakeHands(fronted, { ...pinned, ...device })
    t.match(await again(device, later.session), { isReused: true }, `${version}, once`)
  }
})

t.test('a session from before new rules for clients is not resumed', async (t) => {
  const before = createTlsFiles({ pairs: [first], ca: authority.cert, crl: authority.issueList() })
  const revoked = authority.issueClient({ subject: '/CN=lost' })
  const open = createTlsFiles({ pairs: [first] })
  for (const version of versions) {
    const pinned = pin(version)
    const fronted = await startFront(t, open)
    const anonymous = await shakeHands(fronted, pinned)
    fronted.front.serveWith(before)
    const denied = { isReused: false, outcome: { allow: false } }
    t.match(await shakeHands(fronted, { ...pinned, session: anonymous.session }), denied, version)
    const lost = await shakeHands(fronted, { ...pinned, ...revoked })
    t.equal(tell(lost.outcome), 'CN=lost')
    if (version === versions[0]) authority.revoke(revoked)
    fronted.front.serveWith(createTlsFiles({ pairs: [first], ca: authority.cert, crl: authority.issueList() }))
    const after = await shakeHands(fronted, { ...pinned, ...revoked, session: lost.session })
    t.equal(after.isReused, false)
    t.match(tell(after.outcome), /is revoked/)
    fronted.front.serveWith(createTlsFiles({ pairs: [first], ca: stranger.cert }))
    t.match(await shakeHands(fronted, { ...pinned, ...device, session: lost.session }), denied, version)
  }
})
