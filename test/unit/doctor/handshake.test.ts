import { createServer } from 'node:net'
import { createSecureContext } from 'node:tls'
import t from 'tap'
import { labNames } from '../../../src/lab/lab.ts'
import { listenOnLoopback } from '../../../src/lab/loopback.ts'
import { issueAuthority } from '../../../src/tls/certificates.ts'
import { azure, expectOneFailure, startWorld } from '../../support/doctor-world.ts'
import { startUpstream } from '../../support/upstream.ts'

const { loginServer, dataEndpoint } = labNames
const dayMs = 86_400_000
const corporate = await issueAuthority({
  commonName: 'Inspection CA 3', organization: 'Corp Security', validDays: 365, now: new Date(),
})
const corporateAndAzure = createSecureContext({ ca: [corporate.certificatePem, azure.certificatePem] })

t.test('TLS replaced by an authority that is not trusted fails, and is named', async (t) => {
  const world = await startWorld(t, { authority: corporate })
  expectOneFailure(t, await world.diagnose(), {
    step: 'tls',
    found: /^TLS is replaced on the way: the certificate is from Inspection CA 3 \(Corp Security\), which the store of the test does not trust \(SELF_SIGNED_CERT_IN_CHAIN\)$/,
    toDo: /exempted from TLS inspection; or add that authority to the system's .* try with --ca FILE\.$/,
  })
})

t.test('TLS replaced by one that is trusted is a warning that names it, and the pull goes on', async (t) => {
  const world = await startWorld(t, { authority: corporate })
  const steps = await world.diagnose({ secureContext: corporateAndAzure })
  t.same(steps.filter(({ status }) => status === 'failed'), [])
  t.match(steps.filter(({ status }) => status === 'warned'), [loginServer, dataEndpoint].map((host) => ({
    step: 'tls', host, found: /from Inspection CA 3 \(Corp Security\), neither Microsoft nor DigiCert, and trusted by the store of the test$/, toDo: /every client trusts that authority/,
  })))
  t.match(steps.at(-1), { step: 'layer', status: 'passed' })
})

t.test('an authority of Azure\'s name that the store does not have is a matter of the store first', async (t) => {
  const world = await startWorld(t)
  const secureContext = createSecureContext({ ca: corporate.certificatePem })
  expectOneFailure(t, await world.diagnose({ secureContext }), {
    step: 'tls', found: /^the certificate says it is from Look-alike TLS Issuing CA 01 \(Microsoft Corporation\), but .* not in the store of the test/, toDo: /ca-certificates/,
  })
})

t.test('an expired certificate fails with its dates, when both clocks say so', async (t) => {
  const world = await startWorld(t, { issuedAt: new Date(Date.now() - 60 * dayMs) })
  expectOneFailure(t, await world.diagnose(), {
    step: 'tls',
    found: /^the certificate has expired \(valid from \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d\), issued by Look-alike.*; this machine's clock says \S+Z, and the server's \S+Z$/,
    toDo: /^If the issuer is neither Microsoft nor DigiCert, tell whoever runs/,
  })
})

t.test('a certificate that is not valid yet fails likewise', async (t) => {
  const world = await startWorld(t, { issuedAt: new Date(Date.now() + 10 * dayMs) })
  expectOneFailure(t, await world.diagnose(), {
    step: 'tls', found: /^the certificate is not valid yet \(valid from /, toDo: /see what answers in the place of/,
  })
})

t.test('a clock that is years wrong is said to be wrong, and not the certificate', async (t) => {
  const world = await startWorld(t)
  for (const days of [-2000, 2000]) {
    expectOneFailure(t, await world.diagnose({ now: () => Date.now() + days * dayMs }), {
      step: 'tls',
      found: /^this machine's clock says \S+Z, the server's \S+Z, at which its certificate is valid: this machine's clock is wrong$/,
      toDo: /^Set the clock \(timedatectl/,
    })
  }
})

t.test('a clock that is minutes wrong is a warning at the challenge', async (t) => {
  const world = await startWorld(t)
  const warned = async (minutes: number): Promise<unknown> => {
    const steps = await world.diagnose({ now: () => Date.now() + minutes * 60_000, image: undefined })
    return steps.filter(({ status }) => status !== 'passed')
  }
  t.match(await warned(7), [{ step: 'challenge', status: 'warned', toDo: /^This machine's clock is 7 minutes ahead of the registry's: set it/ }])
  t.match(await warned(3), [])
})

t.test('the certificate of another name fails with the names that it has', async (t) => {
  const world = await startWorld(t)
  const [data = ''] = world.lab.hosts[dataEndpoint] ?? []
  const other = await startWorld(t, { hosts: { [loginServer]: data } })
  expectOneFailure(t, await other.diagnose(), {
    step: 'tls', found: /^the certificate is for DNS:contoso\.eastus\.data\.azurecr\.io, and not for contoso\.azurecr\.io; /, toDo: /private endpoint of another registry/,
  })
})

t.test('a server that says nothing fails at tls, within its time', async (t) => {
  const { port } = await startUpstream(t)
  const world = await startWorld(t, { hosts: { [loginServer]: `127.0.0.1:${port}` } })
  expectOneFailure(t, await world.diagnose({ stepTimeoutMs: 500 }), {
    step: 'tls', found: /^no TLS handshake within 0\.5 s$/, toDo: /passes nothing on/,
  })
})

t.test('a connection that is cut in the handshake is told from one that speaks no TLS', async (t) => {
  const cutting = await startUpstream(t, (socket) => { socket.once('data', () => socket.resetAndDestroy()) })
  const plain = await startUpstream(t, (socket) => { socket.once('data', () => socket.end('HTTP/1.1 302 Log in\r\n\r\n')) })
  const first = await startWorld(t, { hosts: { [loginServer]: `127.0.0.1:${cutting.port}` } })
  expectOneFailure(t, await first.diagnose(), {
    step: 'tls', found: /^the connection was cut during the TLS handshake$/, toDo: /by the server name/,
  })
  const second = await startWorld(t, { hosts: { [loginServer]: `127.0.0.1:${plain.port}` } })
  expectOneFailure(t, await second.diagnose(), {
    step: 'tls', found: /^what answers does not speak TLS as a registry does \(ERR_SSL_WRONG_VERSION_NUMBER\)$/, toDo: /a portal to log in at/,
  })
})

t.test('a store of nobody and a server that has gone in between are no bugs', async (t) => {
  const closed = await listenOnLoopback(createServer((socket) => socket.destroy()))
  t.teardown(closed.close)
  const world = await startWorld(t, { hosts: { [loginServer]: `127.0.0.1:${closed.port}` } })
  expectOneFailure(t, await world.diagnose(), { step: 'tls', found: /^the connection was cut/, toDo: /./ })
})
