import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'

const source = fileURLToPath(new URL('../../systemd', import.meta.url))
const readUnit = (name: string): string => readFileSync(join(source, name), 'utf8')

/** Whether a tool of systemd is here; without it the test has nothing to do, and says so. */
function hasTool (t: Test, tool: string): boolean {
  if (spawnSync(tool, ['--version']).status === 0) return true
  t.plan(0, `there is no ${tool} here`)
  return false
}

t.test('systemd finds nothing wrong in the units', (t) => {
  if (!hasTool(t, 'systemd-analyze')) return
  const folder = t.testdir({})
  const names = readdirSync(source).filter((name) => /\.(?:service|socket|timer)$/.test(name))
  // The command need not be installed where the test runs.
  for (const name of names) writeFileSync(join(folder, name), readUnit(name).replaceAll('/usr/bin/acr-egress', '/bin/true'))
  const verified = spawnSync('systemd-analyze', ['verify', ...names.map((name) => join(folder, name))], { encoding: 'utf8' })
  t.equal(verified.stderr, '')
  t.equal(verified.status, 0)
  t.ok(names.length >= 4, names.join(', '))
  t.end()
})

t.test('the user that writes the service tags is one that systemd-sysusers makes', (t) => {
  if (!hasTool(t, 'systemd-sysusers')) return
  const root = t.testdir({})
  mkdirSync(join(root, 'etc'))
  const made = spawnSync('systemd-sysusers', [`--root=${root}`, join(source, 'acr-egress-tags.conf')], { encoding: 'utf8' })
  t.equal(made.status, 0, made.stderr)
  const [, user] = /^User=(.+)$/m.exec(readUnit('acr-egress-tags.service')) ?? []
  t.match(readFileSync(join(root, 'etc/passwd'), 'utf8'), new RegExp(`^${user}:`, 'm'))
  t.end()
})

t.test('the folder of the service tags is one that other users may look into', (t) => {
  const unit = readUnit('acr-egress-tags.service')
  t.notMatch(unit, /^DynamicUser=/m, 'its state would be below /var/lib/private, which is closed to others')
  t.match(unit, /^StateDirectoryMode=0755$/m)
  const [, folder] = /^StateDirectory=(.+)$/m.exec(unit) ?? []
  t.match(unit, new RegExp(`^ExecStart=.* --file /var/lib/${folder}/service-tags\\.json$`, 'm'))
  t.end()
})
