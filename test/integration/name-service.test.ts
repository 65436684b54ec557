import t, { type Test } from 'tap'
import { type NameAnswer, startNameServer } from '../../src/lab/name-server.ts'
import { parseAnswer, writeConnect } from '../support/answer.ts'
import { type TestGateway, startGateway } from '../support/gateway.ts'
import { connectRaw } from '../support/raw-client.ts'

const host = 'contoso.azurecr.io'
const hint = /^(?:Look|Check) .+\.$/

/** A gateway that asks these name servers. */
async function startAsking (t: Test, servers: readonly string[], more = ''): Promise<TestGateway> {
  return await startGateway(t, `
registries: [{ loginServer: ${host}, regions: [eastus] }]
dns: { servers: ${JSON.stringify(servers)} }
${more}
`)
}

async function startNames (t: Test, answer: NameAnswer): Promise<string> {
  const server = await startNameServer({ answers: () => answer })
  t.teardown(() => server.close())
  return `${server.address}:${server.port}`
}

async function startSilentNames (t: Test): Promise<readonly string[]> {
  return await Promise.all([1, 2, 3].map(() => startNames(t, { silent: true })))
}

t.test('a name that does not resolve is refused and explained in the same words', async (t) => {
  const table = [
    [[await startNames(t, { rcode: 'NXDOMAIN' })], 'dns_failed', `there is no such name as ${host}`],
    [[await startNames(t, { addresses: [] })], 'dns_failed', `${host} has no address`],
    [[await startNames(t, { rcode: 'SERVFAIL' })], 'dns_failed', `the name servers could not resolve ${host} (server_failure)`],
    [['127.0.0.1:1'], 'dns_failed', `the name servers could not resolve ${host} (refused)`],
    [await startSilentNames(t), 'dns_timeout', `the name servers did not answer for ${host}`],
  ] as const
  for (const [servers, reason, detail] of table) {
    const gateway = await startAsking(t, servers, 'tunnel: { connectTimeout: 500ms }')
    const client = await connectRaw(t, gateway.proxy)
    client.send(writeConnect(`${host}:443`))
    const refused = JSON.parse(parseAnswer((await client.ended).bytes).body)
    t.match(refused, { reason, detail, hint })
    const explained = JSON.parse((await gateway.ask(`/api/explain?target=${host}`)).body)
    t.match(explained, { allow: false, rule: { pattern: host }, refusal: { reason, detail, hint: refused.hint } })
    t.notOk('addresses' in explained)
  }
})

t.test('/readyz says soon that several name servers are silent, and the log stays as it is', async (t) => {
  const gateway = await startAsking(t, await startSilentNames(t))
  const linesBefore = gateway.lines.length
  for (const question of ['the first', 'the second']) {
    const startedAt = performance.now()
    const { status, body } = await gateway.ask('/readyz')
    t.ok(performance.now() - startedAt < 4000, `${question} is answered soon`)
    t.equal(status, 503)
    t.match(JSON.parse(body), {
      ready: false,
      checks: [{ name: 'listener', ok: true }, { name: 'shutdown', ok: true }, { name: 'relay', ok: true }, {
        name: 'name service',
        ok: false,
        detail: `dns_timeout: the name servers did not answer for ${host}. Look at the name servers`,
      }],
    })
  }
  t.same(gateway.lines.slice(linesBefore), [])
})

t.test('name servers that answer are ready, also when the registry\'s name is wrong', async (t) => {
  const table = [
    [{ addresses: ['20.1.2.3'] }, true, `${host} resolves.`],
    [{ rcode: 'NXDOMAIN' }, true, `The name servers answer, but there is no such name as ${host}. Check the registry's name`],
    [{ addresses: [] }, true, `The name servers answer, but ${host} has no address. Check the registry's name`],
    [{ rcode: 'SERVFAIL' }, false, `dns_failed: the name servers could not resolve ${host} (server_failure). Look at`],
  ] as const
  for (const [answer, ok, detail] of table) {
    const gateway = await startAsking(t, [await startNames(t, answer)])
    const { status, body } = await gateway.ask('/readyz')
    t.equal(status, ok ? 200 : 503)
    const { checks } = JSON.parse(body) as { checks: readonly { name: string, ok: boolean, detail: string }[] }
    const check = checks.find(({ name }) => name === 'name service')
    t.equal(check?.ok, ok)
    t.equal(check?.detail.slice(0, detail.length), detail)
  }
})
