import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parse, stringify } from 'yaml'
import { exportCommand } from '../../src/cli/export.ts'
import { type Lab, labNames, startLab } from '../../src/lab/lab.ts'
import { pullImage } from '../../src/lab/pull.ts'
import { type LabRegistry, startLabRegistry } from '../../src/lab/registry.ts'
import type { EndpointCheck } from '../../src/outlook/endpoint-check.ts'
import type { MigrationView, RegistryMigration } from '../../src/outlook/migration.ts'
import { createSightings } from '../../src/sightings/sightings.ts'
import { createStateKeeper, readState } from '../../src/sightings/state-keeper.ts'
import { runHere } from '../support/command-run.ts'
import { type TestGateway, startGateway } from '../support/gateway.ts'
import { startUpstream } from '../support/upstream.ts'

const { loginServer, region, dataEndpoint, repository, tag } = labNames
const account = 'weumanaged15'
const blobHost = `${account}.blob.core.windows.net`
const day = 86_400_000

/** Not a test's own, which is made anew for each gateway. */
const folder = t.testdir({ 'bad.json': 'not a record', 'taken.json': {} })
const lab = await startLab({ layers: [200_000, 50_000] })
t.teardown(() => lab.close())

/** The same image, of a registry whose layers are in a storage account. */
async function startBlobRegistry (t: Test, { authority, image }: Lab): Promise<LabRegistry> {
  const registry = await startLabRegistry({ loginServer, dataEndpoint: blobHost, repository, tag, image, authority })
  t.teardown(() => registry.close())
  return registry
}

function configure (registry: Pick<LabRegistry, 'login' | 'data'>, keys: object, more: object = {}, host = blobHost): string {
  return stringify({
    registries: [{ loginServer, privateEndpoints: ['127.0.0.0/8'], ...keys }],
    dns: {
      servers: [`127.0.0.1:${lab.nameServer.port}`],
      hosts: {
        [dataEndpoint]: [`127.0.0.1:${lab.registry.data.port}`],
        [loginServer]: [`127.0.0.1:${registry.login.port}`],
        [host]: [`127.0.0.1:${registry.data.port}`],
      },
    },
    ...more,
  })
}

async function pull ({ proxy }: TestGateway): Promise<void> {
  await pullImage({ proxy, registry: loginServer, repository, tag, ca: lab.ca })
}

async function readMigration (gateway: TestGateway): Promise<RegistryMigration> {
  const { status, body } = await gateway.ask('/api/migration')
  t.equal(status, 200)
  const [registry] = (JSON.parse(body) as MigrationView).registries
  if (registry === undefined) throw new TypeError('no registry')
  return registry
}

t.test('from blobs to data endpoints: what was seen outlives a restart, and two weeks without a blob make it safe', async (t) => {
  const state = { state: { file: join(folder, 'sightings.json') } }
  const clock = { now: Date.UTC(2026, 10, 1) }
  const blobs = await startBlobRegistry(t, lab)
  const first = await startGateway(t, configure(blobs, { storage: 'any', regions: [region] }, state), {}, { now: () => clock.now })
  await pull(first)
  await first.settle()
  const before = await readMigration(first)
  t.equal(before.verdict, 'not_yet')
  t.match(before.accounts, [{ host: blobHost, registry: loginServer, refused: 0, firstSeen: '2026-11-01T00:00:00.000Z' }])
  const [seen] = before.accounts
  t.ok(seen !== undefined && seen.bytesFromUpstream > 250_000, 'every layer is counted')
  t.match(before.next, [/^turn on dedicated data endpoints \(Premium\): az acr update --name contoso/, /two weeks/])
  t.notMatch(await first.ask('/metrics'), { body: account }, 'no metric has the name')
  await first.gateway.close()

  await watch(state.state.file, clock, 14 * day)
  const second = await startGateway(t, configure(lab.registry, { storage: 'any', regions: [region] }, state, dataEndpoint), {}, { now: () => clock.now })
  t.match(second.lines.find(({ event }) => event === 'sightings_restored'), { accounts: 1, watchedSince: '2026-11-01T00:00:00.000Z' })
  t.match(await readMigration(second), { verdict: 'unknown', reasons: [/^no layer came from a data endpoint/] })
  await pull(second)
  await second.settle()
  t.match(await readMigration(second), {
    verdict: 'safe',
    accounts: [{ host: blobHost, lastSeen: '2026-11-01T00:00:00.000Z' }],
    endpoints: [{ host: dataEndpoint, region }],
    checks: [{
      host: dataEndpoint,
      ok: true,
      addresses: [{ address: '127.0.0.1', allow: true, ground: 'in privateEndpoints 127.0.0.0/8' }],
      certificate: { names: [dataEndpoint], isForHost: true },
    }],
  })
})

/** Somebody looks for so long, by the file. */
async function watch (file: string, clock: { now: number }, durationMs: number): Promise<void> {
  const sightings = createSightings({
    registries: [loginServer], registrySuffixes: new Set(), blobSuffixes: new Set(), now: () => clock.now,
  })
  const onProblem = (problem: string): void => { throw new Error(problem) }
  const events = { onRestored () {}, onBad: onProblem, onUnwritable: onProblem, onWritable () {} }
  const keeper = createStateKeeper({ sightings, file, ...events })
  await keeper.start()
  await keeper.beat()
  for (const end = clock.now + durationMs; clock.now < end;) {
    clock.now += 240_000
    sightings.beat()
  }
  await keeper.close()
}

t.test('a new account beside listed ones is refused and named, and can be pasted into the configuration', async (t) => {
  const blobs = await startBlobRegistry(t, lab)
  const gateway = await startGateway(t, configure(blobs, { storage: ['old1', '123'] }))
  await t.rejects(pull(gateway), {
    message: new RegExp(`403 storage_not_enabled: ${blobHost} is blob storage, and ${account} is not among`),
  })
  await gateway.settle()
  t.match(gateway.tunnelLines.find(({ event }) => event === 'tunnel_refused'), { level: 'warn', target: `${blobHost}:443` })
  t.match(JSON.parse((await gateway.ask('/api/sightings')).body), { accounts: [{ host: blobHost, registry: loginServer, tunnels: 0 }] })

  const configuration = join(folder, 'pinned.yaml')
  await writeFile(configuration, configure(blobs, { storage: ['old1', '123'] }))
  const { stdout, code } = await exportAccounts(['--config', configuration, '--admin', gateway.admin])
  t.equal(code, 0)
  t.match(stdout, /^ {6}# listed already, and not seen since .* UTC\n {6}- old1$/m)
  t.match(stdout, /^ {6}# NEW, not among the accounts listed now: refused (?:once|\d+ times), last .* UTC\n {6}- weumanaged15$/m)
  const pasted = parse(stdout) as { readonly registries: readonly { readonly storage: readonly string[] }[] }
  t.match(pasted, { registries: [{ loginServer, storage: ['old1', '123', account] }] })
  const mended = await startGateway(t, configure(blobs, { storage: pasted.registries[0]?.storage }))
  await pull(mended)
})

async function exportAccounts (argv: readonly string[]): ReturnType<typeof runHere> {
  return await runHere(exportCommand, ['storage-accounts', ...argv])
}

t.test('the data endpoints are tried, and each is told with what is wrong and what to do', async (t) => {
  const hung = await startUpstream(t, (socket) => { socket.destroy() })
  const table: ReadonlyArray<readonly [addresses: readonly string[], check: object]> = [
    [['127.0.0.1:1'], { ok: false, problem: /^contoso\.eastus\.data\.azurecr\.io:443 refused the connection; Try again/ }],
    [['10.0.0.1'], { ok: false, addresses: [{ allow: false }], problem: /^the name resolves to 10\.0\.0\.1, .*; If this is the registry's private endpoint/ }],
    [[`127.0.0.1:${hung.port}`], { ok: false, problem: /answers no TLS \(.+\); See what stands in its place/ }],
    [[`127.0.0.1:${lab.registry.login.port}`], {
      ok: false, certificate: { names: [loginServer], isForHost: false }, problem: /answers with a certificate for other names; See/,
    }],
  ]
  for (const [addresses, expected] of table) {
    const yaml = stringify({
      registries: [{ loginServer, regions: [region], storage: 'any', privateEndpoints: ['127.0.0.0/8'] }],
      dns: { hosts: { [dataEndpoint]: addresses, [loginServer]: ['127.0.0.1:1'] } },
    })
    const { checks, verdict, reasons } = await readMigration(await startGateway(t, yaml))
    t.equal(verdict, 'not_yet')
    t.match(checks, [{ host: dataEndpoint, ...expected }])
    t.ok(reasons.includes((checks[0] as EndpointCheck).problem))
  }
  const nowhere = await startGateway(t, configure(lab.registry, { regions: ['westus'], storage: 'any' }, {}, dataEndpoint))
  t.match((await readMigration(nowhere)).checks, [{ ok: false, problem: /^there is no such name as contoso\.westus\.data\.azurecr\.io; Check/ }])
})

t.test('asking again within half a minute makes no traffic', async (t) => {
  const upstream = await startUpstream(t, (socket) => { socket.destroy() })
  const gateway = await startGateway(t, stringify({
    registries: [{ loginServer, regions: [region], privateEndpoints: ['127.0.0.0/8'] }],
    dns: { hosts: { [dataEndpoint]: [`127.0.0.1:${upstream.port}`], [loginServer]: ['127.0.0.1:1'] } },
  }))
  await Promise.all([gateway.ask('/api/migration'), gateway.ask('/api/migration')])
  await gateway.ask('/api/migration')
  t.equal(upstream.connections, 1)
})

t.test('a file that cannot be written, or read, stops nothing, and is told in the log and in /readyz', async (t) => {
  const file = join(folder, 'bad.json')
  const bad = await startGateway(t, configure(lab.registry, { regions: [region] }, { state: { file } }, dataEndpoint))
  t.match(bad.lines.find(({ event }) => event === 'sightings_unreadable'), {
    level: 'error', file, problem: /no record of sightings/, setAside: `${file}.bad`,
  })
  t.equal(await readFile(`${file}.bad`, 'utf8'), 'not a record')
  await pull(bad)
  await bad.settle()
  await bad.gateway.close()
  t.match(await readState(file), { ok: true, state: { endpoints: [{ registry: loginServer, region }] } })

  for (const name of [join(folder, 'taken.json'), join(folder, 'missing/sightings.json')]) {
    const keys = { regions: [region] }
    const gateway = await startGateway(t, configure(lab.registry, keys, { state: { file: name } }, dataEndpoint))
    const { status, body } = await gateway.ask('/readyz')
    t.equal(status, 200)
    const { checks } = JSON.parse(body) as { readonly checks: ReadonlyArray<{ readonly name: string }> }
    t.match(checks.find(({ name: check }) => check === 'sightings'), { ok: true, detail: new RegExp(`^Kept in memory only: ${name} (?:is a directory|cannot be written)`) })
    t.equal(gateway.lines.filter(({ event }) => event.startsWith('sightings_un')).length, 1)
    await pull(gateway)
  }
})
