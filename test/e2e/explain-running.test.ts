import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { MigrationView } from '../../src/outlook/migration.ts'
import { labNames, startLab } from '../../src/lab/lab.ts'
import { pullImage } from '../../src/lab/pull.ts'
import { runCommand } from '../support/command-run.ts'
import { startDaemon } from '../support/daemon.ts'
import { labConfiguration } from '../support/lab-configuration.ts'

const { loginServer, repository, tag, region } = labNames

t.test('the running gateway is asked by the command: one host, the migration, what would be refused', async (t) => {
  const lab = await startLab({ layers: [100_000] })
  t.teardown(() => lab.close())
  const folder = t.testdir({ state: {} })
  const config = join(folder, 'config.yaml')
  await writeFile(config, labConfiguration(lab, { relay: { engine: 'stream' } }))
  const daemon = await startDaemon(['--config', config], { STATE_DIRECTORY: join(folder, 'state') })
  t.teardown(() => daemon.stop('SIGKILL'))
  const admin = daemon.admin.replace('http://', '')
  await pullImage({ proxy: daemon.proxy, registry: loginServer, repository, tag, ca: lab.ca })
  const run = async (...argv: string[]) => await runCommand(t, ['explain', ...argv])

  for (const host of [loginServer, 'registry.example', `${loginServer}:80`, '10.0.0.1']) {
    const here = await run(host, '--config', config)
    t.equal(here.code, host === loginServer ? 0 : 1)
    t.same(await run(host, '--running', '--admin', admin), here, `${host}: the same words and the same exit code`)
  }
  const json = await run(loginServer, '--running', '--admin', admin, '--json')
  t.match(JSON.parse(json.stdout), { allow: true, rule: { class: 'login' } })

  const migration = await run('--migration', '--admin', admin)
  t.equal(migration.code, 0)
  t.match(migration.stdout, new RegExp(`^${loginServer}: done\\n {2}storage {3}none\\n {2}layers {4}contoso\\.${region}\\.data`))
  t.match(migration.stdout, /^ {2}tried {5}contoso\.eastus\.data\.azurecr\.io: answers; its certificate, by .+, names contoso\.eastus/m)
  const view = JSON.parse((await run('--migration', '--admin', admin, '--json')).stdout) as MigrationView
  t.match(view, { source: { kind: 'daemon', file: join(folder, 'state/sightings.json') }, registries: [{ verdict: 'done' }] })

  const none = await run('--would-refuse', '--admin', admin)
  t.equal(none.code, 0)
  t.match(none.stdout, /^Nothing was let through since .* that policy\.mode: enforce would have refused\.\n\npolicy\.mode is enforce now/)

  const wrong = await run('--migration', '--admin', `${daemon.proxy.host}:${daemon.proxy.port}`)
  t.match(wrong, { code: 2, stdout: '', stderr: /^acr-egress explain: what listens at .* is not the admin listener .*--state FILE\n$/ })

  t.equal(await daemon.stop(), 0)
  const gone = await run('--migration', '--admin', admin)
  t.match(gone, { code: 2, stdout: '', stderr: /^acr-egress explain: nothing listens at .*; or read what it has written: --state FILE\n$/ })

  const file = join(folder, 'state/sightings.json')
  const stored = await run('--migration', '--state', file, '--config', config)
  t.equal(stored.code, 0)
  t.match(stored.stdout, `From what a gateway has written to ${file}; watched since`)
  t.match(stored.stdout, 'The data endpoints were tried by this command, from here.')
  t.match(JSON.parse(await readFile(file, 'utf8')), { version: 1, endpoints: [{ registry: loginServer, region }] })
  t.match(await run('--would-refuse', '--state', config, '--config', config), { code: 2, stderr: /config\.yaml is no record of sightings/ })
  t.match(await run('--would-refuse', '--state', `${file}x`, '--config', config), { code: 2, stderr: /sightings\.jsonx does not exist; see/ })
})

t.test('where the gateway is asked follows from the configuration, and what does not go together is told', async (t) => {
  const folder = t.testdir({
    'free.yaml': 'registries: [{loginServer: contoso.azurecr.io}]\nadmin: {port: 0}\n',
    // The file of service tags is not there, and not needed.
    'all.yaml': 'registries: [{loginServer: contoso.azurecr.io}]\nadmin: {address: 0.0.0.0, port: 1}\naddresses: {serviceTagsFile: none.json}\n',
    'bad.yaml': 'registries: []\n',
  })
  const table: ReadonlyArray<readonly [argv: readonly string[], stderr: RegExp]> = [
    [['--migration', '--config', join(folder, 'free.yaml')], /^admin\.port is 0, which is any free port; write .*: --admin ADDR:PORT\n$/],
    [['--migration', '--config', join(folder, 'all.yaml')], /^acr-egress explain: nothing listens at 127\.0\.0\.1:1; see/],
    [['x.example', '--running', '--config', join(folder, 'all.yaml')], /nothing listens at 127\.0\.0\.1:1; see that .* --admin ADDR:PORT\n$/],
    [['--migration', '--config', join(folder, 'bad.yaml')], /registries: (?:.*\n)+Mend that, or name the daemon's admin listener: --admin ADDR:PORT\n$/],
    [['--migration', '--config', join(folder, 'bad.yaml'), '--admin', '127.0.0.1:1'], /nothing listens at 127\.0\.0\.1:1;/],
    [['--migration', '--admin', 'here'], /^--admin: "here" is not ADDR:PORT; write/],
    [['--migration', 'x.example'], /^x\.example: --migration is about all hosts; leave the word out, or the flag\nSee acr-egress explain --help\n$/],
    [['--migration', '--would-refuse'], /^--migration and --would-refuse are two questions; ask one at a time\n/],
    [['x.example', '--state', 'x'], /^--state goes with --migration or --would-refuse only\n/],
    [['--migraton'], /^--migraton: no such flag; did you mean --migration\?\n/],
    [['--running'], /^explain takes one HOST\[:PORT\], --migration or --would-refuse\n/],
  ]
  await Promise.all(table.map(async ([argv, stderr]) => {
    const result = await runCommand(t, ['explain', ...argv])
    t.match(result, { code: 2, stdout: '', stderr }, argv.join(' '))
  }))
})
