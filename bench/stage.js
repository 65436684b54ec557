/** The parts of a measurement, started and stopped: a source, and the peers between it and the client. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCrew } from './crew.js'
import { createLoopback } from './network.js'
import { takePort } from './ports.js'

const script = new URL('load/source.js', import.meta.url).pathname
const parentScript = new URL('load/parent.js', import.meta.url).pathname
const nameServerScript = new URL('load/name-server.js', import.meta.url).pathname
const defaultTimeLimitMs = 120_000

/**
 * What a measurement stands on. `direct` is the way without anything in between, and looks like a started peer.
 * `startPeer` starts one; it is stopped by its own `stop`, or by `close`. `runClient` runs a job of `load/client.js`,
 * or of another script or command: `around` is called when its connections stand; it lets the job `go`, reads its
 * lines, and resolves with what was measured. With `isCutOff` the job is ended then, and must not have ended before;
 * else it ends by itself.
 * `close` ends everything that is left, clients too, and the network; at any time, and more than once.
 *
 * @typedef {{
 *   network: import('./network.js').Network, direct: Subject,
 *   startPeer: (peer: import('./peers/peer.js').Peer) => Promise<Subject>,
 *   runClient: (job: object, work: {
 *     isCutOff?: boolean, around: Function, script?: string, nodeFlags?: string[], command?: string[],
 *   }) => Promise<object>,
 *   close: () => Promise<void>,
 * }} Stage
 * @typedef {{ name: string, splices?: boolean, route?: object, pid?: number, candidate?: string,
 *   findEnd: () => string | undefined, stop: () => Promise<void> }} Subject
 */

/**
 * A stage without a source, for what is measured inside a process: its peers are not started, `runClient` runs them.
 *
 * @returns {Omit<Stage, 'direct'>}
 */
export function createDesk ({ timeLimitMs = defaultTimeLimitMs } = {}) {
  const network = createLoopback()
  const crew = createCrew(network, timeLimitMs)
  return {
    network,
    runClient: crew.runClient,
    startPeer: async ({ name, candidate }) => ({ name, candidate, findEnd: () => undefined, stop: async () => {} }),
    close: crew.close,
  }
}

/**
 * A stage whose peers have a name server each, and whose source is at the port that registries are reached at.
 *
 * @returns {Promise<Omit<Stage, 'direct'>>}
 */
export async function createNameStage () {
  // An address of its own: others may have that port at 127.0.0.1.
  const source = { address: `127.53.${process.pid % 250}.${(process.pid >> 8) % 250 + 1}`, port: 443 }
  const stage = await createStage(createLoopback(), { sourcePlace: source })
  return { ...stage, startPeer: stage.startNamedPeer }
}

/**
 * A stage whose source is a parent proxy.
 *
 * @returns {Promise<Stage>}
 */
export async function createParentStage () {
  return await createStage(createLoopback(), { sourceScript: parentScript })
}

/**
 * Starts the source on a network; the network is the stage's from here on. A client that takes longer than
 * `timeLimitMs` is ended, and its measurement fails.
 *
 * @returns {Promise<Stage>}
 */
export async function createStage (
  network, { timeLimitMs = defaultTimeLimitMs, sourcePlace, sourceScript = script } = {},
) {
  const folder = mkdtempSync(join(tmpdir(), 'acr-egress-bench-'))
  // For peers that give up root.
  chmodSync(folder, 0o755)
  const removeFolder = () => { rmSync(folder, { recursive: true, force: true }) }
  process.once('exit', removeFolder)
  const crew = createCrew(network, timeLimitMs)
  let closing
  const close = async () => {
    await crew.close()
    removeFolder()
    process.off('exit', removeFolder)
    network.close()
  }
  const stage = { network, runClient: crew.runClient, close: () => (closing ??= close()) }
  try {
    const source = await startSource(network, crew, folder, { wanted: sourcePlace, sourceScript })
    return {
      ...stage,
      direct: { name: 'direct', splices: true, route: source, pid: undefined, findEnd: () => undefined, stop: async () => {} },
      startPeer: async (peer) => await startPeer(peer, { network, crew, folder, source }),
      startNamedPeer: async (peer) => await startNamedPeer(peer, { network, crew, folder, source }),
    }
  } catch (error) {
    await stage.close()
    throw error
  }
}

async function startSource (network, crew, folder, { wanted, sourceScript }) {
  const place = wanted ?? { address: network.source, port: await takePort(network.source) }
  const command = [process.execPath, sourceScript, place.address, String(place.port)]
  await crew.start(command, { role: 'source', place, logFile: join(folder, 'source.log') })
  return place
}

/** A peer behind a name server that answers every name with the source, until it is silenced. */
async function startNamedPeer (peer, { network, crew, folder, source }) {
  const place = { address: network.source, port: await takePort(network.source) }
  const args = [place.address, String(place.port), source.address, String(peer.state.ttl)]
  const logFile = join(folder, 'name-server.log')
  const program = await crew.start([process.execPath, nameServerScript, ...args], { role: 'source', place, logFile })
  const subject = await startPeer(peer, { network, crew, folder, source, nameServer: place })
  return {
    ...subject,
    state: peer.state,
    // Its port stays open, so that questions are lost and not refused.
    silenceNameServer: () => { process.kill(-program.pid, 'SIGSTOP') },
    async stop () {
      await subject.stop()
      await crew.stop(program)
    },
  }
}

async function startPeer (peer, { network, crew, folder, source, nameServer }) {
  const place = { address: network.gateway, port: await takePort(network.gateway) }
  const own = mkdtempSync(join(folder, 'peer-'))
  const command = peer.command({ listen: place, source, nameServer, folder: own })
  const program = await crew.start(command, { role: 'gateway', place, logFile: join(own, 'output.log') })
  const target = peer.target?.(source)
  return {
    name: peer.name,
    splices: peer.splices === true,
    route: target === undefined ? place : { ...place, target },
    pid: program.pid,
    /** What it said at its end, if it has ended. */
    findEnd: () => program.hasEnded() ? program.readLog() : undefined,
    async stop () {
      await crew.stop(program)
      rmSync(own, { recursive: true, force: true })
    },
  }
}
