import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { labNames } from '../../src/lab/lab.ts'
import { startCommand } from '../support/command-run.ts'
import { builtCommandWords, cleanEnvironment } from '../support/daemon.ts'
import { azure, startWorld } from '../support/doctor-world.ts'
import { demandPassword } from '../support/registry-fault.ts'
import { startUpstream } from '../support/upstream.ts'

const { loginServer, repository, tag } = labNames
const image = `${repository}:${tag}`

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the built command with an environment and input of its own. */
async function run (t: Test, argv: readonly string[], env: Readonly<Record<string, string>>, input = ''): Promise<Ended> {
  const child = spawn('env', [...builtCommandWords.slice(1), 'doctor', ...argv], { env: { ...cleanEnvironment(), ...env } })
  t.teardown(() => child.kill('SIGKILL'))
  child.stdin.on('error', () => {}).end(input)
  const exited = new Promise<number | null>((resolve) => { child.once('exit', resolve) })
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exited])
  return { code, stdout, stderr }
}

t.test('the authorities are those of SSL_CERT_FILE, and the password comes from standard input', async (t) => {
  const world = await startWorld(t, { fault: demandPassword('puller', 'secret word'), files: { 'ca.pem': azure.certificatePem } })
  const env = { SSL_CERT_FILE: join(world.file, '..', 'ca.pem') }
  const pull = ['--config', world.file, '--image', image, '--user', 'puller', '--password-file', '-']
  const good = await run(t, pull, env, 'secret word\n')
  t.equal(good.code, 0, good.stdout + good.stderr)
  t.match(good.stdout, /\nAll is well\.\n$/)
  const bad = await run(t, pull, env, 'other word\n')
  t.equal(bad.code, 1)
  t.match(bad.stdout, /^failed {2}token /m)
  t.notMatch(good.stdout + bad.stdout + good.stderr + bad.stderr, /secret word|other word/)
  const untrusted = await run(t, ['--config', world.file], {})
  t.equal(untrusted.code, 1)
  t.match(untrusted.stdout, /^failed {2}tls .* is not in \//m)
  const missing = await run(t, ['--config', world.file], { SSL_CERT_FILE: '/nowhere.pem' })
  t.equal(missing.code, 2)
  t.match(missing.stderr, /^SSL_CERT_FILE: the file does not exist; /)
})

t.test('Ctrl-C ends it at once with what was found so far, also as a document', async (t) => {
  const silent = await startUpstream(t)
  const world = await startWorld(t, { hosts: { [loginServer]: `127.0.0.1:${silent.port}` } })
  for (const words of [[], ['--json']]) {
    const { child, result } = startCommand(t, ['doctor', '--config', world.file, ...words])
    // The first knock is that of tcp, the second that of tls, which waits.
    await silent.nextConnection()
    await silent.nextConnection()
    child.kill('SIGINT')
    const { code, stdout } = await result
    t.equal(code, 1)
    if (words.length === 0) t.match(stdout, /^passed {2}tcp .*\nskipped tls .*: interrupted\n\nInterrupted; /m)
    else t.match(JSON.parse(stdout), { ok: false, interrupted: true })
  }
})
