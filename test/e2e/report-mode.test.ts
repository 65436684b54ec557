import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { cleanEnvironment } from '../support/daemon.ts'
import { describeMissing } from '../support/debian-parts.ts'
import type { Result } from '../support/command-run.ts'

const skip = describeMissing(['unshare', 'ip'])
const script = fileURLToPath(new URL('../support/report-mode-run.js', import.meta.url))
const publicAddress = '20.1.2.3'
const blobHost = 'weumanaged15.blob.core.windows.net'

/** What report-mode-run.js writes. */
interface Run {
  readonly enforcedBefore: string
  readonly observed: {
    readonly pull: string, readonly wouldRefuse: Result, readonly json: Result, readonly migration: Result,
  }
  readonly keys: object
  readonly enforcedAfter: { readonly pull: string, readonly wouldRefuse: Result }
}

/** An unlisted host is only let through at a public address, so the test has one of its own, on its own loopback. */
async function runInNamespace (folder: string): Promise<Run> {
  const setUp = `ip link set lo up && ip address add ${publicAddress}/32 dev lo && exec "$@"`
  const words = ['-rn', 'sh', '-c', setUp, 'sh', process.execPath, script, publicAddress, folder]
  const { NODE_OPTIONS: _, ...env } = cleanEnvironment()
  const { stdout } = await promisify(execFile)('unshare', words, { env, timeout: 120_000, maxBuffer: 1024 * 1024 })
  return JSON.parse(stdout) as Run
}

t.test('observe first, then enforce: the lines that report mode leads to let the same pull through', { skip }, async (t) => {
  const { enforcedBefore, observed, keys, enforcedAfter } = await runInNamespace(t.testdir({}))
  t.match(enforcedBefore, `storage_not_enabled: ${blobHost}`)
  t.equal(observed.pull, '1 layers')

  const { code, stdout, stderr } = observed.wouldRefuse
  t.same([code, stderr], [1, ''])
  t.match(stdout, new RegExp(`^Let through since .*, and refused by policy\\.mode: enforce:\n\n {2}HOST +TIMES +FIRST +LAST +REASON\n {2}${blobHost.replaceAll('.', '\\.')} +2 +.* UTC +.* UTC +storage_not_enabled\n`))
  t.match(stdout, /\n {4}# weumanaged15: the blobs of weumanaged15 at port 443; .*\n {4}storage: \[weumanaged15\]\n$/)
  t.match(JSON.parse(observed.json.stdout), {
    mode: 'report',
    hosts: [{ host: blobHost, reason: 'storage_not_enabled', count: 2, allowedBy: '', refusal: { reason: 'storage_not_enabled' } }],
    additions: [{ key: 'registries[0].storage', values: ['weumanaged15'] }],
  })
  t.match(JSON.parse(observed.migration.stdout), {
    registries: [{ verdict: 'done', accounts: [{ host: blobHost, registry: 'contoso.azurecr.io', tunnels: 2 }] }],
  })

  t.same(keys, { storage: ['weumanaged15'] })
  t.equal(enforcedAfter.pull, '1 layers')
  t.equal(enforcedAfter.wouldRefuse.code, 0)
  t.match(enforcedAfter.wouldRefuse.stdout, /weumanaged15\.\S+ +2 .* allowed by now, by registries\[0\]\.storage\n\npolicy\.mode is enforce now/)
  t.notMatch(enforcedAfter.wouldRefuse.stdout, /These lines/)
})
