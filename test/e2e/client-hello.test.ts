import { execFile, spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { issueAuthority, issueServerCertificate } from '../../src/tls/certificates.ts'
import { readClientHello } from '../../src/tls/client-hello.ts'
import { cleanEnvironment } from '../support/daemon.ts'
import { describeMissing } from '../support/debian-parts.ts'
import { helloClients, openSslClient, runHelloClient } from '../support/hello-clients.ts'
import { startHelloRecorder } from '../support/hello-recorder.ts'

const run = promisify(execFile)
const host = 'contoso.azurecr.io'

for (const client of helloClients) {
  const { name, program, hasEch = false, says } = client
  t.test(`the hello of ${name} is read, and it says why it was refused`, { skip: describeMissing([program]) }, async (t) => {
    for (const alert of ['unrecognized_name', 'access_denied'] as const) {
      const recorder = await startHelloRecorder(t, alert)
      const output = await runHelloClient(client, { proxyPort: recorder.port, host, folder: t.testdir({}) })
      t.match(output, says[alert], alert)
      // A browser has hosts of its own to talk to; they are not there.
      const recordings = recorder.recordings.filter(({ target }) => target === `${host}:443`)
      t.ok(recordings.length > 0, 'it has tried')
      for (const { bytes, reading } of recordings) {
        t.same(reading, { state: 'hello', serverName: host, hasEch })
        const early = bytes.findIndex((_, length) => readClientHello(bytes.subarray(0, length)).state !== 'partial')
        const size = 5 + bytes.readUInt16BE(3)
        t.ok(early === -1 || early === size, `every beginning of its ${size} bytes is partial`)
      }
    }
  })
}

const skip = describeMissing(['openssl'])

t.test('a client that names no host has none', { skip }, async (t) => {
  const recorder = await startHelloRecorder(t, 'unrecognized_name')
  const way = { proxyPort: recorder.port, host, folder: t.testdir({}) }
  await runHelloClient(openSslClient('openssl without a name', '-noservername'), way)
  t.same(recorder.recordings.map(({ reading }) => reading), [{ state: 'hello', serverName: undefined, hasEch: false }])
})

/** Where `openssl s_server` listens, by what it prints. */
async function readAddress (output: Readable): Promise<string> {
  for await (const line of createInterface(output)) {
    if (line.startsWith('ACCEPT ')) return line.slice('ACCEPT '.length)
  }
  throw new Error('openssl s_server has ended')
}

/** Has OpenSSL fetch a session that it may send early data with; resolves with the file of it. */
async function fetchSession (t: Test, folder: string): Promise<string> {
  const now = new Date()
  const authority = await issueAuthority({ commonName: 'sessions', validDays: 1, now })
  const { chainPem, keyPem } = await issueServerCertificate({ authority, hosts: [host], validDays: 1, now })
  await writeFile(join(folder, 'server.pem'), chainPem + keyPem)
  const env = cleanEnvironment()
  const words = ['s_server', '-accept', '127.0.0.1:0', '-cert', join(folder, 'server.pem'), '-www', '-max_early_data', '16384']
  const server = spawn('openssl', words, { env, stdio: ['ignore', 'pipe', 'ignore'] })
  t.teardown(() => server.kill())
  const session = join(folder, 'session.pem')
  const connection = ['-connect', await readAddress(server.stdout), '-servername', host]
  const client = run('openssl', ['s_client', ...connection, '-sess_out', session, '-ign_eof'], { env, timeout: 60_000 })
  // The session comes behind the handshake; the server ends when it has answered.
  client.child.stdin?.end('GET / HTTP/1.0\r\n\r\n')
  await client
  return session
}

t.test('early data behind a hello is not looked at', { skip }, async (t) => {
  const folder = t.testdir({ early: 'GET /v2/ HTTP/1.1\r\n\r\n' })
  const session = await fetchSession(t, folder)
  const recorder = await startHelloRecorder(t, 'access_denied')
  const client = openSslClient('openssl with early data', '-sess_in', session, '-early_data', join(folder, 'early'))
  await runHelloClient(client, { proxyPort: recorder.port, host, folder })
  const [recording] = recorder.recordings
  const bytes = recording?.bytes ?? Buffer.alloc(5)
  const size = 5 + bytes.readUInt16BE(3)
  const expected = { state: 'hello', serverName: host, hasEch: false }
  t.same(recording?.reading, expected)
  t.same(readClientHello(bytes), expected, 'with all that came')
  // Change cipher spec, and then what looks like data.
  t.match(bytes.subarray(size).toString('hex'), /^140303000101170303/)
})
