import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type ConnectionOptions, type TLSSocket, connect } from 'node:tls'
import t, { type Test } from 'tap'
import { noCertificateAsked } from '../../src/proxy/client-certificate.ts'
import { readTlsFiles } from '../../src/tls/tls-files.ts'
import { createTlsKeeper } from '../../src/tls/tls-keeper.ts'
import { parseAnswer, writeConnect } from '../support/answer.ts'
import { type TestGateway, startGateway } from '../support/gateway.ts'
import { type IssuedPair, createOpensslAuthority } from '../support/openssl-authority.ts'
import { startListener } from '../support/proxy-listener.ts'
import { waitUntil } from '../support/wait-until.ts'

// Most of the time goes by between two looks at a file.
t.jobs = 4

const authority = createOpensslAuthority(t)
const host = 'contoso.azurecr.io'

interface Reloaded extends TestGateway {
  readonly folder: string
  /** Replaces files, one after the other, and resolves when there is a new line of this event. */
  replace (files: Readonly<Record<string, string>>, event: string): Promise<Readonly<Record<string, unknown>>>
  /** Shakes hands, asks for a name that is not let through, and gives the reason and whose certificate it was. */
  refuse (pair?: IssuedPair): Promise<{ readonly reason: string, readonly serial: string | undefined }>
}

async function start (t: Test, keys: string, files: Readonly<Record<string, string>>): Promise<Reloaded> {
  const gateway = await startGateway(t, `registries: [{loginServer: ${host}}]\nlisten: { tls: { ${keys} } }\n`, files)
  const folder = t.testdirName
  const count = (event: string) => gateway.lines.filter((line) => line.event === event).length
  return {
    ...gateway,
    folder,
    async replace (contents, event) {
      const before = count(event)
      for (const [name, content] of Object.entries(contents)) await writeFile(join(folder, name), content)
      const deadline = performance.now() + 20_000
      while (count(event) === before && performance.now() < deadline) {
        await new Promise((resolve) => { setTimeout(resolve, 50) })
      }
      const line = gateway.lines.filter((one) => one.event === event).at(-1)
      if (line === undefined || count(event) === before) throw new Error(`no ${event}`)
      return line
    },
    async refuse (pair) {
      const socket = await secure(gateway.proxy, { ...pair })
      socket.write(writeConnect('evil.example:443'))
      const serial = socket.getPeerX509Certificate()?.serialNumber
      return { reason: parseAnswer(await text(socket)).reason, serial }
    },
  }
}

async function secure (address: { host: string, port: number }, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ ...address, ca: authority.cert, ...options })
  await once(socket, 'secureConnect')
  return socket
}

t.test('a certificate that is renewed on disk is served within seconds; open connections stay', async (t) => {
  const [first, second] = [authority.issueServer([], { to: 100 }), authority.issueServer([], { to: 200 })]
  const gateway = await start(t, 'certFile: a.crt, keyFile: a.key', { 'a.crt': first.cert, 'a.key': first.key })
  t.match(gateway.lines.find(({ event }) => event === 'tls_files_loaded'), { files: { [join(gateway.folder, 'a.crt')]: /^20.*Z$/ } })
  const open = await secure(gateway.proxy)
  const { serial } = await gateway.refuse()
  const expiry = await gateway.readMetric('acr_egress_tls_expiry_timestamp_seconds', { kind: 'server' })
  const line = await gateway.replace({ 'a.key': second.key, 'a.crt': second.cert }, 'tls_files_updated')
  t.match(line, { level: 'info', files: { [join(gateway.folder, 'a.crt')]: /^20.*Z$/ } })
  t.not((await gateway.refuse()).serial, serial)
  t.equal(await gateway.readMetric('acr_egress_tls_expiry_timestamp_seconds', { kind: 'server' }) - expiry, 100 * 86_400)
  t.equal(await gateway.readMetric('acr_egress_tls_reloads_total', { result: 'applied' }), 1)
  open.write(writeConnect('evil.example:443'))
  t.match(parseAnswer(await text(open)), { reason: 'host_not_allowed' })
})

t.test('files that do not serve are told of in the log, the metrics and /readyz, and change nothing', async (t) => {
  const pair = authority.issueServer([])
  const gateway = await start(t, 'certFile: a.crt, keyFile: a.key', { 'a.crt': pair.cert, 'a.key': pair.key })
  const { serial } = await gateway.refuse()
  const line = await gateway.replace({ 'a.key': authority.issueServer([]).key }, 'tls_files_refused')
  const problem = 'listen.tls.keyFile: the key is not the certificate\'s; write the two files that were made together'
  t.match(line, { level: 'error', problems: [problem] })
  t.equal(await gateway.readMetric('acr_egress_tls_reloads_total', { result: 'refused' }), 1)
  t.match((await gateway.ask('/readyz')).body, new RegExp(`a\\.crt is valid until 20[^"]* not taken: ${problem}`))
  t.match(await gateway.refuse(), { serial, reason: 'host_not_allowed' })
  await gateway.replace({ 'a.key': pair.key }, 'tls_files_updated')
  t.notMatch((await gateway.ask('/readyz')).body, 'not taken')
})

t.test('a client whose certificate is revoked is refused as soon as the list is there, and not before', async (t) => {
  const own = createOpensslAuthority(t)
  const pair = authority.issueServer([])
  const device = own.issueClient()
  const gateway = await start(t, 'certFile: a.crt, keyFile: a.key, clientCaFile: ca.crt, clientCrlFile: ca.crl', {
    'a.crt': pair.cert, 'a.key': pair.key, 'ca.crt': own.cert, 'ca.crl': own.issueList(),
  })
  t.match(await gateway.refuse(device), { reason: 'host_not_allowed' })
  own.revoke(device)
  t.match(await gateway.refuse(device), { reason: 'host_not_allowed' })
  await gateway.replace({ 'ca.crl': own.issueList() }, 'tls_files_updated')
  t.match(await gateway.refuse(device), { reason: 'client_certificate_refused' })
  t.ok(await gateway.readMetric('acr_egress_tls_expiry_timestamp_seconds', { kind: 'client_crl' }) > 0)
  t.ok(await gateway.readMetric('acr_egress_tls_expiry_timestamp_seconds', { kind: 'client_ca' }) > 0)
})

t.test('while clients come all the time, twenty renewals fail none of them, and leave nothing behind', async (t) => {
  const folder = t.testdir({})
  const file = (name: string) => join(folder, name)
  const pairs = Array.from({ length: 21 }, () => authority.issueServer(['gateway.example', 'other.example']))
  const write = async ({ key, cert }: IssuedPair) => {
    await writeFile(file('a.key'), key, { mode: 0o600 })
    await writeFile(file('a.crt'), cert)
  }
  const [first, ...renewals] = pairs
  if (first === undefined) throw new TypeError('no certificate')
  await write(first)
  const { files } = await readTlsFiles({ pairs: [{ certFile: file('a.crt'), keyFile: file('a.key') }] }, Date.now())
  if (files === undefined) throw new TypeError('no files')
  const failures: string[] = []
  let open = 0
  const { listener, host: address, port } = await startListener(t, {
    tls: files,
    events: {
      connectionOpened: () => { open++ },
      connectionClosed: () => { open-- },
      connectionDropped: (limit) => { failures.push(limit) },
      handshakeFailed: (failure) => { failures.push(failure) },
    },
    onTunnel ({ client, end }) {
      if (client.certificate !== noCertificateAsked) failures.push('certificate')
      end.stream.end('HTTP/1.1 403 no\r\n\r\n')
    },
  })
  const keeper = createTlsKeeper({
    files,
    intervalMs: 5,
    now: Date.now,
    onUpdate (update) {
      if (update.result === 'applied') listener.serveTlsWith(update.files)
      else failures.push(...update.problems.map(({ message }) => message))
    },
  })
  t.teardown(keeper.close)
  const descriptors = readdirSync('/proc/self/fd').length

  const serials = new Set<string>()
  let connections = 0
  const done = new AbortController()
  async function comeAndGo (version: 'TLSv1.2' | 'TLSv1.3'): Promise<void> {
    let session: Buffer | undefined
    while (!done.signal.aborted) {
      const versions = { minVersion: version, maxVersion: version }
      const socket = connect({ host: address, port, ca: authority.cert, ...versions, session })
      socket.on('session', (one: Buffer) => { session = one })
      await once(socket, 'secureConnect')
      serials.add(socket.getPeerX509Certificate()?.serialNumber ?? '')
      socket.write(writeConnect('a:443'))
      if (await text(socket) !== 'HTTP/1.1 403 no\r\n\r\n') failures.push('answer')
      connections++
      // Each other time from the start.
      if (connections % 2 === 0) session = undefined
    }
  }
  const clients = (['TLSv1.2', 'TLSv1.3', 'TLSv1.3'] as const).map(comeAndGo)
  for (const renewal of renewals) {
    await write(renewal)
    await waitUntil(() => keeper.current.pairs[0]?.certificatePem === renewal.cert, 'the renewed certificate')
    const before = connections
    await waitUntil(() => connections > before + 3, 'clients after it')
  }
  done.abort()
  await Promise.all(clients)
  t.same(failures, [])
  t.ok(serials.size > 15, `${connections} connections saw ${serials.size} certificates`)
  await waitUntil(() => open === 0, 'all to be gone')
  await waitUntil(() => readdirSync('/proc/self/fd').length <= descriptors, 'the descriptors to be closed')
})
