import { once } from 'node:events'
import { chmod, rename, writeFile } from 'node:fs/promises'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { type Answer, parseAnswer } from '../support/answer.ts'
import { type LogLine, type TestGateway, startGateway } from '../support/gateway.ts'
import { writeBasic, writePasswordLine } from '../support/password-hashes.ts'
import { issueProxyCertificate, tlsKeys } from '../support/proxy-certificate.ts'
import { type RawClient, connectRaw } from '../support/raw-client.ts'
import { startEchoUpstream } from '../support/upstream.ts'
import { waitUntil } from '../support/wait-until.ts'

const host = 'contoso.azurecr.io'
const password = 'p@ss:wörd'
const users = writePasswordLine('edge', password) + writePasswordLine('plänt', 'right')
const certificate = await issueProxyCertificate()

interface AskingGateway extends TestGateway {
  /** The password file. */
  readonly file: string
}

/** A gateway that asks for passwords, in front of an echo. */
async function startAsking (t: Test, { text = users, listen = '', more = '' } = {}): Promise<AskingGateway> {
  const upstream = await startEchoUpstream(t)
  const gateway = await startGateway(t, `
registries: [{ loginServer: ${host}, regions: [eastus], privateEndpoints: [127.0.0.0/8] }]
listen: { ${tlsKeys}${listen} }
clients: { passwordFile: passwords }
tunnel: { serverName: off }
dns: { hosts: { ${host}: ['127.0.0.1:${upstream.port}'] } }
${more}`, { passwords: text, ...certificate.files })
  return { ...gateway, file: String(gateway.lines.find(({ event }) => event === 'password_file_loaded')?.['file']) }
}

/** A CONNECT as .NET writes it. */
function writeConnect (authorization?: string, target = `${host}:443`): string {
  const more = authorization === undefined ? '' : `Proxy-Authorization: ${authorization}\r\n`
  return `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${more}\r\n`
}

/** Asks, and reads the answer. */
async function ask (client: RawClient, ...request: Parameters<typeof writeConnect>): Promise<Answer> {
  client.send(writeConnect(...request))
  return parseAnswer(await client.receiveAnswer())
}

/** What becomes of a single request on a connection of its own. */
async function reasonOf (t: Test, { proxy }: TestGateway, authorization?: string, localAddress = '127.0.0.1'): Promise<string> {
  const client = await connectRaw(t, { ...proxy, localAddress })
  const { status, reason } = await ask(client, authorization)
  client.socket.destroy()
  return status === 200 ? 'open' : reason
}

/** Waits for a line of the log, behind so many others, and gives it. */
async function waitForEvent ({ lines }: TestGateway, event: string, behind = 0): Promise<LogLine> {
  const find = (): LogLine | undefined => lines.slice(behind).find((line) => line.event === event)
  await waitUntil(() => find() !== undefined, event)
  return find() ?? { event: '' }
}

t.test('a client that asks as .NET does is asked who it is, and says so on the same connection', async (t) => {
  const gateway = await startAsking(t)
  for (const more of [{}, { ca: certificate.ca }]) {
    const client = await connectRaw(t, { ...gateway.proxy, ...more })
    const { localPort } = client.socket
    const asked = await ask(client)
    t.match(asked, {
      statusLine: 'HTTP/1.1 407 proxy_auth_required: the gateway asks for a user name and password',
      headers: { 'proxy-authenticate': 'Basic realm="acr-egress", charset="UTF-8"' },
    })
    t.notOk('connection' in asked.headers, 'it goes on')
    t.match(JSON.parse(asked.body), { reason: 'proxy_auth_required', target: `${host}:443`, hint: /percent-encoded/ })
    t.equal((await ask(client, writeBasic('edge', password))).status, 200)
    client.send('through')
    t.equal(String(await client.receive(7)), 'through')
    t.equal(client.socket.localPort, localPort)
    client.socket.end()
    await client.ended
  }
  await waitUntil(() => gateway.tunnelLines.length === 4, 'the lines')
  t.match(gateway.tunnelLines, [
    { event: 'tunnel_refused', level: 'info', reason: 'proxy_auth_required' },
    { event: 'tunnel_ended', user: 'edge', target: `${host}:443` },
    { event: 'tunnel_refused', level: 'info' },
    { event: 'tunnel_ended', user: 'edge' },
  ])
  t.same(gateway.tunnelLines.map((line) => 'user' in line), [false, true, false, true])
  t.equal(await gateway.readMetric('acr_egress_refusals_total', { reason: 'proxy_auth_required' }), 2)
})

t.test('a wrong password may be corrected on the same connection, a few times', async (t) => {
  const gateway = await startAsking(t)
  const client = await connectRaw(t, gateway.proxy)
  t.match(await ask(client, writeBasic('edge', 'wrong')), { status: 407, reason: 'proxy_auth_failed' })
  t.match(await ask(client, 'Bearer abc'), { status: 407, reason: 'proxy_auth_failed' })
  t.match(await ask(client, writeBasic('nobody', password)), { status: 407, reason: 'proxy_auth_failed' })
  const last = await ask(client, writeBasic('nobody', 'x'))
  t.match(last, { status: 407, headers: { connection: 'close' } })
  t.match(await client.ended, { how: 'end' })
  await gateway.tunnelLine(3)
  t.notMatch(JSON.stringify(gateway.tunnelLines), /edge|nobody/, 'a user that is not known to be one is in no line')
})

t.test('a client that has said who it is has the gateway\'s other rules before it', async (t) => {
  const gateway = await startAsking(t)
  const client = await connectRaw(t, gateway.proxy)
  t.match(await ask(client, undefined, 'evil.example:443'), { status: 407 }, 'nothing is told of what is let through')
  const refused = await ask(client, writeBasic('plänt', 'right'), 'evil.example:443')
  t.match(refused, { status: 403, reason: 'host_not_allowed', headers: { connection: 'close' } })
  t.match(await gateway.tunnelLine(1), { event: 'tunnel_refused', reason: 'host_not_allowed', user: 'pl\\xe4nt' })
})

t.test('who sends its password at once is let in at once, also by HTTP/1.0 and with bytes behind it', async (t) => {
  const gateway = await startAsking(t)
  const client = await connectRaw(t, gateway.proxy)
  client.send(`CONNECT ${host}:443 HTTP/1.0\r\nproxy-authorization: bAsIc ${writeBasic('edge', password).slice(6)}\r\n\r\nearly`)
  t.match(await client.receiveHead(), /^HTTP\/1\.1 200 /)
  t.equal(String(await client.receive(5)), 'early')
})

t.test('an HTTP/1.0 client is answered for good', async (t) => {
  const { proxy } = await startAsking(t)
  const client = await connectRaw(t, proxy)
  client.send(`CONNECT ${host}:443 HTTP/1.0\r\n\r\n`)
  const { bytes, how } = await client.ended
  t.equal(how, 'end')
  t.match(parseAnswer(bytes), { status: 407, headers: { connection: 'close' } })
})

t.test('what a client without password sends on behind its request is no way in', async (t) => {
  const gateway = await startAsking(t)
  const client = await connectRaw(t, gateway.proxy)
  client.send(`${writeConnect()}\x16\x03\x01\x00\x05hello`)
  const { bytes } = await client.ended
  t.match(bytes.toString('latin1'), /^HTTP\/1\.1 407 [^]*HTTP\/1\.1 400 bad_request/)
})

t.test('plain HTTP is asked too', async (t) => {
  const { proxy, tunnelLine } = await startAsking(t, { more: 'bundles: [revocation]' })
  const client = await connectRaw(t, proxy)
  client.send('GET http://crl3.digicert.com/a.crl HTTP/1.1\r\nHost: crl3.digicert.com\r\n\r\n')
  t.match(parseAnswer((await client.ended).bytes), { status: 407, headers: { connection: 'close' } })
  const second = await connectRaw(t, proxy)
  second.send(`GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nProxy-Authorization: ${writeBasic('edge', password)}\r\n\r\n`)
  t.match(parseAnswer((await second.ended).bytes), { status: 405, reason: 'method_not_allowed' })
  t.match(await tunnelLine(1), { user: 'edge' })
})

t.test('TLS without a CONNECT brings no password, and is turned away by an alert', async (t) => {
  const { proxy, tunnelLine } = await startAsking(t, { listen: ', transparent: true' })
  const socket = connectTls({ ...proxy, servername: host, ca: certificate.ca })
  const [error] = await once(socket, 'error')
  t.match(error, { code: 'ERR_SSL_TLSV1_ALERT_ACCESS_DENIED' })
  t.match(await tunnelLine(0), { event: 'tunnel_refused', reason: 'proxy_auth_required', target: `${host}:443` })
})

t.test('an address that floods gets 429, and keeps neither another address nor who is in from getting in', async (t) => {
  const gateway = await startAsking(t)
  t.equal(await reasonOf(t, gateway, writeBasic('plänt', 'right')), 'open')
  const flood = async (index: number): Promise<string> => await reasonOf(t, gateway, writeBasic('edge', `wrong ${index}`))
  const startedAt = performance.now()
  const flooding = Promise.all(Array.from({ length: 100 }, (_none, index) => flood(index)))
  t.equal(await reasonOf(t, gateway, writeBasic('edge', password), '127.0.0.2'), 'open', 'another address, meanwhile')
  const reasons = await flooding
  const failures = reasons.filter((reason) => reason === 'proxy_auth_failed').length
  t.ok(failures <= 20 + (performance.now() - startedAt) / 3000, `${failures} failures`)
  t.same([...new Set(reasons)].sort(), ['proxy_auth_failed', 'proxy_auth_limited'])
  let limited: Answer | undefined
  for (let attempt = 0; limited?.status !== 429 && attempt < 100; attempt++) {
    limited = await ask(await connectRaw(t, gateway.proxy), writeBasic('edge', `more ${attempt}`))
  }
  t.match(limited, { reason: 'proxy_auth_limited', headers: { 'retry-after': /^[123]$/, connection: 'close' } })
  t.equal(await reasonOf(t, gateway, writeBasic('edge', password), '127.0.0.2'), 'open')
  t.equal(await reasonOf(t, gateway, writeBasic('plänt', 'right')), 'open', 'who has been let in at that address')
})

/** What /readyz says of the passwords; it has to be ready. */
async function readDetail (t: Test, gateway: TestGateway): Promise<string> {
  const { status, body } = await gateway.ask('/readyz')
  t.equal(status, 200)
  const { checks } = JSON.parse(body) as { checks: ReadonlyArray<{ name: string, detail: string }> }
  return checks.find(({ name }) => name === 'passwords')?.detail ?? ''
}

t.test('a new file decides from when it is seen; one that does not serve leaves the users as they are', async (t) => {
  const gateway = await startAsking(t)
  const { file } = gateway
  t.match(gateway.lines.find(({ event }) => event === 'password_file_loaded'), { file, users: 2 })
  t.equal(await readDetail(t, gateway), 'Users: 2.')
  const open = await connectRaw(t, gateway.proxy)
  t.equal((await ask(open, writeBasic('edge', password))).status, 200)

  await writeFile(`${file}.new`, writePasswordLine('edge', 'new'), { mode: 0o644 })
  await rename(`${file}.new`, file)
  t.match(await waitForEvent(gateway, 'password_file_refused'), {
    level: 'error', file, problem: `others may use the password file; write chmod o= ${file}`,
  })
  t.match(await readDetail(t, gateway), /^Users: 2\. The file as it is now was not taken: others may use/)
  t.equal(await reasonOf(t, gateway, writeBasic('edge', password)), 'open')
  t.equal(await reasonOf(t, gateway, writeBasic('edge', 'new')), 'proxy_auth_failed')

  await chmod(file, 0o600)
  t.match(await waitForEvent(gateway, 'password_file_updated'), { level: 'info', file, users: 1 })
  t.equal(await readDetail(t, gateway), 'Users: 1.')
  t.equal(await reasonOf(t, gateway, writeBasic('edge', 'new')), 'open')
  t.equal(await reasonOf(t, gateway, writeBasic('edge', password)), 'proxy_auth_failed', 'although it was known to be right')
  t.equal(await reasonOf(t, gateway, writeBasic('plänt', 'right')), 'proxy_auth_failed')
  open.send('still here')
  t.equal(String(await open.receive(10)), 'still here', 'a tunnel that is open goes on')

  const before = gateway.lines.length
  await writeFile(file, 'edge:secret\nplant:secret\n')
  t.match(await waitForEvent(gateway, 'password_file_refused', before), {
    problem: `${file}:1: the password is not hashed by bcrypt; make the line with htpasswd -B -C 10 FILE USER (and 1 more; acr-egress check lists them)`,
  })
  t.equal(await reasonOf(t, gateway, writeBasic('edge', 'new')), 'open')
  t.notMatch(JSON.stringify(gateway.lines), /:secret|\$2[aby]/)
})

t.test('without a password file nobody is asked, and what a client sends is not looked at', async (t) => {
  const upstream = await startEchoUpstream(t)
  const gateway = await startGateway(t, `
registries: [{ loginServer: ${host}, regions: [eastus], privateEndpoints: [127.0.0.0/8] }]
dns: { hosts: { ${host}: ['127.0.0.1:${upstream.port}'] } }
`)
  for (const authorization of [undefined, writeBasic('a', 'b'), 'Bearer x']) {
    t.equal(await reasonOf(t, gateway, authorization), 'open')
  }
  const { checks } = JSON.parse((await gateway.ask('/readyz')).body) as { checks: ReadonlyArray<{ name: string }> }
  t.notOk(checks.some(({ name }) => name === 'passwords'))
})
