import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Test } from 'tap'
import type { ClientFile } from '../../src/client-files/client-setup.ts'

/** The manager itself is on nobody's PATH. */
const manager = ['/lib/systemd/systemd', '/usr/lib/systemd/systemd']

export interface UnitEnvironment {
  /** What `systemd-analyze verify` says of the unit; '' for nothing. */
  readonly complaints: string
  /** The variables that systemd would start the service with. */
  readonly variables: Readonly<Record<string, string>>
}

/**
 * Has systemd itself read a drop-in, beside the plainest unit of that service, by `systemd --test`, which says what it
 * would start, and starts nothing. It does not do that for root, so it runs as nobody then.
 */
export function readUnitEnvironment (t: Test, { path, content }: Pick<ClientFile, 'path' | 'content'>): UnitEnvironment {
  // Not the test's own folder, which nobody may not see.
  const folder = mkdtempSync(join(tmpdir(), 'units-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const [, service = ''] = /\/([^/]+)\.service\.d\/[^/]+\.conf$/.exec(path) ?? []
  const dropIn = join(folder, `${service}.service.d`, basename(path))
  writeFileSync(join(folder, `${service}.service`), '[Service]\nExecStart=/bin/true\n')
  mkdirSync(dirname(dropIn))
  writeFileSync(dropIn, content)
  chmodSync(folder, 0o755)
  const verified = spawnSync('systemd-analyze', ['verify', join(folder, `${service}.service`)], { encoding: 'utf8' })
  const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
  const program = manager.find((file) => existsSync(file)) ?? 'systemd'
  const shown = spawnSync(program, ['--test', '--system', `--unit=${service}.service`, '--no-pager'], {
    encoding: 'utf8',
    env: { SYSTEMD_UNIT_PATH: `${folder}:` },
    maxBuffer: 64 * 1024 * 1024,
    ...nobody,
  })
  const complaints = verified.stderr + (verified.status === 0 ? '' : `status ${verified.status}`)
  return { complaints, variables: listVariables(shown.stdout, service) }
}

/** The lines of one unit in the listing, up to the next one. */
function listVariables (listing: string, service: string): Record<string, string> {
  const [, unit = ''] = listing.split(`-> Unit ${service}.service:\n`)
  const [own = ''] = unit.split('-> Unit ')
  const pairs = [...own.matchAll(/^\t*Environment: ([^=]+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value])
  return Object.fromEntries(pairs)
}
