import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { formatSubject } from '../../../src/tls/subject.ts'
import { createOpensslAuthority } from '../../support/openssl-authority.ts'

const authority = createOpensslAuthority(t)

function format (subject: string): string {
  return formatSubject(new X509Certificate(authority.issueForAll({ subject }).cert))
}

t.test('a subject is one line, the other way round than it is encoded, as RFC 4514 has it', async (t) => {
  t.equal(format('/C=DE/O=Contoso/OU=Plant 7/CN=line1'), 'CN=line1,OU=Plant 7,O=Contoso,C=DE')
  t.equal(format('/O=Contoso, Inc./CN=a\\+b'), 'CN=a\\+b,O=Contoso\\, Inc.')
  t.equal(format('/CN= lead and trail '), 'CN=\\ lead and trail\\ ')
  t.equal(format('/CN=#1'), 'CN=\\#1')
})

t.test('nothing but printable ASCII comes out, whatever went in', async (t) => {
  t.equal(format('/CN=Werk Süd'), 'CN=Werk S\\C3\\BCd')
  t.equal(format('/CN=a\nb\x1b[31m'), 'CN=a\\0Ab\\1B[31m')
  t.equal(format('/CN=\u202egnp'), 'CN=\\E2\\80\\AEgnp')
  t.equal(format('/CN=\u{1f600}'), 'CN=\\F0\\9F\\98\\80')
})

t.test('a long subject is cut', async (t) => {
  const units = Array.from({ length: 10 }, (_, index) => `/OU=${String(index).repeat(60)}`).join('')
  const text = format(`${units}/CN=a`)
  t.equal(text.length, 256)
  t.match(text, /^CN=a,OU=9+,.*\.\.\.$/)
})

t.test('a certificate without a subject is called by its alternative names', async (t) => {
  t.equal(formatSubject(new X509Certificate(authority.issueServer(['a.example'], { subject: '/' }).cert)), 'DNS:a.example, IP Address:127.0.0.1')
  t.equal(format('/'), '')
})
