// Measures the built gateway beside a direct connection: one bulk flow, and set-ups. Ratios and medians only; absolute
// figures do not carry from one machine or run to the next.
import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const quick = process.argv.includes('--quick')
const repeats = quick ? 1 : 5
const bulkBytes = (quick ? 0.25 : 4) * 2 ** 30
const setups = quick ? 500 : 5000
const setupClients = 8
const target = 'contoso.azurecr.io:443'
const here = fileURLToPath(new URL('.', import.meta.url))

const source = fork(join(here, 'source.js'))
const [sourcePort] = await once(source, 'message')
const folder = mkdtempSync(join(tmpdir(), 'acr-egress-bench-'))
const gateway = await startGateway(sourcePort)
try {
  const bulk = { direct: [], gateway: [], gatewayCpu: [] }
  const rates = []
  for (let repeat = 0; repeat < repeats; repeat++) {
    bulk.direct.push(await receive(connect(sourcePort, '127.0.0.1')))
    const before = cpuSeconds(gateway.pid)
    bulk.gateway.push(await receive(await openTunnel(gateway.port)))
    bulk.gatewayCpu.push((cpuSeconds(gateway.pid) - before) / (bulkBytes / 1e9))
    rates.push(await measureSetups(gateway.port))
  }
  console.log(`one flow, direct      ${describe(bulk.direct, 'GB/s')}`)
  console.log(`one flow, gateway     ${describe(bulk.gateway, 'GB/s')}`)
  console.log(`  CPU of the gateway  ${describe(bulk.gatewayCpu, 's/GB')}`)
  console.log(`set-ups, gateway      ${describe(rates, '/s')} (${setupClients} clients)`)
} finally {
  source.kill()
  gateway.process.kill()
  rmSync(folder, { recursive: true })
}

async function startGateway (upstreamPort) {
  const config = join(folder, 'config.yaml')
  writeFileSync(config, JSON.stringify({
    registries: [{ loginServer: 'contoso.azurecr.io', regions: ['eastus'], privateEndpoints: ['127.0.0.0/8'] }],
    listen: { address: '127.0.0.1', port: 0 },
    admin: { address: '127.0.0.1', port: 0 },
    dns: { hosts: { 'contoso.azurecr.io': [`127.0.0.1:${upstreamPort}`] } },
  }))
  const command = join(here, '../dist/main.js')
  const child = spawn(process.execPath, [command, 'serve', '--config', config], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface(child.stdout)
  for await (const line of lines) {
    const { event, proxy } = JSON.parse(line)
    if (event !== 'gateway_started') continue
    // Reads on, so that the log cannot fill its pipe.
    child.stdout.resume()
    return { process: child, pid: child.pid, port: Number(proxy.split(':').at(-1)) }
  }
  throw new Error('the gateway did not start; see its messages above')
}

/** Resolves with a socket behind the 200. */
async function openTunnel (port) {
  const socket = connect(port, '127.0.0.1')
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`)
  const [answer] = await once(socket, 'data')
  if (!answer.toString().startsWith('HTTP/1.1 200')) throw new Error(answer.toString())
  return socket
}

/** Asks for the bulk bytes and throws them away; resolves with GB/s. */
async function receive (socket) {
  const startedAt = performance.now()
  let received = 0
  socket.on('data', (chunk) => { received += chunk.length })
  socket.write(`${bulkBytes}\n`)
  await once(socket, 'end')
  socket.destroy()
  if (received !== bulkBytes) throw new Error(`${received} of ${bulkBytes} bytes came`)
  return received / 1e6 / (performance.now() - startedAt)
}

async function measureSetups (port) {
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: setupClients }, async () => {
    for (let done = 0; done < setups / setupClients; done++) (await openTunnel(port)).destroy()
  }))
  return setups / ((performance.now() - startedAt) / 1000)
}

function cpuSeconds (pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  // utime and stime of proc(5), in ticks of 1/100 s.
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function describe (values, unit) {
  const sorted = [...values].sort((a, b) => a - b)
  const show = (value) => value >= 100 ? value.toFixed(0) : value.toFixed(2)
  const [low, middle, high] = [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted.at(-1)].map(show)
  return `${middle} ${unit} (${low} to ${high})`
}
