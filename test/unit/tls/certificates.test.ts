import { execFile } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import {
  AuthorityError, issueAuthority, issueClientCertificate, issueServerCertificate, parseCertificateHost,
} from '../../../src/tls/certificates.ts'

const run = promisify(execFile)
const now = new Date()
const dayMs = 24 * 3_600_000

/** OpenSSL's configuration of an authority that differs from ours in name and key identifier. */
const foreignAuthority = `
[req]
prompt = no
utf8 = yes
string_mask = utf8only
distinguished_name = name
x509_extensions = extensions
[name]
O = Werk Süd
CN = Prüf-CA
[extensions]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
subjectKeyIdentifier = 01:02:03:04
`

const authority = await issueAuthority({ commonName: 'test authority', validDays: 30, now })
const caKey = new X509Certificate(authority.certificatePem).publicKey

t.test('an authority is a self-signed CA with a key of its own', async t => {
  const certificate = new X509Certificate(authority.certificatePem)
  t.ok(certificate.ca)
  t.ok(certificate.verify(certificate.publicKey))
  t.ok(certificate.checkIssued(certificate))
  t.ok(certificate.checkPrivateKey(createPrivateKey(authority.keyPem)))
  t.equal(certificate.subject, 'CN=test authority')
  t.equal(certificate.publicKey.asymmetricKeyDetails?.modulusLength, 2048)
  const other = await issueAuthority({ commonName: 'test authority', validDays: 30, now })
  t.not(new X509Certificate(other.certificatePem).serialNumber, certificate.serialNumber)
})

t.test('a certificate begins five minutes ago and ends after the days asked for', async t => {
  const certificate = new X509Certificate(authority.certificatePem)
  const second = (date: Date): number => Math.floor(date.getTime() / 1000)
  t.equal(second(new Date(certificate.validFrom)), second(now) - 300)
  t.equal(second(new Date(certificate.validTo)), second(now) + 30 * 86_400)
})

t.test('a lifetime beyond 2050 is written and read back right', async t => {
  const { certificatePem } = await issueAuthority({ commonName: 'long', validDays: 20_000, now: new Date('2026-01-01T00:00:00Z') })
  t.equal(new Date(new X509Certificate(certificatePem).validTo).toISOString(), '2080-10-04T00:00:00.000Z')
})

t.test('a server certificate is for its hosts and for no other', async t => {
  const hosts = ['gateway.example', '*.plant.example', '192.0.2.7', '2001:db8::7', '::ffff:192.0.2.8', '::1', 'fe80::']
  const issued = await issueServerCertificate({ authority, hosts, validDays: 7, now })
  const leaf = new X509Certificate(issued.certificatePem)
  t.ok(leaf.verify(caKey))
  t.notOk(leaf.ca)
  t.ok(leaf.checkPrivateKey(createPrivateKey(issued.keyPem)))
  t.ok(leaf.checkHost('gateway.example'))
  t.ok(leaf.checkHost('line1.plant.example'))
  t.notOk(leaf.checkHost('a.line1.plant.example'))
  t.notOk(leaf.checkHost('other.example'))
  for (const address of ['192.0.2.7', '2001:db8::7', '2001:DB8:0::7', '::ffff:c000:208', '::1', 'fe80::']) {
    t.ok(leaf.checkIP(address), address)
  }
  t.notOk(leaf.checkIP('192.0.2.9'))
  t.notOk(leaf.checkIP('2001:db8::8'))
  t.same(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1'], 'its one extended use is to be a TLS server')
  t.equal(issued.chainPem, issued.certificatePem + authority.certificatePem)
})

t.test('openssl verifies both by its strictest rules', async t => {
  const longHost = `${'a'.repeat(60)}.${'b'.repeat(60)}.example`
  for (const hosts of [['gateway.example', '192.0.2.7', '2001:db8::7'], ['*.plant.example'], [longHost]]) {
    const { certificatePem } = await issueServerCertificate({ authority, hosts, validDays: 7, now })
    const dir = t.testdir({ 'ca.pem': authority.certificatePem, 'leaf.pem': certificatePem })
    const { stdout } = await run('openssl', [
      'verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', join(dir, 'ca.pem'), join(dir, 'leaf.pem'),
    ])
    t.match(stdout, 'leaf.pem: OK')
    const text = (await run('openssl', ['x509', '-in', join(dir, 'leaf.pem'), '-noout', '-text'])).stdout
    t.match(text, /Signature Algorithm: sha256WithRSAEncryption/)
    t.match(text, /Key Usage: critical\n +Digital Signature, Key Encipherment\n/)
    t.match(text, /Authority Key Identifier/)
  }
})

t.test('a client certificate is for a client and for nothing else, by openssl\'s strictest rules', async t => {
  const { certificatePem, chainPem, keyPem } = await issueClientCertificate({ authority, commonName: 'line1', validDays: 7, now })
  const leaf = new X509Certificate(certificatePem)
  t.ok(leaf.verify(caKey))
  t.equal(leaf.subject, 'CN=line1')
  t.ok(leaf.checkPrivateKey(createPrivateKey(keyPem)))
  t.equal(chainPem, certificatePem + authority.certificatePem)
  const dir = t.testdir({ 'ca.pem': authority.certificatePem, 'leaf.pem': certificatePem })
  const verify = (purpose: string) => run('openssl', [
    'verify', '-x509_strict', '-purpose', purpose, '-CAfile', join(dir, 'ca.pem'), join(dir, 'leaf.pem'),
  ])
  t.match((await verify('sslclient')).stdout, 'leaf.pem: OK')
  await t.rejects(verify('sslserver'))
  await t.rejects(issueClientCertificate({ authority, commonName: '', validDays: 1, now }), RangeError)
})

t.test('serial numbers are positive and have 16 bytes', async t => {
  const { certificatePem } = await issueServerCertificate({ authority, hosts: ['a.example'], validDays: 1, now })
  t.match(new X509Certificate(certificatePem).serialNumber, /^[4-7][0-9A-F]{31}$/)
})

t.test('a server certificate ends no later than its authority', async t => {
  const { certificatePem } = await issueServerCertificate({ authority, hosts: ['a.example'], validDays: 397, now })
  t.equal(new X509Certificate(certificatePem).validTo, new X509Certificate(authority.certificatePem).validTo)
})

t.test('an authority made elsewhere can issue, whatever its name and key identifier', async t => {
  const dir = t.testdir({ 'ca.cnf': foreignAuthority })
  await run('openssl', [
    'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '9', '-config', join(dir, 'ca.cnf'),
    '-keyout', join(dir, 'ca.key'), '-out', join(dir, 'ca.pem'),
  ])
  const foreign = {
    certificatePem: await readFile(join(dir, 'ca.pem'), 'utf8'),
    keyPem: await readFile(join(dir, 'ca.key'), 'utf8'),
  }
  const { certificatePem } = await issueServerCertificate({ authority: foreign, hosts: ['a.example'], validDays: 1, now })
  await writeFile(join(dir, 'leaf.pem'), certificatePem)
  const { stdout } = await run('openssl', ['verify', '-x509_strict', '-CAfile', join(dir, 'ca.pem'), join(dir, 'leaf.pem')])
  t.match(stdout, 'leaf.pem: OK')
  t.ok(new X509Certificate(certificatePem).checkIssued(new X509Certificate(foreign.certificatePem)))
})

t.test('an authority that cannot sign is refused', async t => {
  const other = await issueAuthority({ commonName: 'other', validDays: 1, now })
  const issue = async (certificatePem: string, keyPem: string): Promise<unknown> =>
    await issueServerCertificate({ authority: { certificatePem, keyPem }, hosts: ['a.example'], validDays: 1, now })
  await t.rejects(issue(authority.certificatePem, other.keyPem), AuthorityError)
  await t.rejects(issue('no certificate', authority.keyPem), AuthorityError)
  await t.rejects(issue(authority.certificatePem, 'no key'), AuthorityError)
})

t.test('what no certificate can hold is refused', async t => {
  const issue = async (hosts: string[], validDays = 1): Promise<unknown> =>
    await issueServerCertificate({ authority, hosts, validDays, now })
  await t.rejects(issue([]), RangeError)
  await t.rejects(issue(['a.example', 'not a name']), RangeError)
  await t.rejects(issue(['a.example'], 0), RangeError)
  await t.rejects(issue(['a.example'], 1.5), RangeError)
  await t.rejects(issueAuthority({ commonName: '', validDays: 1, now }), RangeError)
  await t.rejects(issueAuthority({ commonName: 'x'.repeat(65), validDays: 1, now }), RangeError)
})

t.test('a host is read in one canonical spelling', async t => {
  const dns = (name: string): object => ({ kind: 'dns', name })
  const ip = (name: string): object => ({ kind: 'ip', name })
  const table: ReadonlyArray<readonly [string, object | undefined]> = [
    ['gateway', dns('gateway')],
    ['GateWay.Example.', dns('gateway.example')],
    ['*.plant.example', dns('*.plant.example')],
    ['xn--bcher-kva.example', dns('xn--bcher-kva.example')],
    ['192.0.2.1', ip('192.0.2.1')],
    ['2001:DB8::0:1', ip('2001:db8::1')],
    ['', undefined],
    ['.', undefined],
    ['a..example', undefined],
    ['-a.example', undefined],
    ['a_b.example', undefined],
    ['bücher.example', undefined],
    ['gateway.example:443', undefined],
    ['https://gateway.example', undefined],
    ['[::1]', undefined],
    ['fe80::1%eth0', undefined],
    ['192.0.2.256', undefined],
    ['10.1', undefined],
    ['*', undefined],
    ['*.example', undefined],
    ['a.*.example', undefined],
    [`${'a'.repeat(64)}.example`, undefined],
    [`${'a.'.repeat(124)}example`, undefined],
  ]
  for (const [text, expected] of table) t.strictSame(parseCertificateHost(text), expected, JSON.stringify(text))
})

t.test('issuing takes the time from its caller', async t => {
  const past = new Date(now.getTime() - 100 * dayMs)
  const { certificatePem } = await issueAuthority({ commonName: 'old', validDays: 10, now: past })
  t.ok(new Date(new X509Certificate(certificatePem).validTo) < now)
})
