import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { hasDateProblem, judgeCertificate } from '../../../src/doctor/certificate.ts'
import { issueAuthority, issueServerCertificate } from '../../../src/tls/certificates.ts'
import { azure } from '../../support/doctor-world.ts'

const host = 'contoso.azurecr.io'
const now = Date.now()
const trustSource = 'the store'
const dayMs = 86_400_000

async function issueLeaf (authority = azure): Promise<X509Certificate> {
  const issued = await issueServerCertificate({ authority, hosts: [host], validDays: 30, now: new Date(now) })
  return new X509Certificate(issued.certificatePem)
}

const leaf = await issueLeaf()
const old = await issueAuthority({ commonName: 'old root', validDays: 30, now: new Date(now - 60 * dayMs) })
const oldRoot = new X509Certificate(old.certificatePem)

t.test('an outdated authority that is sent along is no matter when there is another way up', async (t) => {
  const presented = { chain: [leaf, oldRoot], problem: '', host }
  t.equal(hasDateProblem(presented, now), false)
  t.match(judgeCertificate(presented, { trustSource, now }), { kind: 'good' })
})

t.test('when there is none it is the outdated authority that is named', async (t) => {
  const presented = { chain: [leaf, oldRoot], problem: 'CERT_HAS_EXPIRED', host }
  t.match(judgeCertificate(presented, { trustSource, now, serverNow: now }), {
    kind: 'bad', advice: { found: /^the certificate has expired \(valid from .*issued by old root; / },
  })
  const unseen = { chain: [leaf], problem: 'CERT_HAS_EXPIRED', host }
  t.match(judgeCertificate(unseen, { trustSource, now, serverNow: now }), {
    kind: 'bad', advice: { found: /^an authority of the certificate is outdated; / },
  })
})

t.test('a server that does not say its time leaves the clock in doubt', async (t) => {
  const presented = { chain: [leaf], problem: '', host }
  t.match(judgeCertificate(presented, { trustSource, now: now + 60 * dayMs }), {
    kind: 'bad', advice: { found: /this machine's clock says \S+Z$/, toDo: /^See first that this machine's clock is right/ },
  })
})

t.test('only an organization counts for Azure\'s, and not a name that anybody can give himself', async (t) => {
  for (const [organization, kind] of [['DigiCert Inc', 'good'], ['Microsofty', 'strange'], ['Corp', 'strange'], [undefined, 'strange']] as const) {
    const authority = await issueAuthority({
      commonName: 'Microsoft Azure RSA TLS Issuing CA 03', validDays: 90, now: new Date(now), ...organization === undefined ? {} : { organization },
    })
    const presented = { chain: [await issueLeaf(authority)], problem: '', host }
    t.match(judgeCertificate(presented, { trustSource, now }), { kind }, `of ${organization}`)
  }
})
