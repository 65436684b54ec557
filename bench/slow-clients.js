/**
 * `node bench/slow-clients.js [SECONDS]`: what slow clients do to others. Measures the set-up times of one client,
 * first alone and then beside 1,000 connections with an unfinished head, 1,000 within a TLS handshake and 1,000 tunnels
 * with half a ClientHello, which send a byte a second, begin again when they are ended, and have addresses of their
 * own. Prints the times, the gateway's memory, and how long the last of them is there. Needs 5,000 descriptors.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLoopback } from './network.js'
import { recordHello } from './load/hello.js'
import { startSlowClients } from './load/slow-clients.js'
import { gateways } from './peers/gateway.js'
import { writeConfig } from './peers/peer.js'
import { issueCertificate } from './peers/tls.js'
import { takePort } from './ports.js'
import { readCpuSeconds } from './processes.js'
import { createStage } from './stage.js'

const [{ program, version, missing }] = gateways
const seconds = Number(process.argv[2] ?? 20)
const host = 'contoso.azurecr.io'
const rate = 200
const each = 1000
const limitMs = 10_000

function describeGateway (adminPort) {
  return {
    name: 'gateway',
    missing,
    version,
    target: () => `${host}:443`,
    command ({ listen, source, folder }) {
      const { certFile, keyFile } = issueCertificate()
      const config = writeConfig(folder, 'config.yaml', [JSON.stringify({
        registries: [{ loginServer: host, regions: ['eastus'], privateEndpoints: [`${source.address}/32`] }],
        listen: { ...listen, headTimeout: `${limitMs}ms`, tls: { certFile, keyFile } },
        admin: { address: '127.0.0.1', port: adminPort },
        tunnel: { serverName: 'enforce', helloTimeout: `${limitMs}ms`, maxSetupsPerSecondPerClient: 1000 },
        dns: { hosts: { [host]: [`${source.address}:${source.port}`] } },
      })])
      return [process.execPath, program, 'serve', '--config', config]
    },
  }
}

async function measureSetups (stage, route, count) {
  return await stage.runClient({ kind: 'setups', route, rate, count }, {
    async around ({ go, nextLine }) {
      go()
      return JSON.parse(await nextLine())
    },
  })
}

function readMegabytes (pid) {
  return Number(/VmRSS:\s+([0-9]+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024
}

async function readOpen (adminPort) {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text()
  const sumOf = (name) => [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? ([0-9.]+)$`, 'gm'))]
    .reduce((sum, [, value]) => sum + Number(value), 0)
  return {
    connections: sumOf('acr_egress_client_connections_active'),
    tunnels: sumOf('acr_egress_tunnels_active'),
    dropped: sumOf('acr_egress_client_connections_dropped_total'),
  }
}

function report (what, { p50, p99, max }, { pid, cpu }) {
  const times = `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, longest ${max.toFixed(1)} ms`
  console.log(`${what}: ${times}; ${readMegabytes(pid).toFixed(0)} MB; CPU ${cpu.toFixed(2)} s/s`)
}

async function measure (stage, { route, pid }) {
  const cpuBefore = readCpuSeconds(pid)
  const startedAt = performance.now()
  const times = await measureSetups(stage, route, rate * seconds)
  return [times, { pid, cpu: (readCpuSeconds(pid) - cpuBefore) * 1000 / (performance.now() - startedAt) }]
}

async function main () {
  const stage = await createStage(createLoopback())
  const adminPort = await takePort('127.0.0.1')
  try {
    const gateway = await stage.startPeer(describeGateway(adminPort))
    const hello = await recordHello(host)
    const subject = { pid: gateway.pid, route: { ...gateway.route, hello: hello.toString('hex') } }
    await measureSetups(stage, subject.route, 3000)
    report('alone', ...await measure(stage, subject))
    const slow = startSlowClients({ ...gateway.route, hello, each, overMs: limitMs })
    await sleep(limitMs + 1000)
    console.log('standing', slow.count(), 'of the gateway', await readOpen(adminPort))
    report('beside slow clients', ...await measure(stage, subject))
    console.log('standing', slow.count(), 'of the gateway', await readOpen(adminPort))
    slow.beginNoMore()
    const endedAt = performance.now()
    let open
    do {
      await sleep(500)
      open = await readOpen(adminPort)
    } while (open.connections + open.tunnels > 0 && performance.now() - endedAt < 3 * limitMs)
    console.log(`after ${((performance.now() - endedAt) / 1000).toFixed(1)} s:`, open, 'how they ended', slow.endings())
    report('alone again', ...await measure(stage, subject))
  } finally {
    await stage.close()
  }
}

await main()
process.exit(0)
