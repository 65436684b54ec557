// What a person does with policy.mode: report, in a network namespace of its own in which a public address (argument 1)
// is loopback's: observes a pull, asks what enforce would refuse, puts the lines into the configuration, and enforces.
// Writes one JSON document. Argument 2 is a folder for the files.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse, stringify } from 'yaml'
import { startLab } from '../../dist/lab/lab.js'
import { pullImage } from '../../dist/lab/pull.js'
import { startLabRegistry } from '../../dist/lab/registry.js'

const [publicAddress, folder] = process.argv.slice(2)
const command = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const loginServer = 'contoso.azurecr.io'
const blobHost = 'weumanaged15.blob.core.windows.net'
const repository = 'samples/noise'
const tag = '1.0'

/** Serves a port of loopback at the public address too. */
async function forward (port) {
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    for (const socket of [client, upstream]) socket.on('error', () => { client.destroy(); upstream.destroy() })
    client.pipe(upstream).pipe(client)
  })
  server.listen(0, publicAddress)
  await once(server, 'listening')
  return server.address().port
}

/** Runs `use` with a gateway on a configuration, and stops it. */
async function withGateway (configuration, use) {
  const file = join(folder, 'config.yaml')
  await writeFile(file, stringify(configuration))
  const child = spawn(process.execPath, [command, 'serve', '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  try {
    for await (const line of createInterface(child.stdout)) {
      const { event, proxy, admin } = JSON.parse(line)
      if (event !== 'gateway_started') continue
      child.stdout.resume()
      const [host, port] = proxy.split(':')
      return await use({ proxy: { host, port: Number(port) }, admin, file })
    }
    throw new Error('the gateway ended before it had started')
  } finally {
    child.kill('SIGTERM')
    await exited
  }
}

async function explain (...argv) {
  return await new Promise((resolve) => {
    execFile(process.execPath, [command, 'explain', ...argv], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, stdout, stderr })
    })
  })
}

const lab = await startLab({ layers: [50_000] })
const { authority, image } = lab
const registry = await startLabRegistry({ loginServer, dataEndpoint: blobHost, repository, tag, image, authority })
const blobPort = await forward(registry.data.port)

async function pull (proxy) {
  return await pullImage({ proxy, registry: loginServer, repository, tag, ca: lab.ca })
    .then(({ layers }) => `${layers} layers`, (error) => error.message)
}

function configure (mode, keys = {}) {
  return {
    registries: [{ loginServer, privateEndpoints: ['127.0.0.0/8'], ...keys }],
    dns: { hosts: { [loginServer]: [`127.0.0.1:${registry.login.port}`], [blobHost]: [`${publicAddress}:${blobPort}`] } },
    policy: { mode },
    listen: { address: '127.0.0.1', port: 0 },
    admin: { address: '127.0.0.1', port: 0 },
    relay: { engine: 'stream' },
    state: { file: join(folder, 'sightings.json') },
  }
}

const enforcedBefore = await withGateway(configure('enforce'), ({ proxy }) => pull(proxy))
const observed = await withGateway(configure('report'), async ({ proxy, admin }) => ({
  pull: await pull(proxy),
  wouldRefuse: await explain('--would-refuse', '--admin', admin),
  json: await explain('--would-refuse', '--admin', admin, '--json'),
  migration: await explain('--migration', '--admin', admin, '--json'),
}))
const { stdout } = observed.wouldRefuse
// From the first line that is YAML on, as a person copies it.
const { registries: [{ loginServer: _, ...keys }] } = parse(stdout.slice(stdout.indexOf('registries:')))
const enforcedAfter = await withGateway(configure('enforce', keys), async ({ proxy, admin }) => ({
  pull: await pull(proxy),
  wouldRefuse: await explain('--would-refuse', '--admin', admin),
}))
process.stdout.write(JSON.stringify({ enforcedBefore, observed, keys, enforcedAfter }))
process.exit(0)
