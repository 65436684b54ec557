import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { knownHostName } from '../../../src/net/host-name.ts'
import { createServerNames, listDnsNames } from '../../../src/tls/server-names.ts'
import { createOpensslAuthority } from '../../support/openssl-authority.ts'

const authority = createOpensslAuthority(t)

function listNames (...names: string[]): readonly string[] {
  return listDnsNames(new X509Certificate(authority.issueServer(names).cert))
}

t.test('a certificate is for its alternative names, in canonical form, and for nothing else', async (t) => {
  t.same(listNames('gateway.example', '*.plant.example'), ['gateway.example', '*.plant.example'])
  t.same(listNames('GateWay.Example'), ['gateway.example'])
  const { cert } = authority.issueServer(['a.example'], { subject: '/CN=b.example' })
  t.same(listDnsNames(new X509Certificate(cert)), ['a.example'], 'its subject does not count')
  t.same(listDnsNames(new X509Certificate(authority.issueClient().cert)), [], 'nor one without alternative names')
})

t.test('what is no host name is left out, however it is written', async (t) => {
  for (const name of ['a_b.example', 'w*.example', '*', '*.*.example', 'a b', '192.0.2.1', 'a, DNS:b.example']) {
    t.same(listNames(name, 'good.example'), ['good.example'], name)
  }
})

t.test('the name itself is found before a wildcard for it, and a wildcard stands for one label', async (t) => {
  const names = createServerNames([
    { names: ['*.plant.example'] },
    { names: ['line1.plant.example', 'gateway.example'] },
    { names: ['*.gateway.example', 'gateway.example'] },
  ])
  const table: ReadonlyArray<readonly [string, number | undefined]> = [
    ['line1.plant.example', 1],
    ['line2.plant.example', 0],
    ['plant.example', undefined],
    ['a.line2.plant.example', undefined],
    ['gateway.example', 1],
    ['a.gateway.example', 2],
    ['example', undefined],
    ['localhost', undefined],
  ]
  for (const [name, expected] of table) t.equal(names.find(knownHostName(name)), expected, name)
})
