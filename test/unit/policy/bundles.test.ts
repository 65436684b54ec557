import t from 'tap'
import { tagsOf } from '../../support/service-tags.ts'
import type { Policy } from '../../../src/policy/policy.ts'
import { findRule, policyOver, readAddress } from './sources.ts'

const contoso = { loginServer: 'contoso.azurecr.io', regions: ['eastus'] }

/** The path that goes to the host, or the reason why nothing does. */
function judgePlain (policy: Policy, target: string): string {
  const decision = policy.decidePlain(target)
  return decision.allow ? `${decision.authority.host}:${decision.authority.port}${decision.path}` : decision.refusal.reason
}

function judge (policy: Policy, target: string): string {
  const decision = policy.decideTarget(target)
  return decision.allow ? decision.rule.class : decision.refusal.reason
}

t.test('a bundle lets its hosts through by CONNECT at port 443, and the hosts of revocation by plain HTTP only', async (t) => {
  const policy = policyOver([contoso], [], { bundles: ['mcr', 'entra', 'revocation'] })
  const table: ReadonlyArray<readonly [target: string, answer: string]> = [
    ['mcr.microsoft.com:443', 'mcr'],
    ['eastus.data.mcr.microsoft.com:443', 'mcr'],
    ['a.eastus.data.mcr.microsoft.com:443', 'host_not_allowed'],
    ['data.mcr.microsoft.com:443', 'host_not_allowed'],
    ['mcr.microsoft.com:80', 'port_not_allowed'],
    ['login.microsoftonline.com:443', 'entra'],
    ['management.azure.com:443', 'entra'],
    ['login.microsoftonline.us:443', 'host_not_allowed'],
    ['crl3.digicert.com:443', 'port_not_allowed'],
    ['crl3.digicert.com:80', 'port_not_allowed'],
    ['www.microsoft.com:443', 'port_not_allowed'],
  ]
  for (const [target, answer] of table) t.equal(judge(policy, target), answer, target)
  for (const host of ['mcr.microsoft.com', 'login.microsoftonline.com', 'crl3.digicert.com']) {
    t.equal(judge(policyOver([contoso]), `${host}:443`), 'host_not_allowed', `${host} without bundles`)
  }
})

t.test('plain HTTP is carried to the hosts of revocation at port 80, and to nobody else', async (t) => {
  const policy = policyOver([contoso], ['packages.example.com'], { bundles: ['revocation', 'mcr'] })
  const table: ReadonlyArray<readonly [target: string, answer: string]> = [
    ['http://crl3.digicert.com/a//b.crl?x=1', 'crl3.digicert.com:80/a//b.crl?x=1'],
    ['HTTP://CRL3.DigiCert.com.:80', 'crl3.digicert.com:80/'],
    ['http://oneocsp.microsoft.com?x', 'oneocsp.microsoft.com:80/?x'],
    ['http://crl3.digicert.com:8080/', 'port_not_allowed'],
    ['http://crl3.digicert.com:443/', 'port_not_allowed'],
    ['http://x.crl3.digicert.com/', 'method_not_allowed'],
    ['http://digicert.com/', 'method_not_allowed'],
    ['http://contoso.azurecr.io/v2/', 'method_not_allowed'],
    ['http://packages.example.com/', 'method_not_allowed'],
    ['http://mcr.microsoft.com/', 'method_not_allowed'],
    ['http://169.254.169.254/metadata', 'ip_literal_not_allowed'],
    ['http://[::1]/', 'ip_literal_not_allowed'],
    ['http://[::1]:80/', 'ip_literal_not_allowed'],
    ['http://0x7f.1/', 'ip_literal_not_allowed'],
    ['http://user@crl3.digicert.com/', 'bad_request'],
    ['http://crl3.digicert.com@evil.example/', 'bad_request'],
    ['http://crl3.digicert.com:80:80/', 'bad_request'],
    ['http://crl3.digicert.com#/', 'bad_request'],
    ['http://crl3.digicert.com/#x', 'bad_request'],
    ['http://crl3.digicert.com/a b', 'bad_request'],
    ['http://crl3.digicert.com/\r\nX: y', 'bad_request'],
    ['http:///crl3.digicert.com/', 'bad_request'],
    ['http://%63rl3.digicert.com/', 'bad_request'],
    ['http:crl3.digicert.com/', 'method_not_allowed'],
    ['https://crl3.digicert.com/', 'method_not_allowed'],
    ['/a.crl', 'method_not_allowed'],
    ['*', 'method_not_allowed'],
    ['', 'method_not_allowed'],
  ]
  for (const [target, answer] of table) t.equal(judgePlain(policy, target), answer, JSON.stringify(target))
})

t.test('without the bundle, whoever asks for a revocation list is told of it', async (t) => {
  const decision = policyOver([contoso]).decidePlain('http://crl3.digicert.com/a.crl')
  t.match(!decision.allow && decision.refusal, { reason: 'host_not_allowed', hint: /add revocation to bundles/ })
  const stranger = policyOver([contoso]).decidePlain('http://evil.example/')
  t.match(!stranger.allow && stranger.refusal, { reason: 'method_not_allowed', hint: /https:\/\// })
})

t.test('a host that is let through both ways is judged by the rule of each', async (t) => {
  const policy = policyOver([contoso], ['www.microsoft.com'], { bundles: ['revocation'] })
  t.equal(judge(policy, 'www.microsoft.com:443'), 'extra')
  t.equal(judgePlain(policy, 'http://www.microsoft.com/pkiops/crl/x.crl'), 'www.microsoft.com:80/pkiops/crl/x.crl')
})

t.test('the addresses of mcr lie in its tags, and no bundle leads to a private address', async (t) => {
  const serviceTags = tagsOf({
    AzureContainerRegistry: ['20.62.128.0/24'],
    MicrosoftContainerRegistry: ['20.61.0.0/16'],
    'AzureFrontDoor.FirstParty': ['204.79.197.0/24'],
  })
  const policy = policyOver([contoso], [], { bundles: ['mcr', 'entra', 'revocation'], serviceTags })
  const mcr = findRule(policy, 'mcr.microsoft.com')
  t.ok(policy.decideAddress(mcr, readAddress('204.79.197.219')).allow)
  t.ok(policy.decideAddress(mcr, readAddress('20.61.1.1')).allow)
  t.notOk(policy.decideAddress(mcr, readAddress('20.62.128.1')).allow)
  t.ok(policy.decideAddress(findRule(policy, 'login.microsoftonline.com'), readAddress('20.190.128.1')).allow)
  const revocation = policy.rules.find((rule) => rule.class === 'revocation')
  if (revocation === undefined) throw new TypeError('no rule')
  t.ok(policy.decideAddress(revocation, readAddress('192.229.211.108')).allow)
  for (const rule of policy.rules) t.notOk(policy.decideAddress(rule, readAddress('10.0.0.1')).allow, rule.pattern)
})
