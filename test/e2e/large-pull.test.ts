import t from 'tap'
import { labNames, startLab } from '../../src/lab/lab.ts'
import { pullImage } from '../../src/lab/pull.ts'
import { openSecureSocket } from '../../src/outbound/secure-socket.ts'
import { openTunnel } from '../../src/outbound/tunnel-client.ts'
import { startDaemon } from '../support/daemon.ts'
import { labConfiguration } from '../support/lab-configuration.ts'
import { waitUntil } from '../support/wait-until.ts'

const megabyte = 1_000_000
const { loginServer, repository, tag } = labNames

t.test('2 GB in five layers, three times in a row and three times at once, leave nothing behind', async (t) => {
  const lab = await startLab({ layers: [1000, 500, 300, 150, 50].map((size) => size * megabyte) })
  t.teardown(() => lab.close())
  const folder = t.testdir({ 'config.yaml': labConfiguration(lab) })
  const gateway = await startDaemon(['--config', `${folder}/config.yaml`])
  t.teardown(() => gateway.stop())
  const pull = async () => {
    // Rejects unless the digest of every byte that came is right.
    return await pullImage({ proxy: gateway.proxy, registry: loginServer, repository, tag, ca: lab.ca })
  }
  const untilQuiet = async () => {
    await waitUntil(async () => await countTunnels(gateway.admin) === 0, 'the last tunnel to end')
  }
  // A first tunnel, so that the relay thread is up and has what it needs.
  const socket = await openTunnel({ proxy: gateway.proxy, target: `${loginServer}:443` })
  const first = await openSecureSocket({ socket, servername: loginServer, trust: { ca: lab.ca } })
  first.destroy()
  await untilQuiet()
  const descriptorsBefore = gateway.descriptorCount()
  const residentBefore = gateway.residentBytes()

  for (let round = 0; round < 3; round++) t.ok((await pull()).bytes > 2000 * megabyte)
  const afterRow = gateway.residentBytes()
  for (const { bytes } of await Promise.all([pull(), pull(), pull()])) t.ok(bytes > 2000 * megabyte)

  await t.resolves(untilQuiet())
  await t.resolves(waitUntil(() => gateway.descriptorCount() <= descriptorsBefore, 'every descriptor to be given back'))
  const grown = gateway.residentBytes() - residentBefore
  t.comment(`resident: ${residentBefore} before, ${afterRow} after three pulls, ${gateway.residentBytes()} after six`)
  t.ok(grown < 20 * megabyte, `resident memory is back within 20 MB; it grew by ${grown}`)
})

/** The gateway's own count of open tunnels. */
async function countTunnels (admin: string): Promise<number> {
  const metrics = await (await fetch(`${admin}/metrics`, { headers: { connection: 'close' } })).text()
  const counts = [...metrics.matchAll(/^acr_egress_tunnels_active\{.*\} ([0-9]+)$/gm)]
  return counts.reduce((sum, [, count]) => sum + Number(count), 0)
}
