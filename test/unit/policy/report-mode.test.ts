import t from 'tap'
import { policyOver, readAddress } from './sources.ts'

const contoso = { loginServer: 'contoso.azurecr.io', regions: ['eastus'], privateEndpoints: ['10.1.2.0/24'] }
const policy = policyOver([contoso], [], { hostMode: 'report', bundles: ['revocation'] })

t.test('in report mode an unlisted host is let through at port 443, with the reason why it would not be', async (t) => {
  const table: ReadonlyArray<readonly [host: string, reason: string]> = [
    ['evil.example', 'host_not_allowed'],
    ['weumanaged15.blob.core.windows.net', 'storage_not_enabled'],
    ['contoso.westus.data.azurecr.io', 'region_not_configured'],
    ['contoso.eastus.geo.azurecr.io', 'regional_not_enabled'],
  ]
  for (const [host, reason] of table) {
    const decision = policy.decideTarget(`${host}:443`)
    t.match(decision, {
      allow: true,
      authority: { host, port: 443 },
      reported: { reason },
      rule: { class: 'unlisted', registry: '', region: '', host, source: 'policy.mode' },
    })
  }
  const listed = policy.decideTarget('contoso.azurecr.io:443')
  t.equal(listed.allow && listed.reported, undefined)
})

t.test('report mode waives no port, no address, no plain HTTP and no client', async (t) => {
  const refused: ReadonlyArray<readonly [target: string, reason: string]> = [
    ['evil.example:80', 'port_not_allowed'],
    ['evil.example:22', 'port_not_allowed'],
    ['contoso.azurecr.io:8443', 'port_not_allowed'],
    ['crl3.digicert.com:443', 'port_not_allowed'],
    ['10.0.0.1:443', 'ip_literal_not_allowed'],
    ['[::1]:443', 'ip_literal_not_allowed'],
    ['0x7f.1:443', 'ip_literal_not_allowed'],
    ['evil.example', 'bad_request'],
  ]
  for (const [target, reason] of refused) {
    const decision = policy.decideTarget(target)
    t.equal(decision.allow ? 'allowed' : decision.refusal.reason, reason, target)
  }
  const plain = policy.decidePlain('http://evil.example/')
  t.equal(plain.allow ? 'allowed' : plain.refusal.reason, 'method_not_allowed')
  const client = policy.decideClient(readAddress('11.0.0.1'))
  t.notOk(client.allow)
  const unlisted = policy.decideTarget('evil.example:443')
  if (!unlisted.allow) throw new TypeError('refused')
  for (const address of ['127.0.0.1', '169.254.169.254', '10.1.2.3', '::1', 'fd00::1', '::ffff:10.0.0.1']) {
    const decision = policy.decideAddress(unlisted.rule, readAddress(address))
    t.equal(decision.allow ? 'allowed' : decision.refusal.reason, 'address_prohibited', address)
  }
  t.ok(policy.decideAddress(unlisted.rule, readAddress('20.1.2.3')).allow)
})
