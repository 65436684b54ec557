import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import t, { type Test } from 'tap'
import { type TlsFilesReading, readTlsFiles } from '../../../src/tls/tls-files.ts'
import { type IssuedPair, createOpensslAuthority } from '../../support/openssl-authority.ts'

const dayMs = 86_400_000
const root = createOpensslAuthority(t, { subject: '/CN=root', to: 400 })
const intermediate = root.issueAuthority({ subject: '/CN=plant', to: 300 })
const stranger = createOpensslAuthority(t, { subject: '/CN=stranger' })
const server = root.issueServer(['gateway.example', '*.plant.example'], { to: 200 })
const both = root.cert + intermediate.cert
const lists = root.issueList() + intermediate.issueList()

interface Written {
  readonly pairs?: readonly IssuedPair[]
  readonly ca?: string | Uint8Array
  readonly crl?: string | Uint8Array
  /** Days from now. */
  readonly at?: number
}

/** Writes the files, and reads them. */
async function read (t: Test, { pairs = [server], ca, crl, at = 0 }: Written): Promise<TlsFilesReading> {
  const folder = t.testdir({})
  const file = (name: string) => join(folder, name)
  for (const [index, { cert, key }] of pairs.entries()) {
    await writeFile(file(`${index}.crt`), cert)
    await writeFile(file(`${index}.key`), key)
    await chmod(file(`${index}.key`), 0o600)
  }
  if (ca !== undefined) await writeFile(file('ca.crt'), ca)
  if (crl !== undefined) await writeFile(file('ca.crl'), crl)
  const reading = await readTlsFiles({
    pairs: pairs.map((_, index) => ({ certFile: file(`${index}.crt`), keyFile: file(`${index}.key`) })),
    clientCaFile: ca === undefined ? undefined : file('ca.crt'),
    clientCrlFile: crl === undefined ? undefined : file('ca.crl'),
  }, Date.now() + at * dayMs)
  return JSON.parse(JSON.stringify(reading).replaceAll(`${folder}/`, '')) as TlsFilesReading
}

/** Each as `key: message`. */
async function listProblems (t: Test, written: Written): Promise<string[]> {
  const { files, problems } = await read(t, written)
  t.equal(files, undefined, 'nothing is served with')
  return problems.map(({ path, message }) => `${path.join('.')}: ${message}`)
}

async function listWarnings (t: Test, written: Written): Promise<string[]> {
  const { files, warnings } = await read(t, written)
  t.not(files, undefined, 'it is served with all the same')
  return warnings.map(({ path, message }) => `${path.join('.')}: ${message}`)
}

t.test('all files are read, and each is watched', async (t) => {
  const other = root.issueServer(['other.example'], { to: 100 })
  const reading = await read(t, { pairs: [server, other], ca: both, crl: lists })
  t.same(reading.problems, [])
  t.same(reading.warnings, [])
  t.match(reading.files, {
    pairs: [
      { certFile: '0.crt', keyFile: '0.key', certificatePem: server.cert, keyPem: server.key, names: ['gateway.example', '*.plant.example'] },
      { certFile: '1.crt', keyFile: '1.key', names: ['other.example'] },
    ],
    clientAuthorities: { caFile: 'ca.crt', revocation: { crlFile: 'ca.crl', crlPems: { length: 2 } } },
  })
  const { pairs = [], clientAuthorities, watched = [] } = reading.files ?? {}
  const inDays = (time = 0) => Math.round((time - Date.now()) / dayMs)
  t.same(pairs.map(({ expiresAt }) => inDays(expiresAt)), [200, 100])
  t.equal(inDays(clientAuthorities?.expiresAt), 300, 'the first of the authorities to expire')
  t.equal(inDays(clientAuthorities?.revocation?.expiresAt), 30)
  t.same(watched.map(({ file }) => file).sort(), ['0.crt', '0.key', '1.crt', '1.key', 'ca.crl', 'ca.crt'])
})

t.test('what stands around the certificates in a file of authorities is not taken for one', async (t) => {
  const { files } = await read(t, { ca: `Bag Attributes\n  friendlyName: x\n${both}${root.key}` })
  t.equal(files?.clientAuthorities?.caPem.includes('KEY'), false)
  t.equal(files?.clientAuthorities?.caPem.split('BEGIN').length, 3)
})

t.test('everything that is wrong is said at once', async (t) => {
  t.match(await listProblems(t, { pairs: [server, { cert: server.cert, key: 'x' }], ca: 'x', crl: 'x' }), [
    /^furtherCertificates\.0\.keyFile: the file holds no private key/,
    /^clientCaFile: the file holds no certificate in PEM form; write/,
    /^clientCrlFile: the file holds no revocation list in PEM form; write/,
  ])
})

t.test('a certificate that no client would be shown is refused', async (t) => {
  const twin = root.issueServer(['new.example', '*.plant.example'])
  t.match(await listProblems(t, { pairs: [server, twin] }), [
    /^furtherCertificates\.0\.certFile: the certificate is for \*\.plant\.example, as that of 0\.crt is; write each/,
  ])
  t.match(await listProblems(t, { pairs: [server, root.issueClient()] }), [
    /^furtherCertificates\.0\.certFile: the certificate has no DNS name, .*; write/,
  ])
  t.match(await read(t, { pairs: [root.issueServer([])] }), { files: {} }, 'the first one needs no name')
})

t.test('a file in the binary form of Windows is told with the command that turns it', async (t) => {
  const der = (pem: string) => Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64')
  t.match(await listProblems(t, { ca: der(root.cert), crl: der(root.issueList()) }), [
    'clientCaFile: ca.crt is not in PEM form; if it is DER, write it as PEM: openssl x509 -inform DER -in ca.crt -out FILE',
    'clientCrlFile: ca.crl is not in PEM form; if it is DER, write it as PEM: openssl crl -inform DER -in ca.crl -out FILE',
  ])
})

t.test('a file of authorities that would let nobody in, or the wrong ones, is refused', async (t) => {
  t.match(await listProblems(t, { ca: root.cert + root.issueClient({ subject: '/CN=line1' }).cert }), [
    /^clientCaFile: the file holds a certificate that is no authority's, CN=line1; write/,
  ])
  t.match(await listProblems(t, { ca: intermediate.cert }), [/^clientCaFile: the authority CN=plant stands without the one that issued it; add/])
  const cut = both.slice(0, -100)
  t.match(await listProblems(t, { ca: both.replace(/\n[A-Za-z0-9+/]{64}\n/, '\n') }), [/^clientCaFile: a certificate in the file is damaged; copy/])
  t.match(await listProblems(t, { ca: cut }), [/^clientCaFile: a certificate in the file is damaged; copy/])
})

t.test('a revocation list that is another\'s, missing or damaged is refused', async (t) => {
  t.match(await listProblems(t, { ca: root.cert, crl: root.issueList() + stranger.issueList() }), [
    /^clientCrlFile: the file holds a revocation list that no authority in clientCaFile has signed; write/,
  ])
  t.match(await listProblems(t, { ca: both, crl: intermediate.issueList() }), [
    /^clientCrlFile: there is no revocation list of CN=root, without which its clients are all refused; add/,
  ])
  t.match(await listProblems(t, { ca: root.cert, crl: stranger.issueList() }), [/no authority in clientCaFile has signed/, /no revocation list of CN=root/])
  t.match(await listProblems(t, { ca: root.cert, crl: lists.slice(0, -60) }), [/^clientCrlFile: a revocation list in the file is damaged; fetch/])
  const damaged = root.issueList().replace(/\n[A-Za-z0-9+/]{64}\n/, '\n')
  t.match(await listProblems(t, { ca: root.cert, crl: damaged }), [/^clientCrlFile: a revocation list in the file is damaged; fetch/])
})

t.test('dates are warnings', async (t) => {
  const year = `${new Date().getUTCFullYear()}`.slice(0, 2)
  t.match(await listWarnings(t, { ca: both, crl: lists, at: 31 }), [new RegExp(`^clientCrlFile: a revocation list was to be renewed by ${year}.*, and its clients are refused until it is; put a new`), /renewed by/])
  t.match(await listWarnings(t, { ca: both, at: 280 }), [/^certFile: the certificate expired on/, /^clientCaFile: the authority CN=plant expires on .*, in (19|20) days; put a new one/])
  t.match(await listWarnings(t, { ca: both, at: -2 }), [
    /^certFile: the certificate is not valid before/, /^clientCaFile: the authority CN=root is not valid before .*; see that the clock/, /CN=plant is not valid/,
  ])
  t.match(await listWarnings(t, { ca: root.cert, crl: root.issueList(), at: -2 }), [
    /certFile/, /clientCaFile/, /^clientCrlFile: a revocation list is not valid before .*; see that the clock/,
  ])
})

t.test('of several lists of one authority the one that counts the longest is looked at', async (t) => {
  const crl = root.issueList({ from: -20, to: -10 }) + root.issueList({ to: 50 }) + root.issueList({ from: -5, to: 5 })
  const { files, warnings } = await read(t, { ca: root.cert, crl })
  t.same(warnings, [])
  const { expiresAt = 0, crlPems } = files?.clientAuthorities?.revocation ?? {}
  t.equal(Math.round((expiresAt - Date.now()) / dayMs), 50)
  t.equal(crlPems?.length, 3)
})

t.test('a public authority is a warning, for anybody can have a certificate from it', async (t) => {
  const [open = ''] = rootCertificates
  const warnings = await listWarnings(t, { ca: root.cert + open })
  t.match(warnings.at(-1), /^clientCaFile: .+ is a public authority, from which anybody can have a certificate; write/)
})
