import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { chmod, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { parseDocument } from 'yaml'
import { UsageError } from '../../../src/cli/args.ts'
import { certsCommand } from '../../../src/cli/certs.ts'
import { issueAuthority, issueServerCertificate } from '../../../src/tls/certificates.ts'
import { runHere } from '../../support/command-run.ts'

const execute = promisify(execFile)

async function run (...argv: string[]): ReturnType<typeof runHere> {
  return await runHere(certsCommand, argv)
}

async function readMode (path: string): Promise<number> {
  return (await stat(path)).mode & 0o777
}

async function readCertificate (path: string): Promise<X509Certificate> {
  return new X509Certificate(await readFile(path))
}

/** Days from now to the end of a certificate. */
function countDays ({ validTo }: X509Certificate): number {
  return Math.round((Date.parse(validTo) - Date.now()) / 86_400_000)
}

function createDirectory (t: Test): string {
  return join(t.testdir(), 'deep', 'certs')
}

t.test('init writes an authority and a server certificate that a TLS server can use', async t => {
  const dir = createDirectory(t)
  const { code, stdout, stderr } = await run('init', '--host', 'Gateway.example', '--host', '10.0.0.4', '--host', 'gateway.example.', '--dir', dir)
  t.equal(code, 0)
  t.equal(stderr, '')
  t.strictSame((await readdir(dir)).sort(), ['ca.crt', 'ca.key', 'server.crt', 'server.key'])
  t.equal(await readMode(dir), 0o700)
  t.equal(await readMode(join(dir, 'ca.key')), 0o600)
  t.equal(await readMode(join(dir, 'server.key')), 0o600)
  const ca = await readCertificate(join(dir, 'ca.crt'))
  const server = await readCertificate(join(dir, 'server.crt'))
  t.ok(server.verify(ca.publicKey))
  t.ok(server.checkHost('gateway.example'))
  t.ok(server.checkIP('10.0.0.4'))
  t.equal(server.subjectAltName, 'DNS:gateway.example, IP Address:10.0.0.4')
  t.equal(countDays(ca), 3650)
  t.equal(countDays(server), 397)
  const cert = await readFile(join(dir, 'server.crt'), 'utf8')
  t.ok(cert.endsWith(await readFile(join(dir, 'ca.crt'), 'utf8')), 'the chain ends in the authority')
  createSecureContext({ cert, key: await readFile(join(dir, 'server.key')) })
  const block = /^listen:\n( .*\n)+/m.exec(stdout)?.[0] ?? ''
  t.strictSame(parseDocument(block).toJS(), {
    listen: { tls: { certFile: join(dir, 'server.crt'), keyFile: join(dir, 'server.key') } },
  })
  t.match(stdout, 'update-ca-certificates')
  t.match(stdout, 'certutil -addstore')
})

t.test('the lifetime of the server certificate can be chosen', async t => {
  const dir = createDirectory(t)
  await run('init', '--host', 'gateway.example', '--dir', dir, '--days', '30')
  t.equal(countDays(await readCertificate(join(dir, 'server.crt'))), 30)
})

t.test('existing files are not overwritten', async t => {
  const dir = t.testdir({ 'server.key': 'precious' })
  const { code, stdout, stderr } = await run('init', '--host', 'gateway.example', '--dir', dir)
  t.equal(code, 2)
  t.equal(stdout, '')
  t.match(stderr, `${dir} already holds server.key; nothing was written. Write --force`)
  t.strictSame(await readdir(dir), ['server.key'])
  t.equal(await readFile(join(dir, 'server.key'), 'utf8'), 'precious')
})

t.test('with --force the server certificate is replaced and the authority is kept', async t => {
  const dir = createDirectory(t)
  await run('init', '--host', 'old.example', '--dir', dir)
  const before = await readFile(join(dir, 'ca.crt'), 'utf8')
  const { code, stdout } = await run('init', '--host', 'new.example', '--dir', dir, '--force')
  t.equal(code, 0)
  t.match(stdout, 'kept')
  t.equal(await readFile(join(dir, 'ca.crt'), 'utf8'), before)
  const server = await readCertificate(join(dir, 'server.crt'))
  t.ok(server.verify(new X509Certificate(before).publicKey))
  t.ok(server.checkHost('new.example'))
  t.notOk(server.checkHost('old.example'))
  t.equal(await readMode(join(dir, 'server.key')), 0o600)
  t.strictSame((await readdir(dir)).sort(), ['ca.crt', 'ca.key', 'server.crt', 'server.key'], 'nothing temporary is left')
})

t.test('client writes an authority of clients and a certificate that is good for clients only', async t => {
  const dir = createDirectory(t)
  const { code, stdout, stderr } = await run('client', '--name', 'line1.plant', '--dir', dir, '--days', '30')
  t.equal(code, 0)
  t.equal(stderr, '')
  t.strictSame((await readdir(dir)).sort(), ['client-ca.crt', 'client-ca.key', 'client-line1.plant.crt', 'client-line1.plant.key'])
  for (const name of ['client-ca.key', 'client-line1.plant.key']) t.equal(await readMode(join(dir, name)), 0o600, name)
  const client = await readCertificate(join(dir, 'client-line1.plant.crt'))
  t.equal(client.subject, 'CN=line1.plant')
  t.same(client.keyUsage, ['1.3.6.1.5.5.7.3.2'], 'its one extended use is to be a TLS client')
  t.equal(countDays(client), 30)
  const block = /^listen:\n( .*\n)+/m.exec(stdout)?.[0] ?? ''
  t.strictSame(parseDocument(block).toJS(), { listen: { tls: { clientCaFile: join(dir, 'client-ca.crt') } } })
  t.match(stdout, '/etc/docker/certs.d/REGISTRY/client.cert')

  await run('init', '--host', 'gateway.example', '--dir', dir)
  const verify = async (purpose: string, ca: string, leaf: string) => await execute('openssl', [
    'verify', '-x509_strict', '-purpose', purpose, '-CAfile', join(dir, ca), join(dir, leaf),
  ]).then(({ stdout }) => stdout, () => 'refused')
  t.match(await verify('sslclient', 'client-ca.crt', 'client-line1.plant.crt'), ': OK')
  t.match(await verify('sslserver', 'ca.crt', 'server.crt'), ': OK')
  t.equal(await verify('sslserver', 'client-ca.crt', 'client-line1.plant.crt'), 'refused')
  t.equal(await verify('sslclient', 'ca.crt', 'server.crt'), 'refused')
  t.equal(await verify('sslclient', 'ca.crt', 'client-line1.plant.crt'), 'refused', 'the two authorities are apart')
})

t.test('further clients have certificates from the same authority, and only --force replaces one', async t => {
  const dir = createDirectory(t)
  await run('client', '--name', 'a', '--dir', dir)
  const authority = await readFile(join(dir, 'client-ca.crt'), 'utf8')
  const first = await readFile(join(dir, 'client-a.crt'), 'utf8')
  const second = await run('client', '--name', 'b', '--dir', dir)
  t.equal(second.code, 0)
  t.match(second.stdout, 'kept: the gateway need not be told anew')
  const again = await run('client', '--name', 'a', '--dir', dir)
  t.equal(again.code, 2)
  t.match(again.stderr, `${dir} already holds client-a.key, client-a.crt; nothing was written. Write --force`)
  t.equal(await readFile(join(dir, 'client-a.crt'), 'utf8'), first)
  t.equal((await run('client', '--name', 'a', '--dir', dir, '--force')).code, 0)
  t.not(await readFile(join(dir, 'client-a.crt'), 'utf8'), first)
  t.equal(await readFile(join(dir, 'client-ca.crt'), 'utf8'), authority)
  await rm(join(dir, 'client-ca.key'))
  const half = await run('client', '--name', 'c', '--dir', dir)
  t.match(half.stderr, 'holds client-ca.crt without client-ca.key; bring client-ca.key back, or move client-ca.crt away to ' +
    'begin a new authority, which the gateway must then be told to trust')
})

t.test('a renewed key stays readable by those who could read it, and by nobody else', async t => {
  const dir = createDirectory(t)
  await run('init', '--host', 'gateway.example', '--dir', dir)
  await chmod(join(dir, 'server.key'), 0o644)
  await run('init', '--host', 'gateway.example', '--dir', dir, '--force')
  t.equal(await readMode(join(dir, 'server.key')), 0o640)
})

t.test('half an authority is not taken for none', async t => {
  const dir = createDirectory(t)
  await run('init', '--host', 'gateway.example', '--dir', dir)
  const before = await readFile(join(dir, 'server.crt'), 'utf8')
  await rm(join(dir, 'ca.key'))
  const { code, stderr } = await run('init', '--host', 'gateway.example', '--dir', dir, '--force')
  t.equal(code, 2)
  t.match(stderr, 'holds ca.crt without ca.key; bring ca.key back')
  t.equal(await readFile(join(dir, 'server.crt'), 'utf8'), before)
})

t.test('an authority that cannot sign any more is named, with what to do', async t => {
  const now = new Date()
  const good = await issueAuthority({ commonName: 'good', validDays: 10, now })
  const old = await issueAuthority({ commonName: 'old', validDays: 10, now: new Date(now.getTime() - 11 * 86_400_000) })
  const leaf = await issueServerCertificate({ authority: good, hosts: ['a.example'], validDays: 1, now })
  const table = [
    [old.certificatePem, old.keyPem, 'ended on'],
    [good.certificatePem, old.keyPem, 'is not the key of the certificate'],
    [leaf.certificatePem, leaf.keyPem, "is no authority's certificate"],
    ['no certificate', good.keyPem, "is no authority's certificate"],
    [good.certificatePem, 'no key', 'not a certificate and an unencrypted private key'],
  ] as const
  for (const [certificate, key, message] of table) {
    const dir = t.testdir({ 'ca.crt': certificate, 'ca.key': key })
    const { code, stderr } = await run('init', '--host', 'gateway.example', '--dir', dir, '--force')
    t.equal(code, 2, message)
    t.match(stderr, message)
    t.match(stderr, /move (ca\.crt and ca\.key|both) away/)
    t.strictSame((await readdir(dir)).sort(), ['ca.crt', 'ca.key'])
  }
})

t.test('a place that cannot be written is a message, not a crash', async t => {
  const dir = t.testdir({ file: 'not a directory' })
  for (const place of [join(dir, 'file'), join(dir, 'file', 'certs'), '/sys/acr-egress-certs', '/proc/acr-egress-certs/deep']) {
    const { code, stdout, stderr } = await run('init', '--host', 'gateway.example', '--dir', place)
    t.equal(code, 2, place)
    t.equal(stdout, '')
    t.match(stderr, /^acr-egress certs: .+choose another --dir\n$/)
  }
})

t.test('a directory with unusual letters is quoted in the configuration', async t => {
  const dir = join(t.testdir(), 'my certs: "x" #1')
  const { stdout } = await run('init', '--host', 'gateway.example', '--dir', dir)
  const block = /^listen:\n( .*\n)+/m.exec(stdout)?.[0] ?? ''
  t.match(parseDocument(block).toJS(), { listen: { tls: { keyFile: join(dir, 'server.key') } } })
})

t.test('wrong words are usage errors that say what to write', async t => {
  const dir = createDirectory(t)
  const table: ReadonlyArray<readonly [readonly string[], string]> = [
    [['inti', '--host', 'a.example'], 'certs inti: no such action; did you mean init?'],
    [['init', '--name', 'a'], '--name: no such flag'],
    [['client'], '--name is missing; write --name NAME'],
    [['client', 'line1'], 'line1 is too much; write --name NAME'],
    [['client', '--name', 'a/b'], '--name a/b: write 1 to 64 letters and digits'],
    [['client', '--name', '..'], '--name ..: write 1 to 64'],
    [['client', '--name', '.a'], '--name .a: write 1 to 64'],
    [['client', '--name', 'x'.repeat(65)], ': write 1 to 64'],
    [['client', '--name', 'CA'], '--name ca: that is the authority'],
    [['client', '--name', 'a', '--host', 'a.example'], '--host: no such flag'],
    [['init'], '--host is missing; write --host NAME'],
    [['init', 'a.example'], 'a.example is too much; write each name as --host NAME'],
    [['init', '--host', 'https://a.example'], 'without scheme'],
    [['init', '--host', 'a.example:443'], 'neither a DNS name nor an IP address'],
    [['init', '--host', 'a.example', '--days', '0'], '--days 0: write a whole number from 1 to 3650'],
    [['init', '--host', 'a.example', '--days', '1.5'], '--days 1.5: write'],
    [['init', '--host', 'a.example', '--days', '3651'], '--days 3651: write'],
    [['init', '--hots', 'a.example'], '--hots: no such flag; did you mean --host?'],
  ]
  for (const [argv, message] of table) {
    const error: unknown = await run(...argv, '--dir', dir).catch((error: unknown) => error)
    t.ok(error instanceof UsageError, argv.join(' '))
    t.match((error as Error).message, message)
  }
  await t.rejects(run(), { message: 'certs: say what to do; write acr-egress certs init or client' })
  await t.rejects(stat(dir), { code: 'ENOENT' }, 'nothing was written')
})
