import t from 'tap'
import { LookupError } from '../../../src/dns/names.ts'
import { canonicalHostName } from '../../../src/net/host-name.ts'
import { DialError, type FailedOutcome } from '../../../src/proxy/dial.ts'
import { ExchangeError, type ExchangeFailure } from '../../../src/proxy/exchange.ts'
import { TunnelFailure, describeFailure } from '../../../src/proxy/failure.ts'
import { type Reason, refuse } from '../../../src/refusal/reasons.ts'

const target = 'contoso.azurecr.io:443'

function describeLookup (outcome: LookupError['outcome']): TunnelFailure {
  const host = canonicalHostName('contoso.azurecr.io')
  if (host === undefined) throw new TypeError('not a host name')
  return describeFailure(new LookupError(host, outcome), target)
}

t.test('a failed look-up is told by what the name servers said', async (t) => {
  const table: Record<LookupError['outcome'], readonly [reason: Reason, detail: string]> = {
    timeout: ['dns_timeout', 'the name servers did not answer for contoso.azurecr.io'],
    no_such_name: ['dns_failed', 'there is no such name as contoso.azurecr.io'],
    no_addresses: ['dns_failed', 'contoso.azurecr.io has no address'],
    server_failure: ['dns_failed', 'the name servers could not resolve contoso.azurecr.io (server_failure)'],
    refused: ['dns_failed', 'the name servers could not resolve contoso.azurecr.io (refused)'],
    failed: ['dns_failed', 'the name servers could not resolve contoso.azurecr.io (failed)'],
  }
  for (const [outcome, [reason, detail]] of Object.entries(table)) {
    const failure = describeLookup(outcome as LookupError['outcome'])
    t.same([failure.refusal.reason, failure.refusal.detail], [reason, detail], outcome)
    t.ok(failure.cause instanceof LookupError)
  }
})

t.test('a failed connection is told by how the attempts ended', async (t) => {
  const table: Record<FailedOutcome, readonly [reason: Reason, detail: string]> = {
    refused: ['connect_refused', 'contoso.azurecr.io:443 refused the connection'],
    timeout: ['connect_timeout', 'no connection to contoso.azurecr.io:443 within tunnel.connectTimeout'],
    unreachable: ['connect_unreachable', 'there is no way to contoso.azurecr.io:443 from the gateway'],
    exhausted: ['tunnel_limit', 'the gateway has no descriptors, ports or memory left for a connection'],
  }
  for (const [outcome, [reason, detail]] of Object.entries(table)) {
    const cause = new DialError(outcome as FailedOutcome)
    const failure = describeFailure(cause, target)
    t.same([failure.refusal.reason, failure.refusal.detail], [reason, detail], outcome)
    t.equal(failure.refusal.retryAfterSeconds, outcome === 'exhausted' ? 5 : undefined, outcome)
    t.equal(failure.cause, cause)
  }
})

const exchangeReasons: Record<ExchangeFailure, Reason> = {
  failed: 'answer_failed', timeout: 'answer_timeout', too_large: 'answer_too_large',
}

t.test('a failed exchange is told by what was wrong with the answer', async (t) => {
  for (const [outcome, reason] of Object.entries(exchangeReasons)) {
    const cause = new ExchangeError(outcome as ExchangeFailure)
    const failure = describeFailure(cause, 'crl3.digicert.com:80')
    t.equal(failure.refusal.reason, reason)
    t.match(failure.refusal.detail, /crl3\.digicert\.com:80/)
    t.equal(failure.cause, cause)
  }
})

t.test('a refusal that was thrown is passed on as it is', async (t) => {
  const failure = new TunnelFailure(refuse('tunnel_limit', 'full', 'Try again.'))
  t.equal(describeFailure(failure, target), failure)
})

t.test('whatever else is thrown is a bug: the client learns no more than that, and the cause is kept for the log', async (t) => {
  for (const thrown of [new TypeError('secret of the inside'), 'secret of the inside', undefined]) {
    const failure = describeFailure(thrown, target)
    t.equal(failure.refusal.reason, 'internal')
    t.notMatch(JSON.stringify(failure.refusal), /secret/)
    t.equal(failure.cause, thrown)
  }
})

t.test('every hint is a sentence that says what to do', async (t) => {
  const failures = [
    ...(['timeout', 'no_such_name', 'no_addresses', 'server_failure', 'refused', 'failed'] as const).map(describeLookup),
    ...(['refused', 'timeout', 'unreachable', 'exhausted'] as const).map((outcome) => describeFailure(new DialError(outcome), target)),
    ...Object.keys(exchangeReasons).map((outcome) => {
      return describeFailure(new ExchangeError(outcome as ExchangeFailure), target)
    }),
    describeFailure(new Error('a bug'), target),
  ]
  for (const { refusal } of failures) t.match(refusal.hint, /^(?:Look|Check|Try|See) [\x20-\x7e]+\.$/)
})
