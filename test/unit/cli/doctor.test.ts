import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { UsageError } from '../../../src/cli/args.ts'
import { doctorCommand } from '../../../src/cli/doctor.ts'
import { stepNames } from '../../../src/doctor/step.ts'
import { labNames } from '../../../src/lab/lab.ts'
import { type HereOptions, runHere } from '../../support/command-run.ts'
import { type World, type WorldOptions, azure, expectNoSecrets, startWorld } from '../../support/doctor-world.ts'
import { startGateway } from '../../support/gateway.ts'
import { labConfiguration } from '../../support/lab-configuration.ts'
import { startPlainConnectProxy } from '../../support/plain-connect-proxy.ts'
import { demandPassword, replaceAnswers, replaceHeaders } from '../../support/registry-fault.ts'

const { loginServer, dataEndpoint, repository, tag } = labNames
const image = `${repository}:${tag}`

type Ran = Awaited<ReturnType<typeof runHere>>

async function run (argv: readonly string[], options: HereOptions = {}): Promise<Ran> {
  return await runHere(doctorCommand, argv, { stop: new AbortController().signal, ...options })
}

interface CommandWorld extends World {
  /** Runs the command with the world's configuration, its authority and more words. */
  run (words?: readonly string[], options?: HereOptions): Promise<Ran>
}

async function start (t: Test, options: WorldOptions = {}): Promise<CommandWorld> {
  const world = await startWorld(t, {
    ...options, files: { 'ca.pem': azure.certificatePem, 'password.txt': 'right one\n', 'wrong.txt': 'wrong-one', ...options.files },
  })
  const ca = join(world.file, '..', 'ca.pem')
  return { ...world, run: (words = [], more) => run(['--config', world.file, '--ca', ca, ...words], more) }
}

function beside ({ file }: World, name: string): string {
  return join(file, '..', name)
}

t.test('a good pull is a line a step, one after the other, and code 0', async (t) => {
  const world = await start(t)
  const { code, stdout, stderr } = await world.run(['--image', image])
  t.equal(code, 0)
  t.equal(stderr, '')
  const lines = stdout.split('\n')
  t.equal(lines.length, 17)
  t.match(lines[0], new RegExp(`^passed {2}configuration +\\d+ ms {2}${world.file}$`))
  t.match(lines[4], /^passed {2}tls {11} +\d+ ms {2}contoso\.azurecr\.io: TLSv1\.3, issued by Look-alike/)
  t.match(lines[13], /^passed {2}layer {9} +\d+ ms {2}contoso\.eastus\.data\.azurecr\.io: 1048576 of 3000000 bytes in \d+ ms$/)
  t.same(lines.slice(14), ['', 'All is well.', ''])
  t.notOk(stdout.includes('\u001b'), 'nothing is redrawn where nobody sees it')
  expectNoSecrets(t, stdout)
})

t.test('--json is one document with the same steps', async (t) => {
  const world = await start(t)
  const { code, stdout, stderr } = await world.run(['--image', image, '--json'], { columns: 80 })
  t.equal(code, 0)
  const document = JSON.parse(stdout)
  t.match(document, { ok: true, interrupted: false, warnings: [] })
  t.equal(document.steps.length, 14)
  t.match(document.steps[4], { registry: loginServer, host: loginServer, step: 'tls', status: 'passed', ms: Number, found: /^TLSv1\.3/ })
  t.ok(stderr.includes('\r'), 'the step in progress is shown beside it')
  expectNoSecrets(t, document)
})

t.test('a failure is one line with what to do, the last line names it, and the code is 1', async (t) => {
  const world = await start(t, { fault: replaceHeaders('redirects', { location: 'https://contoso.westus.data.azurecr.io/x?sig=hidden' }) })
  const { code, stdout } = await world.run(['--image', image])
  t.equal(code, 1)
  const failed = stdout.split('\n').filter((line) => line.startsWith('failed'))
  t.equal(failed.length, 1)
  t.match(failed[0], /^failed {2}link +\d+ ms {2}contoso\.azurecr\.io: region_not_configured: .*\. Add westus to the regions of contoso\.azurecr\.io\.$/)
  t.match(stdout, /^skipped layer +not tried, because link failed$/m)
  t.match(stdout, /\n\nFailed: link of contoso\.azurecr\.io\. What each line means is in docs\/doctor\.md\.\n$/)
  expectNoSecrets(t, stdout)
  const json = JSON.parse((await world.run(['--image', image, '--json'])).stdout)
  t.match(json, { ok: false })
  t.match(json.steps.find(({ status }: { status: string }) => status === 'failed'), { step: 'link', reason: 'region_not_configured', toDo: String })
})

t.test('a warning is no failure', async (t) => {
  const world = await start(t, { settings: { registries: [{ loginServer, regions: ['eastus', 'westus'], privateEndpoints: ['127.0.0.0/8'] }] } })
  const { code, stdout } = await world.run()
  t.equal(code, 0)
  t.match(stdout, /^warned {2}endpoint +\d+ ms {2}contoso\.westus\.data\.azurecr\.io: dns_failed: /m)
  t.match(stdout, /\nNothing failed\. Warned: endpoint of contoso\.westus\.data\.azurecr\.io\. /)
})

t.test('on a terminal the step in progress is shown within its width, and replaced', async (t) => {
  const world = await start(t)
  const { stdout } = await world.run([], { columns: 40 })
  t.ok(stdout.includes('\r...     tls           contoso.azurecr.i\u001b[K\r\u001b[Kpassed  tls '), stdout)
  const drawn = stdout.split('\r').filter((line) => line.startsWith('...')).map((line) => line.split('\u001b')[0] ?? '')
  t.ok(drawn.length > 5 && drawn.every((line) => line.length < 40))
})

t.test('what an answer holds cannot reach the terminal raw, nor the document', async (t) => {
  const world = await start(t)
  const proxy = await startPlainConnectProxy({ answer: () => ({ write: 'HTTP/1.1 403 \u009b2Jno\x07\r\n\r\n' }) })
  t.teardown(() => proxy.close())
  for (const words of [[], ['--json']]) {
    const { stdout } = await world.run(['--proxy', `http://127.0.0.1:${proxy.port}`, ...words])
    t.match(stdout, /403 /)
    t.notMatch(stdout.replaceAll('\n', ''), /\p{Cc}/u)
  }
})

t.test('--registry narrows to what the file says of a registry', async (t) => {
  const own = { loginServer, regions: ['eastus'], privateEndpoints: ['127.0.0.0/8'] }
  const world = await start(t, { settings: { registries: [{ loginServer: 'fabrikam.azurecr.io', regions: ['eastus'] }, own] } })
  const { code, stdout } = await world.run(['--registry', 'Contoso.azurecr.io', '--image', image])
  t.equal(code, 0)
  t.match(stdout, /privateEndpoints 127\.0\.0\.0\/8/)
  t.notMatch(stdout, 'fabrikam')
  const named = await world.run(['--image', `${loginServer}/${image}`])
  t.equal(named.code, 0, 'so does an image with its registry')
  await t.rejects(world.run(['--image', image]), new UsageError('--image: there are several registries (fabrikam.azurecr.io, contoso.azurecr.io); write --registry LOGIN_SERVER too'))
  await t.rejects(world.run(['--image', 'other.azurecr.io/app']), { name: 'UsageError', message: /^--image: other\.azurecr\.io is not a registry of the configuration/ })
})

t.test('a registry that the file does not have is as the flags say', async (t) => {
  const world = await start(t)
  const { code, stdout } = await world.run(['--registry', 'fabrikam.azurecr.io', '--region', 'westus'])
  t.equal(code, 1)
  t.match(stdout, /^failed {2}name +\d+ ms {2}fabrikam\.azurecr\.io: dns_failed: /m)
})

t.test('through the gateway, --registry is all that a client needs to know', async (t) => {
  const world = await start(t)
  const gateway = await startGateway(t, labConfiguration(world.lab))
  await writeFile(join(t.testdirName, 'ca.pem'), azure.certificatePem)
  const proxy = `http://${gateway.proxy.host}:${gateway.proxy.port}`
  const words = ['--ca', join(t.testdirName, 'ca.pem'), '--registry', loginServer, '--image', image, '--proxy', proxy]
  const { code, stdout, stderr } = await run(words)
  t.equal(code, 0)
  t.equal(stderr, '', 'what a gateway would lack with these flags is no matter')
  t.match(stdout, /^passed {2}configuration +\d+ ms {2}flags$/m)
  t.match(stdout, new RegExp(`^skipped name +${loginServer}: the affair of the proxy ${proxy}$`, 'm'))
  t.match(stdout, new RegExp(`^passed {2}proxy +\\d+ ms {2}${dataEndpoint}: the proxy ${proxy} opened a tunnel$`, 'm'))
  t.match(JSON.parse((await run([...words, '--json'])).stdout), { ok: true, proxy })
})

t.test('the password is that of the file without its last line end, and is never shown', async (t) => {
  const world = await start(t, { fault: demandPassword('puller', 'right one') })
  const pull = ['--image', image, '--user', 'puller', '--password-file']
  const right = await world.run([...pull, beside(world, 'password.txt')])
  t.equal(right.code, 0)
  const wrong = await world.run([...pull, beside(world, 'wrong.txt')])
  t.equal(wrong.code, 1)
  t.match(wrong.stdout, /^failed {2}token .*does not take the password of user puller/m)
  t.notMatch(right.stdout + wrong.stdout, /right one|wrong-one/)
})

t.test('a stop ends it with what was found so far, and code 1', async (t) => {
  const stop = new AbortController()
  const world = await start(t, {
    fault: replaceAnswers('challenges', () => {
      stop.abort()
      return undefined
    }),
  })
  const { code, stdout } = await world.run(['--image', image], { stop: stop.signal })
  t.equal(code, 1)
  t.match(stdout, /^passed {2}tls /m)
  t.match(stdout, /^skipped challenge +contoso\.azurecr\.io: interrupted\n\nInterrupted; these are the steps that were taken\. /m)
})

t.test('wrong words are usage errors that say what to write', async (t) => {
  const world = await start(t, { files: { 'lines.txt': 'a\nb\n', 'empty.txt': '\n', 'ca.txt': 'no certificate' } })
  const at = (name: string): string => beside(world, name)
  const table: ReadonlyArray<readonly [words: readonly string[], message: RegExp]> = [
    [['samples/app'], /^samples\/app: doctor takes flags only; write --image samples\/app/],
    [['--imgae', 'x'], /^--imgae: no such flag; did you mean --image\?$/],
    [['--image', 'Samples/App'], /^--image "Samples\/App" is not a repository; write it in lower case/],
    [['--proxy', 'gw.example:1'], /^--proxy: this is not a proxy's URL: it has no scheme; write it like http:\/\//],
    [['--user', 'x'], /--password-file FILE too/],
    [['--password-file', 'x'], /--user NAME too/],
    [['--user', 'x', '--password-file', at('password.txt')], /--image REPO:TAG too/],
    [['--image', 'a', '--user', 'x:y', '--password-file', at('password.txt')], /no colon/],
    [['--image', 'a', '--user', 'x', '--password-file', at('none.txt')], /none\.txt: it does not exist; /],
    [['--image', 'a', '--user', 'x', '--password-file', at('lines.txt')], /several lines; write the password alone$/],
    [['--image', 'a', '--user', 'x', '--password-file', at('empty.txt')], /nothing; write the password alone$/],
    [['--config', world.file, '--ca', at('ca.txt')], /^--ca .*ca\.txt: holds no certificate; /],
  ]
  for (const [words, message] of table) await t.rejects(run(words), { name: 'UsageError', message }, words.join(' '))
})

t.test('a bad configuration is code 2, with its problems, also as a document', async (t) => {
  const file = join(t.testdir({ 'config.yaml': 'registries: [{loginServer: contoso}]\n' }), 'config.yaml')
  const { code, stdout, stderr } = await run(['--config', file])
  t.equal(code, 2)
  t.equal(stdout, '')
  t.match(stderr, /config\.yaml:1:\d+: registries\[0\]\.loginServer: /)
  const json = await run(['--config', file, '--json'])
  t.equal(json.code, 2)
  t.match(JSON.parse(json.stdout), { ok: false, problems: [{ key: 'registries[0].loginServer' }], steps: [{ step: 'configuration', status: 'failed' }] })
})

t.test('the page has a section for each step', async (t) => {
  const page = await readFile(new URL('../../../docs/doctor.md', import.meta.url), 'utf8')
  const headings = [...page.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)
  t.same(headings.filter((heading) => stepNames.some((name) => name === heading)), stepNames)
})
