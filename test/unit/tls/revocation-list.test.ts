import { execFile } from 'node:child_process'
import { createPublicKey, X509Certificate } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { parseRevocationList } from '../../../src/tls/revocation-list.ts'
import { createOpensslAuthority } from '../../support/openssl-authority.ts'

const run = promisify(execFile)
const dayMs = 86_400_000
const authority = createOpensslAuthority(t)
const other = createOpensslAuthority(t)
authority.revoke(authority.issueClient())
const pem = authority.issueList({ from: -2, to: 7 })
const keyOf = (certificate: string) => new X509Certificate(certificate).publicKey

t.test('a list says from when to when it counts, and by whom it is', async (t) => {
  const list = parseRevocationList(pem)
  t.ok(Math.abs((list?.thisUpdate ?? 0) - (Date.now() - 2 * dayMs)) < 60_000)
  t.ok(Math.abs((list?.nextUpdate ?? 0) - (Date.now() + 7 * dayMs)) < 60_000)
  t.equal(list?.isSignedBy(keyOf(authority.cert)), true)
  t.equal(list?.isSignedBy(keyOf(other.cert)), false)
})

t.test('a list without entries is one, too', async (t) => {
  t.equal(parseRevocationList(other.issueList())?.isSignedBy(keyOf(other.cert)), true)
})

t.test('a time beyond 2049 is read', async (t) => {
  const days = Math.ceil((Date.parse('2051-02-03T04:05:06Z') - Date.now()) / dayMs)
  const nextUpdate = parseRevocationList(other.issueList({ to: days }))?.nextUpdate ?? 0
  t.equal(new Date(nextUpdate).getUTCFullYear(), 2051)
})

t.test('a list is known by each kind of key that signs lists', async (t) => {
  const kinds: ReadonlyArray<readonly [name: string, key: readonly string[], more?: readonly string[]]> = [
    ['rsa', ['-algorithm', 'rsa']],
    ['rsa, sha512', ['-algorithm', 'rsa'], ['-md', 'sha512']],
    ['rsa, pss padding', ['-algorithm', 'rsa'], ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:digest']],
    ['rsa-pss', ['-algorithm', 'rsa-pss']],
    ['ec, sha384', ['-algorithm', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp384r1'], ['-md', 'sha384']],
    ['ed25519', ['-algorithm', 'ed25519']],
    ['ed448', ['-algorithm', 'ed448']],
  ]
  for (const [name, keyWords, more = []] of kinds) {
    const folder = t.testdir({ 'index.txt': '' })
    const file = (end: string) => join(folder, end)
    await writeFile(file('ca.cnf'), `[ca]\ndefault_ca=own\n[own]\ndatabase=${file('index.txt')}\ndefault_md=default\ndefault_crl_days=1\n`)
    await run('openssl', ['genpkey', ...keyWords, '-out', file('ca.key')])
    await run('openssl', ['req', '-x509', '-key', file('ca.key'), '-subj', '/CN=a', '-days', '9', '-out', file('ca.crt')])
    const { stdout } = await run('openssl', ['ca', '-config', file('ca.cnf'), '-gencrl', '-cert', file('ca.crt'), '-keyfile', file('ca.key'), ...more])
    const list = parseRevocationList(stdout)
    t.equal(list?.isSignedBy(createPublicKey(await readFile(file('ca.crt')))), true, name)
    t.equal(list?.isSignedBy(keyOf(authority.cert)), false, name)
  }
})

t.test('a list that was changed is nobody\'s', async (t) => {
  const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64')
  // A byte of the revoked certificate's number.
  der[150] = (der[150] ?? 0) ^ 1
  const changed = `-----BEGIN X509 CRL-----\n${der.toString('base64')}\n-----END X509 CRL-----`
  t.equal(parseRevocationList(changed)?.isSignedBy(keyOf(authority.cert)), false)
})

t.test('what is no list is none, whatever it is', async (t) => {
  const wrap = (der: Uint8Array) => `-----BEGIN X509 CRL-----\n${Buffer.from(der).toString('base64')}\n-----END X509 CRL-----`
  t.equal(parseRevocationList(authority.cert), undefined, 'a certificate')
  const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64')
  for (let length = 0; length < der.length; length++) {
    if (parseRevocationList(wrap(der.subarray(0, length))) !== undefined) t.fail(`cut at ${length}`)
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => parseRevocationList(wrap(bytes)) === undefined))
  fc.assert(fc.property(fc.nat(der.length - 1), fc.nat(255), (at, byte) => {
    const damaged = Buffer.from(der)
    damaged[at] = byte
    parseRevocationList(wrap(damaged))?.isSignedBy(keyOf(authority.cert))
  }), { numRuns: 1000 })
})
