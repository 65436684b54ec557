/**
 * `node bench/slow-clients.js [SECONDS] [LIMIT]`: what slow clients do to others. Measures the set-up times of one
 * client for so many seconds (20), first alone and then beside 1,000 connections with an unfinished head, 1,000
 * within a TLS handshake and 1,000 tunnels with half a ClientHello, which send a byte a second, begin again when they
 * are ended, and have addresses of their own. LIMIT is that of the gateway for heads and hellos in seconds (10):
 * above SECONDS + 12 none is ended while it measures. Prints the times, the gateway's memory, the processor time that
 * its main thread had and waited for in a second, and how long the last of them is there. Needs 8,000 descriptors.
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
import { createStage } from './stage.js'

const [{ program, version, missing }] = gateways
const seconds = Number(process.argv[2] ?? 20)
const host = 'contoso.azurecr.io'
const rate = 200
const each = 1000
const limitMs = Number(process.argv[3] ?? 10) * 1000
// That long it takes until all of them are there.
const openingMs = 10_000

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

async function measureSetups (stage, route, pace) {
  return await stage.runClient({ kind: 'setups', route, ...pace }, {
    async around ({ go, nextLine }) {
      go()
      return JSON.parse(await nextLine())
    },
  })
}

function readMegabytes (pid) {
  return Number(/VmRSS:\s+([0-9]+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024
}

/** Nanoseconds that the main thread, which makes the set-ups, had a processor, and waited for one. */
function readSchedule (pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ').slice(0, 2).map(Number)
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

function report (what, { p50, p99, max }, { pid, had, waited }) {
  const times = `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, longest ${max.toFixed(1)} ms`
  console.log(`${what}: ${times}; ${readMegabytes(pid).toFixed(0)} MB; processor ${had.toFixed(2)} s/s, waited ${waited.toFixed(2)} s/s`)
}

async function measure (stage, { route, pid }) {
  const before = readSchedule(pid)
  const startedAt = performance.now()
  const times = await measureSetups(stage, route, { rate, count: rate * seconds })
  const elapsed = (performance.now() - startedAt) * 1e6
  const [had, waited] = readSchedule(pid).map((value, index) => (value - before[index]) / elapsed)
  return [times, { pid, had, waited }]
}

async function main () {
  const stage = await createStage(createLoopback())
  const adminPort = await takePort('127.0.0.1')
  try {
    const gateway = await stage.startPeer(describeGateway(adminPort))
    const hello = await recordHello(host)
    const subject = { pid: gateway.pid, route: { ...gateway.route, hello: hello.toString('hex') } }
    await measureSetups(stage, subject.route, { clients: 8, count: 3000 })
    report('alone', ...await measure(stage, subject))
    const slow = startSlowClients({ ...gateway.route, hello, each, overMs: openingMs })
    await slow.allBegun
    await sleep(2000)
    console.log('standing', slow.count(), 'of the gateway', await readOpen(adminPort))
    report('beside slow clients', ...await measure(stage, subject))
    console.log('standing', slow.count(), 'of the gateway', await readOpen(adminPort))
    slow.beginNoMore()
    const endedAt = performance.now()
    let open
    do {
      await sleep(500)
      open = await readOpen(adminPort)
    } while (open.connections + open.tunnels > 0 && performance.now() - endedAt < 2 * limitMs + openingMs)
    console.log(`after ${((performance.now() - endedAt) / 1000).toFixed(1)} s:`, open, 'how they ended', slow.endings())
    report('alone again', ...await measure(stage, subject))
  } finally {
    await stage.close()
  }
}

await main()
process.exit(0)
