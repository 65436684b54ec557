import { rootCertificates } from 'node:tls'
import t from 'tap'
import { readCertificateFile, readTrustStore } from '../../../src/host/trust-store.ts'
import { issueAuthority } from '../../../src/tls/certificates.ts'

const options = { validDays: 1, now: new Date() }
const first = (await issueAuthority({ commonName: 'first', ...options })).certificatePem.trim()
const second = (await issueAuthority({ commonName: 'second', ...options })).certificatePem.trim()
const folder = t.testdir({
  'both.pem': `# first\n${first}\n# second\n${second}\n`,
  'second.pem': second,
  'broken.pem': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  'empty.pem': '',
})

t.test('SSL_CERT_FILE counts before the files of the system, and all that is in it', async (t) => {
  const read = await readTrustStore({ certFile: `${folder}/both.pem`, systemFiles: [`${folder}/second.pem`] })
  t.same(read, { ok: true, store: { certificates: [first, second], source: `${folder}/both.pem` } })
})

t.test('the first file of the system that can be used counts, and without one what Node.js brings', async (t) => {
  const systemFiles = ['none.pem', 'empty.pem', 'broken.pem', 'second.pem', 'both.pem'].map((name) => `${folder}/${name}`)
  t.same(await readTrustStore({ systemFiles }), { ok: true, store: { certificates: [second], source: `${folder}/second.pem` } })
  t.same(await readTrustStore({ certFile: '', systemFiles: [] }), { ok: true, store: { certificates: rootCertificates, source: 'Node.js' } })
})

t.test('a file that is named and cannot be used is told of', async (t) => {
  t.match(await readTrustStore({ certFile: `${folder}/none.pem` }), { ok: false, message: /^does not exist; / })
  for (const name of ['broken.pem', 'empty.pem']) {
    t.match(await readCertificateFile(`${folder}/${name}`), { ok: false, message: /^holds no certificate; name a file in PEM form/ })
  }
})
