import { execFile } from 'node:child_process'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { describeConfiguration } from '../../../src/config/effective.ts'
import { type LoadResult, loadConfiguration } from '../../../src/config/load.ts'
import { formatProblem } from '../../../src/config/problem.ts'
import { issueAuthority, issueServerCertificate } from '../../../src/tls/certificates.ts'
import { createOpensslAuthority } from '../../support/openssl-authority.ts'

const now = new Date()
const dayMs = 86_400_000
const authority = await issueAuthority({ commonName: 'test authority', validDays: 90, now })
const pair = await issueServerCertificate({ authority, hosts: ['gateway.example'], validDays: 60, now })
const other = await issueServerCertificate({ authority, hosts: ['other.example'], validDays: 60, now })

const folder = t.testdir({
  'config.yaml': 'registries: [{loginServer: contoso.azurecr.io, regions: [eastus]}]\nlisten:\n  tls:\n    certFile: tls.crt\n    keyFile: tls.key\n',
  'broken.yaml': 'registries: []\nlisten: {tls: {certFile: absent.crt, keyFile: tls.key}}\n',
  directory: {},
})
const file = join(folder, 'config.yaml')

interface Contents {
  readonly certificate?: string
  readonly key?: string
  readonly keyMode?: number
  readonly at?: Date
}

async function load (contents: Contents): Promise<LoadResult> {
  const { certificate = pair.chainPem, key = pair.keyPem, keyMode = 0o600, at = now } = contents
  await writeFile(join(folder, 'tls.crt'), certificate)
  await writeFile(join(folder, 'tls.key'), key)
  await chmod(join(folder, 'tls.key'), keyMode)
  return await loadConfiguration({ file, now: () => at.getTime() })
}

async function listProblems (contents: Contents): Promise<string[]> {
  const result = await load(contents)
  return result.ok ? [] : result.problems.map((problem) => formatProblem(problem).replace(`${file}:`, ''))
}

async function listWarnings (at: Date): Promise<string[]> {
  const result = await load({ at })
  return result.ok ? result.warnings.map((warning) => formatProblem(warning).replace(`${file}:`, '')) : ['refused']
}

t.test('a certificate and its key are read from beside the configuration file', async (t) => {
  t.match(await load({}), {
    ok: true,
    warnings: [],
    configuration: {
      listen: {
        tls: {
          pairs: [{ certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key'), certificatePem: pair.chainPem, keyPem: pair.keyPem }],
        },
      },
    },
  })
  t.match(await load({ keyMode: 0o440 }), { ok: true }, 'a group may be given the key')
})

t.test('a key that others may use is refused, whatever they may do with it', async (t) => {
  for (const keyMode of [0o644, 0o604, 0o602, 0o601]) {
    const [problem, ...more] = await listProblems({ keyMode })
    t.equal(problem, `5:14: listen.tls.keyFile: others may use the key file; write chmod 600 ${join(folder, 'tls.key')}`)
    t.equal(more.length, 0)
  }
})

t.test('a file of another kind is refused in words', async (t) => {
  t.match(await listProblems({ certificate: 'hello' }), [/^4:15: listen\.tls\.certFile: the file holds no certificate in PEM form; write/])
  t.match(await listProblems({ certificate: pair.keyPem, key: pair.chainPem }), [
    /^4:15: listen\.tls\.certFile: the file holds a key and no certificate; write/,
    /^5:14: listen\.tls\.keyFile: the file holds no private key in PEM form; write/,
  ])
  const damaged = pair.chainPem.replace(/\n[A-Za-z0-9+/]{64}\n/, '\n')
  t.match(await listProblems({ certificate: damaged }), [/certFile: the certificate in the file is damaged; copy it again/])
  t.match(await listProblems({ key: pair.keyPem.replace(/\n[A-Za-z0-9+/]{64}\n/, '\n') }), [/keyFile: the key in the file is damaged; copy/])
})

t.test('a key that is another certificate\'s is refused', async (t) => {
  t.match(await listProblems({ key: other.keyPem }), [/^5:14: listen\.tls\.keyFile: the key is not the certificate's; write/])
})

t.test('a key with a passphrase is refused', async (t) => {
  await writeFile(join(folder, 'plain.key'), pair.keyPem)
  const { stdout } = await promisify(execFile)('openssl', ['pkey', '-in', join(folder, 'plain.key'), '-aes256', '-passout', 'pass:x'])
  const expected = /^5:14: listen\.tls\.keyFile: the key needs a passphrase; write it without one: openssl pkey/
  t.match(await listProblems({ key: stdout }), [expected])
  const older = pair.keyPem.replace('-----\n', '-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n')
  t.match(await listProblems({ key: older }), [expected])
})

t.test('a key too weak for TLS is refused now, and not by the first client', async (t) => {
  const key = join(folder, 'weak.key')
  const { stdout } = await promisify(execFile)('openssl', ['req', '-x509', '-newkey', 'rsa:512', '-nodes', '-keyout', key, '-subj', '/CN=weak', '-days', '60'])
  const weak = await promisify(execFile)('cat', [key])
  t.match(await listProblems({ certificate: stdout, key: weak.stdout }), [/certFile: TLS does not accept the certificate \(ERR_SSL_.*\); make a new one/])
})

t.test('files that are not there are named, with whatever else is wrong', async (t) => {
  const result = await loadConfiguration({ file: join(folder, 'broken.yaml') })
  t.match(result.ok ? [] : result.problems.map(formatProblem), [
    /:1:13: registries: the list is empty/,
    /:2:26: listen\.tls\.certFile: .*absent\.crt does not exist; see that the path is right/,
  ])
  const directory = join(folder, 'directory.yaml')
  await writeFile(directory, 'registries: [{loginServer: contoso.azurecr.io}]\nlisten: {tls: {certFile: directory, keyFile: /dev/zero}}\n')
  const other = await loadConfiguration({ file: directory })
  t.match(other.ok ? [] : other.problems.map(formatProblem), [
    /:2:26: listen\.tls\.certFile: \/.*directory is a directory; /,
    /:2:46: listen\.tls\.keyFile: \/dev\/zero is not an ordinary file; /,
  ])
})

t.test('a certificate at or near its end is a warning', async (t) => {
  const after = (days: number) => new Date(now.getTime() + days * dayMs)
  t.same(await listWarnings(after(29)), [])
  t.match(await listWarnings(after(45)), [/^4:15: listen\.tls\.certFile: the certificate expires on \d{4}-\d\d-\d\d, in 1[45] days; put a new one/])
  t.match(await listWarnings(after(61)), [/^4:15: listen\.tls\.certFile: the certificate expired on \d{4}-\d\d-\d\d; put a new one/])
  t.match(await listWarnings(after(-2)), [/^4:15: listen\.tls\.certFile: the certificate is not valid before .*; see that the clock/])
})

t.test('all of the files are read, and shown as they are named', async (t) => {
  const own = createOpensslAuthority(t)
  const further = own.issueServer(['other.example'])
  const contents = { 'b.crt': further.cert, 'b.key': further.key, 'ca.crt': own.cert, 'ca.crl': own.issueList() }
  for (const [name, text] of Object.entries(contents)) await writeFile(join(folder, name), text, { mode: 0o600 })
  await load({})
  const all = join(folder, 'all.yaml')
  const keys = '{certFile: tls.crt, keyFile: tls.key, furtherCertificates: [{certFile: b.crt, keyFile: b.key}], clientCaFile: ca.crt, clientCrlFile: ca.crl}'
  await writeFile(all, `registries: [{loginServer: contoso.azurecr.io, regions: [eastus]}]\nlisten: {tls: ${keys}}\n`)
  const result = await loadConfiguration({ file: all })
  t.match(result, { ok: true, warnings: [] })
  if (!result.ok) return
  t.match(result.configuration.listen.tls, {
    pairs: [{ names: ['gateway.example'] }, { names: ['other.example'] }],
    clientAuthorities: { caFile: join(folder, 'ca.crt'), revocation: { crlFile: join(folder, 'ca.crl') } },
  })
  t.match(describeConfiguration(result.configuration), {
    listen: {
      tls: {
        certFile: join(folder, 'tls.crt'),
        keyFile: join(folder, 'tls.key'),
        furtherCertificates: [{ certFile: join(folder, 'b.crt'), keyFile: join(folder, 'b.key') }],
        clientCaFile: join(folder, 'ca.crt'),
        clientCrlFile: join(folder, 'ca.crl'),
      },
    },
  })
})

t.test('each problem of each file is said at its place, whatever else is wrong', async (t) => {
  await load({})
  const bad = join(folder, 'bad.yaml')
  const problemsOf = async (listen: string): Promise<string[]> => {
    await writeFile(bad, `registries: [{loginServer: contoso.azurecr.io, regions: [eastus]}]\nlisten:\n${listen}`)
    const result = await loadConfiguration({ file: bad })
    return result.ok ? [] : result.problems.map((problem) => formatProblem(problem).replace(`${bad}:`, ''))
  }
  t.match(await problemsOf([
    '  tls:', '    certFile: tls.crt', '    keyFile: 5', '    furtherCertificates:', '      - {certFile: tls.crt, keyFile: absent.key}',
    '      - {certFile: absent.crt}', '      - tls.crt', '    clientCaFile: tls.key', '    clientCrlFile: [tls.crt]', '',
  ].join('\n')), [
    /^5:14: listen\.tls\.keyFile: expected the path of a file, found the number 5/,
    /^7:38: listen\.tls\.furtherCertificates\[0\]\.keyFile: .*absent\.key does not exist/,
    /^8:9: listen\.tls\.furtherCertificates\[1\]\.keyFile: is missing/,
    /^8:20: listen\.tls\.furtherCertificates\[1\]\.certFile: .*absent\.crt does not exist/,
    /^9:9: listen\.tls\.furtherCertificates\[2\]: expected a map/,
    /^10:19: listen\.tls\.clientCaFile: the file holds no certificate in PEM form/,
    /^11:20: listen\.tls\.clientCrlFile: expected the path of a file, found a list/,
  ])
  t.match(await problemsOf('  tls: {certFile: tls.crt, keyFile: tls.key, clientCrlFile: tls.crt}\n'), [
    /^3:46: listen\.tls\.clientCrlFile: has no effect without the authority/, /clientCrlFile: the file holds no revocation list/,
  ])
})

t.test('TLS without a CONNECT beside certificates of clients is a warning, since it lets nobody in', async (t) => {
  await load({})
  await writeFile(join(folder, 'ca.crt'), createOpensslAuthority(t).cert)
  const both = join(folder, 'both.yaml')
  await writeFile(both, 'registries: [{loginServer: contoso.azurecr.io, regions: [eastus]}]\n' +
    'listen: {transparent: true, tls: {certFile: tls.crt, keyFile: tls.key, clientCaFile: ca.crt}}\n')
  const result = await loadConfiguration({ file: both })
  t.match(result.ok ? result.warnings.map(formatProblem) : [], [/:2:23: listen\.transparent: lets nobody in while certificates are asked for, .*; drop it/])
})

t.test('what a certificate is called cannot harm a terminal', async (t) => {
  await load({})
  const evil = createOpensslAuthority(t).issueClient({ subject: '/CN=\x1b[31m\u202eevil' })
  await writeFile(join(folder, 'ca.crt'), evil.cert)
  const bad = join(folder, 'evil.yaml')
  await writeFile(bad, 'registries: [{loginServer: contoso.azurecr.io}]\nlisten: {tls: {certFile: tls.crt, keyFile: tls.key, clientCaFile: ca.crt}}\n')
  const result = await loadConfiguration({ file: bad })
  t.match(result.ok ? '' : formatProblem(result.problems[0] ?? { key: '', message: '' }), /no authority's, CN=\\1B\[31m\\E2\\80\\AEevil; write/)
})
