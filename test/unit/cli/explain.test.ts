import t, { type Test } from 'tap'
import { stringify } from 'yaml'
import { UsageError } from '../../../src/cli/args.ts'
import { explainCommand } from '../../../src/cli/explain.ts'
import { createTableAnswers, startNameServer } from '../../../src/lab/name-server.ts'
import { runHere } from '../../support/command-run.ts'

async function run (argv: readonly string[]): ReturnType<typeof runHere> {
  return await runHere(explainCommand, argv)
}

/** A configuration file whose names are known to a name server on loopback. */
async function writeConfiguration (
  t: Test, table: Readonly<Record<string, readonly string[]>>, more: object = {},
): Promise<string> {
  const server = await startNameServer({ answers: createTableAnswers(table) })
  t.teardown(() => server.close())
  const settings = {
    registries: [{ loginServer: 'contoso.azurecr.io', regions: ['eastus'] }],
    dns: { servers: [`${server.address}:${server.port}`] },
    ...more,
  }
  return `${t.testdir({ 'config.yaml': stringify(settings) })}/config.yaml`
}

t.test('an allowed host is told with its rule and its addresses, and the exit code is 0', async (t) => {
  const file = await writeConfiguration(t, { 'contoso.azurecr.io': ['20.1.2.3', '10.0.0.5'] })
  const { code, stdout, stderr } = await run(['Contoso.azurecr.io', '--config', file])
  t.equal(code, 0)
  t.equal(stderr, '')
  const [first, rule, ...addresses] = stdout.trimEnd().split('\n')
  t.equal(first, 'contoso.azurecr.io:443: allowed')
  t.match(rule, /^ {2}rule +contoso\.azurecr\.io \(login, contoso\.azurecr\.io\), from /)
  t.match(addresses[0], /^ {2}address +20\.1\.2\.3: allowed, /)
  t.match(addresses[1], /^ {2}address +10\.0\.0\.5: denied, /)
})

t.test('behind a parent that resolves, a host is allowed without its addresses, and no name server is asked', async (t) => {
  const file = await writeConfiguration(t, {}, { upstreamProxy: { url: 'http://proxy.example:3128' } })
  const { code, stdout } = await run(['contoso.azurecr.io', '--config', file])
  t.equal(code, 0)
  t.match(stdout, /^ {2}resolved {2}by the parent proxy http:\/\/proxy\.example:3128, so that no address is judged$/m)
  t.notMatch(stdout, /address +\d/)
  const judging = await writeConfiguration(t, { 'contoso.azurecr.io': ['20.1.2.3'] }, { upstreamProxy: { url: 'http://proxy.example:3128', resolve: 'gateway' } })
  t.match((await run(['contoso.azurecr.io', '--config', judging])).stdout, /^ {2}address +20\.1\.2\.3: allowed/m)
})

t.test('a denied host is told with its reason and what to do, and the exit code is 1', async (t) => {
  const file = await writeConfiguration(t, { 'contoso.azurecr.io': ['10.0.0.5'] })
  const table = [
    ['registry.example', 'host_not_allowed', 'extraHosts: [registry.example], in extraHosts'],
    ['contoso.westus.data.azurecr.io', 'region_not_configured', 'regions: [eastus, westus], in registries[0].regions'],
    ['contoso.azurecr.io:80', 'port_not_allowed', undefined],
    ['20.1.2.3', 'ip_literal_not_allowed', undefined],
    ['contoso.azurecr.io', 'address_prohibited', 'privateEndpoints: [10.0.0.5], in registries[0].privateEndpoints'],
  ] as const
  for (const [target, reason, line] of table) {
    const { code, stdout } = await run([target, '--config', file])
    t.equal(code, 1)
    t.match(stdout, `${target.includes(':') || target.startsWith('20') ? target : `${target}:443`}`)
    t.match(stdout, new RegExp(`: denied\\n(?:.*\\n)* {2}reason +${reason}: .+\\n {2}to do +.+\\n`))
    t.equal(/^ {2}allow by +(.+)$/m.exec(stdout)?.[1], line)
    t.equal(/^ {2}opens +.+$/m.test(stdout), line !== undefined, 'what the line would open is told with it')
  }
})

t.test('what a target holds cannot reach the terminal raw', async (t) => {
  const file = await writeConfiguration(t, {})
  const { code, stdout } = await run(['\u001b[2Jevil\n.example', '--config', file])
  t.equal(code, 1)
  t.notOk(stdout.includes('\u001b'))
  t.ok(stdout.startsWith(String.raw`"\u001b[2Jevil\n.example`), stdout)
})

t.test('a host that does not resolve now is denied under the reason that a tunnel would be given', async (t) => {
  const silent = await startNameServer({ answers: () => ({ silent: true }) })
  t.teardown(() => silent.close())
  const silentServer = { servers: [`${silent.address}:${silent.port}`], timeout: '1m' }
  const table = [
    [{}, 'dns_failed', 'there is no such name as contoso.azurecr.io'],
    [{ dns: { servers: ['127.0.0.1:1'] } }, 'dns_failed', 'the name servers could not resolve contoso.azurecr.io (refused)'],
    [{ dns: silentServer, tunnel: { connectTimeout: '200ms' } }, 'dns_timeout', 'the name servers did not answer for contoso.azurecr.io'],
  ] as const
  for (const [more, reason, detail] of table) {
    const file = await writeConfiguration(t, {}, more)
    const plain = await run(['contoso.azurecr.io', '--config', file])
    t.equal(plain.code, 1)
    const lines = plain.stdout.split('\n')
    t.equal(lines[0], 'contoso.azurecr.io:443: denied')
    t.match(lines[1], /^ {2}rule /)
    t.equal(lines[2], `  reason    ${reason}: ${detail}`)
    t.match(lines[3], /^ {2}to do {5}(?:Look|Check) /)
    const json = await run(['contoso.azurecr.io', '--config', file, '--json'])
    t.match(JSON.parse(json.stdout), { allow: false, refusal: { reason, detail, hint: String } })
  }
})

t.test('with --json there is one document and nothing else', async (t) => {
  const file = await writeConfiguration(t, { 'contoso.azurecr.io': ['20.1.2.3'] })
  const allowed = await run(['contoso.azurecr.io', '--json', '--config', file])
  t.equal(allowed.code, 0)
  t.match(JSON.parse(allowed.stdout), {
    target: 'contoso.azurecr.io:443',
    canonical: 'contoso.azurecr.io:443',
    allow: true,
    rule: { pattern: 'contoso.azurecr.io', class: 'login', registry: 'contoso.azurecr.io' },
    addresses: [{ address: '20.1.2.3', allow: true }],
  })
  const denied = await run(['--json', '--config', file, 'registry.example'])
  t.equal(denied.code, 1)
  t.match(JSON.parse(denied.stdout), { allow: false, refusal: { reason: 'host_not_allowed' } })
  t.equal(allowed.stderr + denied.stderr, '')
})

t.test('flags alone are a configuration', async (t) => {
  const { code } = await run(['registry.example', '--registry', 'contoso.azurecr.io', '--region', 'eastus'])
  t.equal(code, 1)
})

t.test('a bad configuration is told on standard error, and the exit code is 2', async (t) => {
  const file = await writeConfiguration(t, {}, { registries: [] })
  const { code, stdout, stderr } = await run(['contoso.azurecr.io', '--config', file])
  t.equal(code, 2)
  t.equal(stdout, '')
  t.match(stderr, /config\.yaml:1:\d+: registries: /)
})

t.test('it takes one target', async (t) => {
  for (const argv of [[], ['a.example', 'b.example'], ['a.example', '--jsno']]) await t.rejects(run(argv), UsageError)
})
