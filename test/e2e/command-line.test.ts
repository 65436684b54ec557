import { spawnSync } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import t, { type Test } from 'tap'
import { stringify } from 'yaml'
import { startNameServer } from '../../src/lab/name-server.ts'
import { openTunnel } from '../../src/outbound/tunnel-client.ts'
import { type CommandOptions, type Result, type Running, runCommand, startCommand } from '../support/command-run.ts'
import { type LogLine, builtCommand } from '../support/daemon.ts'
import { findFreePort } from '../support/free-port.ts'
import { writePasswordLine } from '../support/password-hashes.ts'
import { readBytes, untilClosed } from '../support/stream-watch.ts'
import { startEchoUpstream } from '../support/upstream.ts'

const commands = ['serve', 'check', 'explain', 'import', 'tags', 'certs', 'demo', 'completion']
const registry = ['--registry', 'contoso.azurecr.io', '--region', 'eastus']
const freePorts = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0']
const nobody = 65534

/** No command ever shows a person where in the program something was thrown. */
function findStack ({ stdout, stderr }: Result): string | undefined {
  return /^ +at .+:\d+:\d+\)?$/m.exec(stdout + stderr)?.[0]
}

t.test('help and version', async (t) => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  t.strictSame(await runCommand(t, ['--version']), { code: 0, stdout: `${version}\n`, stderr: '' })
  for (const { code, stdout, stderr } of await Promise.all(['--help', '-h', 'help'].map((word) => runCommand(t, [word])))) {
    t.strictSame([code, stderr], [0, ''])
    for (const command of commands) t.match(stdout, new RegExp(`^  ${command} +\\S`, 'm'))
  }
  const bare = await runCommand(t, [])
  t.strictSame([bare.code, bare.stdout], [2, ''])
  t.match(bare.stderr, 'Usage: acr-egress COMMAND')
  const helps = await Promise.all(commands.map((command) => runCommand(t, [command, '--help'])))
  for (const [index, { code, stdout, stderr }] of helps.entries()) {
    const command = String(commands[index])
    t.strictSame([code, stderr], [0, ''])
    t.ok(stdout.startsWith(`Usage: acr-egress ${command} `), command)
    t.ok(stdout.split('\n').every((line) => line.length <= 120), `${command}: no line is too long`)
  }
})

t.test('help before a command and an action is --help behind them', async (t) => {
  const table: ReadonlyArray<readonly [help: readonly string[], flag: readonly string[]]> = [
    [['help', 'serve'], ['serve', '--help']],
    [['help', 'tags', 'refresh'], ['tags', 'refresh', '--help']],
    [['help', 'help'], ['--help']],
    [['help', '--help'], ['--help']],
    [['tags', '-h', 'show'], ['tags', 'show', '--help']],
  ]
  await Promise.all(table.map(async ([help, flag]) => {
    const [one, other] = await Promise.all([runCommand(t, help), runCommand(t, flag)])
    t.strictSame(one, other, help.join(' '))
    t.strictSame([one.code, one.stderr], [0, ''])
  }))
  t.match((await runCommand(t, ['help', 'tags', 'refresh'])).stdout, /^Usage: acr-egress tags refresh /)
  t.match(await runCommand(t, ['help', 'serv']), { code: 2, stdout: '', stderr: '"serv": no such command; did you mean acr-egress serve?' })
  t.match(await runCommand(t, ['tags', 'show', '--jsno']), { code: 2, stderr: 'See acr-egress tags show --help\n' })
})

t.test('a command is loaded without the others; completion loads them all', async (t) => {
  const loadedBy = async (argv: readonly string[]): Promise<readonly string[]> => {
    const folder = t.testdir()
    // Node writes down what it has run.
    const program = ['env', `NODE_V8_COVERAGE=${folder}`, process.execPath, builtCommand]
    t.equal((await runCommand(t, argv, { program })).code, 0)
    const [file = ''] = readdirSync(folder)
    const { result } = JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')) as { result: Array<{ url: string }> }
    return commands.filter((command) => result.some(({ url }) => url.endsWith(`/cli/${command}.js`)))
  }
  for (const command of commands) t.same(await loadedBy([command, '--help']), [command])
  t.same(await loadedBy(['--help']), [])
  t.same(await loadedBy(['completion', 'bash']), commands)
})

t.test('a wrong word is answered with the right one, and the exit code is 2', async (t) => {
  const table: ReadonlyArray<readonly [argv: readonly string[], stderr: string]> = [
    [['serv'], '"serv": no such command; did you mean acr-egress serve?\nSee acr-egress --help\n'],
    [['fly'], '"fly": no such command\nSee acr-egress --help\n'],
    [['\u001b[2J'], '"\\u001b[2J": no such command\nSee acr-egress --help\n'],
    [['serve', '--lisen', '1:2'], '--lisen: no such flag; did you mean --listen?\nSee acr-egress serve --help\n'],
    [['check', '--jsno'], '--jsno: no such flag; did you mean --json?\nSee acr-egress check --help\n'],
    [['explain'], 'See acr-egress explain --help\n'],
    [['demo', '--stay=yes'], '--stay: takes no value; write --stay alone\nSee acr-egress demo --help\n'],
    [['serve', '--config'], '--config: needs a value; write --config FILE\nSee acr-egress serve --help\n'],
  ]
  await Promise.all(table.map(async ([argv, stderr]) => {
    const result = await runCommand(t, argv)
    t.strictSame([result.code, result.stdout], [2, ''], argv.join(' '))
    t.ok(result.stderr.endsWith(stderr), result.stderr)
  }))
})

t.test('serve without a configuration says what to write', async (t) => {
  const missing = await runCommand(t, ['serve', '--config', `${t.testdir()}/none.yaml`])
  t.strictSame([missing.code, missing.stdout], [2, ''])
  t.match(missing.stderr, 'none.yaml')
  // Without --config that of the system is read, which this machine may have.
  const nothing = await runCommand(t, ['serve', '--listen', '127.0.0.1:0'])
  t.equal(nothing.code, 2)
  t.match(nothing.stderr, /--registry contoso\.azurecr\.io --region eastus/)
})

t.test('a port that is taken is told with what to do, and the exit code is 3', async (t) => {
  const holder = createServer().listen(0, '127.0.0.1')
  await once(holder, 'listening')
  t.teardown(() => holder.close())
  const { port } = holder.address() as AddressInfo
  for (const [flag, other] of [['--listen', '--admin'], ['--admin', '--listen']] as const) {
    const result = await runCommand(t, ['serve', ...registry, flag, `127.0.0.1:${port}`, other, '127.0.0.1:0'])
    t.equal(result.code, 3)
    t.match(result.stderr, `127.0.0.1:${port} is taken by another program`)
    t.match(result.stderr, `ss -ltnp 'sport = :${port}'`)
    const advised = new RegExp(`another port: ${flag} 127\\.0\\.0\\.1:(\\d+)\n`).exec(result.stderr)?.[1]
    t.ok(Number(advised) > 0 && Number(advised) <= 65_535, `${advised} is a port`)
    t.equal(findStack(result), undefined)
    t.ok(parseLines(result.stdout).length > 0, 'standard output is JSON lines all the same')
  }
})

t.test('a port that needs a privilege is told with three ways to have it', async (t) => {
  const firstFree = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'))
  const isRoot = process.getuid?.() === 0
  const options = isRoot ? { uid: nobody } : {}
  if (firstFree <= 1) {
    t.plan(0, 'on this machine every port is free to every user')
    return
  }
  if ((await runCommand(t, ['--version'], options)).code !== 0) {
    t.plan(0, 'an unprivileged user cannot read the built command')
    return
  }
  const result = await runCommand(t, ['serve', ...registry, '--listen', '127.0.0.1:1', '--admin', '127.0.0.1:0'], options)
  t.equal(result.code, 3)
  t.match(result.stderr, '127.0.0.1:1 is not for this user')
  for (const way of ['CAP_NET_BIND_SERVICE', 'systemd/acr-egress.socket', '--listen 127.0.0.1:8001']) t.match(result.stderr, way)
  t.equal(findStack(result), undefined)
})

t.test('passwords that this machine cannot check are told, and the exit code is 3', async (t) => {
  const folder = t.testdir({
    'config.yaml': stringify({
      registries: [{ loginServer: 'contoso.azurecr.io', regions: ['eastus'] }],
      clients: { passwordFile: 'passwords' },
    }),
  })
  await writeFile(`${folder}/passwords`, writePasswordLine('edge', 'x', 10), { mode: 0o600 })
  // By this bcrypt takes the machine for another one.
  const program = ['npm_config_arch=s390x', process.execPath, builtCommand]
  const result = await runCommand(t, ['serve', '--config', `${folder}/config.yaml`, ...freePorts], { program })
  t.match(result, { code: 3, stderr: /^clients\.passwordFile takes bcrypt, which cannot be loaded here: .*\n.*npm ci/m })
  t.equal(findStack(result), undefined)
  const without = startCommand(t, ['serve', ...registry, ...freePorts], { program })
  await without.stdoutWith('gateway_started')
  without.child.kill()
  t.match(await without.result, { code: 0 })
})

t.test('an address of another machine is told, and what may be used instead', async (t) => {
  const table = [
    ['--listen', '192.0.2.1:8443', '--listen 0.0.0.0:8443'],
    ['--listen', '[2001:db8::1]:8443', '--listen [::]:8443'],
    ['--admin', '192.0.2.1:9180', '--admin 127.0.0.1:9180'],
  ] as const
  await Promise.all(table.map(async ([flag, address, advice]) => {
    const other = flag === '--listen' ? '--admin' : '--listen'
    const result = await runCommand(t, ['serve', ...registry, flag, address, other, '127.0.0.1:0'])
    t.equal(result.code, 3)
    t.match(result.stderr, `${address} cannot be used`)
    t.ok(result.stderr.endsWith(`${advice}\n`), result.stderr)
    t.equal(findStack(result), undefined)
  }))
})

/** A gateway in front of an echo, and where it is. */
async function startServe (t: Test): Promise<Running & { proxy: { host: string, port: number } }> {
  const { port } = await startEchoUpstream(t)
  const configuration = {
    registries: [{ loginServer: 'contoso.azurecr.io', regions: ['eastus'], privateEndpoints: ['127.0.0.0/8'] }],
    dns: { hosts: { 'contoso.azurecr.io': [`127.0.0.1:${port}`] } },
    tunnel: { serverName: 'off' },
  }
  const file = `${t.testdir({ 'config.yaml': stringify(configuration) })}/config.yaml`
  const running = startCommand(t, ['serve', '--config', file, ...freePorts])
  const line = parseLines(await running.stdoutWith('gateway_started"}\n')).at(-1)
  const [host = '', proxyPort] = String(line?.['proxy']).split(':')
  return { ...running, proxy: { host, port: Number(proxyPort) } }
}

function parseLines (stdout: string): LogLine[] {
  return stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as LogLine)
}

t.test('SIGTERM lets an open tunnel end, and then the command ends', async (t) => {
  const { child, result, proxy, stdoutWith } = await startServe(t)
  const tunnel = await openTunnel({ proxy, target: 'contoso.azurecr.io:443' })
  child.kill('SIGTERM')
  await stdoutWith('gateway_draining')
  const late = connect(proxy.port, proxy.host)
  const [error] = await once(late, 'error') as [NodeJS.ErrnoException]
  t.equal(error.code, 'ECONNREFUSED')
  tunnel.write('still here')
  t.equal((await readBytes(tunnel, 10)).toString(), 'still here')
  t.equal(child.exitCode, null)
  tunnel.end()
  const { code, stdout, stderr } = await result
  t.strictSame([code, stderr], [0, ''])
  t.match(parseLines(stdout).at(-1), { event: 'gateway_stopped', tunnelsCut: 0 })
})

t.test('a second SIGTERM ends it at once, and resets what is open', async (t) => {
  const { child, result, proxy, stdoutWith } = await startServe(t)
  const tunnel = await openTunnel({ proxy, target: 'contoso.azurecr.io:443' })
  const broken = once(tunnel, 'error') as Promise<[NodeJS.ErrnoException]>
  tunnel.resume()
  child.kill('SIGTERM')
  await stdoutWith('gateway_draining')
  child.kill('SIGTERM')
  const { code, stdout } = await result
  t.equal((await broken)[0].code, 'ECONNRESET')
  t.equal(code, 0)
  t.match(parseLines(stdout).at(-1), { event: 'gateway_stopped', tunnelsCut: 1 })
})

t.test('Ctrl-C ends an idle gateway with exit code 0, and its log is JSON lines', async (t) => {
  const { child, result } = await startServe(t)
  child.kill('SIGINT')
  const { code, stdout, stderr } = await result
  t.strictSame([code, stderr], [0, ''])
  t.strictSame(parseLines(stdout).map(({ event }) => event), [
    'configuration_loaded', 'gateway_started', 'gateway_draining', 'gateway_stopped',
  ])
  for (const line of parseLines(stdout)) t.match(line, { time: /^\d{4}-.+Z$/, level: 'info' })
})

t.test('explain tells by its exit code', async (t) => {
  const file = `${t.testdir({
    'config.yaml': stringify({
      registries: [{ loginServer: 'contoso.azurecr.io' }],
      dns: { hosts: { 'contoso.azurecr.io': ['20.1.2.3'] } },
    }),
  })}/config.yaml`
  await Promise.all(([['contoso.azurecr.io', 0], ['registry.example', 1]] as const).map(async ([host, code]) => {
    const plain = await runCommand(t, ['explain', host, '--config', file])
    t.strictSame([plain.code, plain.stderr], [code, ''])
    t.match(plain.stdout, `${host}:443: ${code === 0 ? 'allowed' : 'denied'}`)
    const json = await runCommand(t, ['explain', host, '--config', file, '--json'])
    t.strictSame([json.code, json.stderr], [code, ''])
    t.equal((JSON.parse(json.stdout) as { allow: boolean }).allow, code === 0)
  }))
})

t.test('a command that waits for its configuration ends by the first signal, as the shell expects', async (t) => {
  const folder = t.testdir()
  const commands = [['check'], ['serve'], ['explain', 'contoso.azurecr.io']]
  await Promise.all(commands.flatMap((argv) => (['SIGINT', 'SIGTERM'] as const).map(async (signal) => {
    const pipe = `${folder}/${argv[0]}-${signal}`
    t.equal(spawnSync('mkfifo', [pipe]).status, 0)
    const { child, result } = startCommand(t, [...argv, '--config', pipe])
    // Opened when the command has opened it too, which then waits for what is never written.
    const writer = await open(pipe, 'w')
    child.kill(signal)
    t.strictSame(await result, { code: null, stdout: '', stderr: '' })
    t.equal(child.signalCode, signal, argv.join(' '))
    await writer.close()
  })))
})

/** An explain that has begun to wait for a name server, which says nothing. */
async function explainInVain (t: Test, options: CommandOptions = {}): Promise<Running> {
  const questions = new EventEmitter()
  const server = await startNameServer({
    answers () {
      questions.emit('asked')
      return { silent: true }
    },
  })
  t.teardown(() => server.close())
  const settings = {
    registries: [{ loginServer: 'contoso.azurecr.io' }],
    dns: { servers: [`${server.address}:${server.port}`], timeout: '1m' },
    tunnel: { connectTimeout: '1m' },
  }
  const file = `${t.testdir({ 'config.yaml': stringify(settings) })}/config.yaml`
  const asked = once(questions, 'asked')
  const running = startCommand(t, ['explain', 'contoso.azurecr.io', '--config', file], options)
  await asked
  return running
}

t.test('Ctrl-C ends an explain that waits for a name server, without an answer', async (t) => {
  const { child, result } = await explainInVain(t)
  child.kill('SIGINT')
  t.strictSame(await result, { code: null, stdout: '', stderr: '' })
  t.equal(child.signalCode, 'SIGINT')
})

t.test('the first process of a container ends by a signal too', async (t) => {
  const unshare = ['unshare', '--map-root-user', '--pid', '--fork', '--kill-child']
  if (spawnSync('unshare', [...unshare.slice(1), 'true']).status !== 0) {
    t.plan(0, 'this user may make no namespace here')
    return
  }
  const { child: { pid }, result } = await explainInVain(t, { program: [...unshare, process.execPath, builtCommand] })
  const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').match(/[0-9]+/) ?? []
  if (first === undefined) throw new Error('there is no process in the namespace')
  process.kill(Number(first), 'SIGTERM')
  t.strictSame(await result, { code: 128 + 15, stdout: '', stderr: '' })
})

t.test('a reader that goes away is no reason for a stack trace', async (t) => {
  const shell = '"$0" "$@" | head -n 1'
  const piped = await runCommand(t, ['check', ...registry], { program: ['sh', '-c', shell, process.execPath, builtCommand] })
  t.equal(piped.stderr, '')
  t.equal(piped.stdout.split('\n').length, 2)
  await Promise.all([['check', ...registry], ['--help'], ['explain', 'a.example', ...registry]].map(async (argv) => {
    const { child, result } = startCommand(t, argv)
    child.stdout?.destroy()
    const { stderr } = await result
    t.equal(stderr, '', argv.join(' '))
  }))
})

t.test('output that cannot be written is told, and the exit code says so', async (t) => {
  const shell = '"$0" "$@" > /dev/full'
  const program = ['sh', '-c', shell, process.execPath, builtCommand]
  const message = 'acr-egress: standard output could not be written (ENOSPC); make room, or write it elsewhere\n'
  const file = `${t.testdir({
    'config.yaml': stringify({
      registries: [{ loginServer: 'contoso.azurecr.io', regions: ['eastus'] }],
      dns: { hosts: { 'contoso.azurecr.io': ['20.1.2.3'] } },
    }),
  })}/config.yaml`
  const table: ReadonlyArray<readonly [argv: readonly string[], code: number]> = [
    [['check', '--config', file], 4],
    [['check', '--config', file, '--json'], 4],
    [['explain', 'contoso.azurecr.io', '--config', file], 4],
    [['explain', 'registry.example', '--config', file], 1],
    [['--help'], 4],
    [['check', '--help'], 4],
    [['--version'], 4],
  ]
  await Promise.all(table.map(async ([argv, code]) => {
    t.strictSame(await runCommand(t, argv, { program }), { code, stdout: '', stderr: message }, argv.join(' '))
  }))
})

t.test('messages that cannot be written do not change the exit code', async (t) => {
  const program = ['sh', '-c', '"$0" "$@" 2> /dev/full', process.execPath, builtCommand]
  const warned = await runCommand(t, ['check', '--registry', 'contoso.azurecr.io'], { program })
  t.equal(warned.code, 0)
  t.match(warned.stdout, 'The configuration is good')
  t.equal((await runCommand(t, ['serv'], { program })).code, 2)
})

t.test('a reader of the messages that goes away does not change the exit code', async (t) => {
  await Promise.all([['serv'], ['serve', '--lisen', '1'], ['check', '--config', '/nowhere/config.yaml']].map(async (argv) => {
    const { child, result } = startCommand(t, argv)
    child.stderr?.destroy()
    t.equal((await result).code, 2, argv.join(' '))
  }))
})

t.test('the demo tells its story and ends with exit code 0', async (t) => {
  const result = await runCommand(t, ['demo'])
  t.equal(result.code, 0)
  const parts = [
    'Making an image', 'Pulling contoso.azurecr.io/', '5 layers, every digest right: sha256:', 'Trying what is not allowed',
    '403 host_not_allowed: registry.example', '403 region_not_configured', 'hint: ', 'Let through:', 'Refused:', 'Status page: http://',
  ]
  let from = 0
  for (const part of parts) {
    const at = result.stdout.indexOf(part, from)
    t.ok(at >= 0, part)
    from = Math.max(from, at)
  }
  t.match(result.stderr, /^Pulled \[#{30}\] 100 % /m)
})

t.test('the demo stays when it is told to, and Ctrl-C ends it with exit code 0', async (t) => {
  const { child, result, stdoutWith } = startCommand(t, ['demo', '--stay'])
  const story = await stdoutWith('https://registry.example/\n')
  const page = /Status page: (http:\S+)\n/.exec(story)?.[1] ?? ''
  t.equal((await fetch(page, { headers: { connection: 'close' } })).status, 200)
  child.kill('SIGINT')
  const ended = await result
  t.equal(ended.code, 0)
  t.equal(findStack(ended), undefined)
})

t.test('Ctrl-C in the middle of the demo ends it without a stack trace', async (t) => {
  const { child, result, stdoutWith } = startCommand(t, ['demo'])
  await stdoutWith('Pulling ')
  child.kill('SIGINT')
  const ended = await result
  t.equal(ended.code, 1)
  t.match(ended.stderr, 'Interrupted')
  t.equal(findStack(ended), undefined)
})

t.test('a second Ctrl-C ends the demo at once, whatever it is doing', async (t) => {
  // It leaves its folder behind.
  const program = ['env', `TMPDIR=${t.testdir()}`, process.execPath, builtCommand]
  const { child, result, stdoutWith, stderrWith } = startCommand(t, ['demo'], { program })
  await stdoutWith('Making ')
  child.kill('SIGINT')
  await stderrWith('interrupt once more to end at once.\n')
  child.kill('SIGINT')
  const { code } = await result
  t.strictSame([code, child.signalCode], [null, 'SIGINT'])
})

/** Runs serve behind systemd-socket-activate, which starts it at the first connection. */
async function startActivated (t: Test, ports: readonly number[]): Promise<Running> {
  const sockets = ports.flatMap((port) => ['-l', `127.0.0.1:${port}`])
  const running = startCommand(t, ['serve', ...registry, '--admin', '127.0.0.1:0', '--listen', '192.0.2.1:443'], {
    program: ['systemd-socket-activate', ...sockets, process.execPath, builtCommand],
  })
  await running.stderrWith(`:${ports.at(-1)} as ${2 + ports.length}`)
  return running
}

t.test('a socket that systemd has opened is served in place of the configured one', async (t) => {
  if (spawnSync('systemd-socket-activate', ['--version']).status !== 0) {
    t.plan(0, 'there is no systemd-socket-activate here')
    return
  }
  for (const count of [1, 2]) {
    const ports = await Promise.all(Array.from({ length: count }, findFreePort))
    const { child, result } = await startActivated(t, ports)
    const client = connect(Number(ports[0]), '127.0.0.1')
    client.write('CONNECT registry.example:443 HTTP/1.1\r\nHost: registry.example:443\r\n\r\n')
    t.match((await readBytes(client, 20)).toString(), /^HTTP\/1\.1 403 host_no/)
    client.destroy()
    await untilClosed(client)
    child.kill('SIGTERM')
    const { code, stdout, stderr } = await result
    t.equal(code, 0)
    const lines = parseLines(stdout)
    t.match(lines.find(({ event }) => event === 'gateway_started'), { proxy: `127.0.0.1:${ports[0]}` })
    t.equal(stderr.includes('warning: only the first socket'), count > 1)
  }
})
