import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { doctorCommand } from '../../../src/cli/doctor.ts'
import { labNames } from '../../../src/lab/lab.ts'
import { listenOnLoopback } from '../../../src/lab/loopback.ts'
import { runHere } from '../../support/command-run.ts'
import { type World, azure, startWorld } from '../../support/doctor-world.ts'
import { startGateway } from '../../support/gateway.ts'
import { labConfiguration } from '../../support/lab-configuration.ts'
import { type ConnectAnswer, type PlainConnectProxy, startPlainConnectProxy } from '../../support/plain-connect-proxy.ts'
import { issueProxyCertificate, tlsKeys } from '../../support/proxy-certificate.ts'
import { startUpstream } from '../../support/upstream.ts'

const { loginServer, dataEndpoint, region, repository, tag } = labNames
const image = `${repository}:${tag}`
const certificate = await issueProxyCertificate()

/** A world whose gateway has a parent; `answer` is what that says, once there is a world to ask. */
async function startBehindParent (
  t: Test, answer: (target: string, world: World) => ConnectAnswer, keys: object = {},
  hosts: Readonly<Record<string, string>> = {},
) {
  const worlds: World[] = []
  const parent: PlainConnectProxy = await startPlainConnectProxy({
    answer (target) {
      const [world] = worlds
      if (world === undefined) throw new TypeError('asked before there is a world')
      return answer(target, world)
    },
  })
  t.teardown(() => parent.close())
  const text = `http://127.0.0.1:${parent.port}`
  const settings = { upstreamProxy: { url: text, ...keys } }
  const world = await startWorld(t, { hosts, settings, files: { 'ca.pem': azure.certificatePem } })
  worlds.push(world)
  return { world, parent, text, run: async (...words: readonly string[]) => await run(world, ...words) }
}

async function run ({ file }: World, ...words: readonly string[]): Promise<Awaited<ReturnType<typeof runHere>>> {
  const argv = ['--config', file, '--ca', join(file, '..', 'ca.pem'), '--image', image, ...words]
  return await runHere(doctorCommand, argv, { stop: new AbortController().signal })
}

/** Where the parent finds what it is asked for. */
function dialRegistry (target: string, { registry }: World): ConnectAnswer {
  return { dial: `127.0.0.1:${target.startsWith(dataEndpoint) ? registry.data.port : registry.login.port}` }
}

t.test('doctor goes through the parent of the configuration, which resolves, and in no other way', async (t) => {
  const direct = await startUpstream(t, (socket) => socket.destroy())
  const hosts = { [loginServer]: `127.0.0.1:${direct.port}`, [dataEndpoint]: `127.0.0.1:${direct.port}` }
  const { parent, text, run } = await startBehindParent(t, dialRegistry, {}, hosts)
  const { code, stdout } = await run()
  t.equal(code, 0, stdout)
  t.match(stdout, new RegExp(`^skipped name +${loginServer}: the affair of the parent proxy ${text}$`, 'm'))
  t.match(stdout, new RegExp(`^skipped address +${dataEndpoint}: the affair of the parent proxy ${text}$`, 'm'))
  t.match(stdout, new RegExp(`^passed {2}proxy +\\d+ ms {2}${loginServer}: the parent proxy ${text} opened a tunnel$`, 'm'))
  t.match(stdout, /^passed {2}layer /m)
  t.match(JSON.parse((await run('--json')).stdout), { ok: true, proxy: text })
  t.equal(direct.connections, 0)
  t.same([...new Set(parent.requests.map((head) => head.split(' ')[1]))], [`${loginServer}:443`, `${dataEndpoint}:443`])
})

t.test('where the gateway resolves, doctor does too, and asks the parent for the address that it judged', async (t) => {
  const { world, parent, run } = await startBehindParent(t, (target) => ({ dial: target }), { resolve: 'gateway' })
  const { code, stdout } = await run()
  t.equal(code, 0, stdout)
  t.match(stdout, new RegExp(`^passed {2}name +\\d+ ms {2}${loginServer}: 127\\.0\\.0\\.1:${world.registry.login.port}$`, 'm'))
  t.match(stdout, /^passed {2}address +\d+ ms .*127\.0\.0\.1 in privateEndpoints/m)
  t.match(stdout, /^passed {2}proxy /m)
  t.same([...new Set(parent.requests.map((head) => head.split(' ')[1]))], [
    `127.0.0.1:${world.registry.login.port}`, `127.0.0.1:${world.registry.data.port}`,
  ])
})

t.test('the endpoints that no layer came from are not looked up where the parent resolves', async (t) => {
  const registries = [{ loginServer, regions: [region, 'westus'] }]
  const { text } = await startBehindParent(t, dialRegistry)
  const world = await startWorld(t, { settings: { registries, upstreamProxy: { url: text } }, files: { 'ca.pem': azure.certificatePem } })
  const { stdout } = await run(world)
  t.match(stdout, new RegExp(`^skipped endpoint +contoso\\.westus\\.data\\.azurecr\\.io: the affair of the parent proxy ${text}$`, 'm'))
})

t.test('a parent that refuses, or is not there, fails the step in the gateway\'s words', async (t) => {
  const refusing = await startBehindParent(t, () => ({ write: 'HTTP/1.1 403 Forbidden by \x07policy\r\n\r\n' }))
  const refused = await refusing.run()
  t.equal(refused.code, 1)
  t.match(refused.stdout, /^failed {2}proxy +\d+ ms {2}contoso\.azurecr\.io: parent_refused: the parent proxy says 403 Forbidden by \\x07policy\. Ask whoever/m)
  t.match(refused.stdout, /^skipped tls +contoso\.azurecr\.io: not tried, because proxy failed$/m)
  const gone = await listenOnLoopback(createServer())
  await gone.close()
  const dead = await startWorld(t, { settings: { upstreamProxy: { url: `http://127.0.0.1:${gone.port}` } }, files: { 'ca.pem': azure.certificatePem } })
  const { code, stdout } = await run(dead, '--json')
  t.equal(code, 1)
  const { steps } = JSON.parse(stdout)
  t.match(steps.find(({ status }: { status: string }) => status === 'failed'), {
    step: 'proxy', reason: 'parent_unreachable', found: /^parent_unreachable: the parent proxy 127\.0\.0\.1:\d+ refused the connection$/,
  })
  t.same(dead.registry.requests.challenges, 0)
})

t.test('a parent with TLS is trusted by the configuration, and the registry inside by the system and --ca', async (t) => {
  const inner = await startWorld(t)
  const gateway = await startGateway(t, `${labConfiguration(inner.lab, { listen: undefined })}
listen: { ${tlsKeys} }
`, certificate.files)
  const world = await startWorld(t, {
    settings: { upstreamProxy: { url: `https://127.0.0.1:${gateway.proxy.port}`, caFile: 'parent.crt' } },
    files: { 'ca.pem': azure.certificatePem, 'parent.crt': certificate.ca },
  })
  const { code, stdout } = await run(world)
  t.equal(code, 0, stdout)
  t.equal(world.registry.requests.challenges, 0, 'its own registry is not what the parent knows')
  t.equal(inner.registry.requests.challenges, 1)
})

t.test('with --proxy doctor is a client, and the parent is the gateway\'s affair', async (t) => {
  const { run, parent } = await startBehindParent(t, dialRegistry)
  const client = await startPlainConnectProxy({ answer: () => ({ write: 'HTTP/1.1 502 no\r\n\r\n' }) })
  t.teardown(() => client.close())
  const { stdout } = await run('--proxy', `http://127.0.0.1:${client.port}`)
  t.match(stdout, /the proxy http:\/\/127\.0\.0\.1:\d+ refuses/)
  t.equal(parent.requests.length, 0)
})
