import { setTimeout as sleep } from 'node:timers/promises'
import { readResidentBytes } from '../processes.js'

/**
 * Resident memory that each tunnel adds while nothing moves through it, read after `settleMs`: a collector that runs
 * when it has nothing else to do needs some seconds to have nothing else to do.
 */
export async function measureIdle (stage, subject, { tunnels, settleMs = 4000 }) {
  return await stage.runClient({ kind: 'idle', route: subject.route, tunnels }, {
    async around ({ go, nextLine }) {
      const before = readResidentBytes(subject.pid)
      go()
      await nextLine()
      await sleep(settleMs)
      const bytes = (readResidentBytes(subject.pid) - before) / tunnels
      go()
      await nextLine()
      return { residentBytesPerTunnel: bytes }
    },
  })
}
