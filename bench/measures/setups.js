import { readCpuSeconds } from '../processes.js'

/**
 * Lets a peer come up to its speed, which takes a compiler at run time some thousand set-ups; every peer has as many.
 */
async function warmUp (stage, subject, count) {
  if (count === 0) return
  await stage.runClient({ kind: 'setups', route: subject.route, clients: 8, count }, {
    async around ({ go, nextLine }) {
      go()
      await nextLine()
    },
  })
}

/** Tunnels opened one after the other by each of some clients: how many a second, and what each costs. */
export async function measureSetupRate (stage, subject, { clients, count, warmUpCount = 0 }) {
  await warmUp(stage, subject, warmUpCount)
  return await stage.runClient({ kind: 'setups', route: subject.route, clients, count }, {
    async around ({ go, nextLine }) {
      const cpu = readCpuSeconds(subject.pid)
      go()
      const { perSecond, p99 } = JSON.parse(await nextLine())
      return {
        setupsPerSecond: perSecond,
        setupMilliseconds99: p99,
        cpuMicrosecondsPerSetup: (readCpuSeconds(subject.pid) - cpu) * 1e6 / count,
      }
    },
  })
}

/** Tunnels opened at a fixed rate, whatever becomes of them, in milliseconds from when each was due. */
export async function measureSetupTimes (stage, subject, { rate, count, warmUpCount = 0 }) {
  await warmUp(stage, subject, warmUpCount)
  return await stage.runClient({ kind: 'setups', route: subject.route, rate, count }, {
    async around ({ go, nextLine }) {
      go()
      const { p50, p99 } = JSON.parse(await nextLine())
      return { openLoopMilliseconds50: p50, openLoopMilliseconds99: p99 }
    },
  })
}

/** The same while some tunnels are busy with bulk. */
export async function measureSetupTimesUnderBulk (stage, subject, { rate, count, flows, warmUpCount = 0 }) {
  await warmUp(stage, subject, warmUpCount)
  // More than can be carried in the time; it is cut off when the set-ups are done.
  const bytes = 1e12
  return await stage.runClient({ kind: 'flows', route: subject.route, flows, bytes }, {
    isCutOff: true,
    async around ({ go }) {
      go()
      const times = await measureSetupTimes(stage, subject, { rate, count })
      return {
        underBulkMilliseconds50: times.openLoopMilliseconds50,
        underBulkMilliseconds99: times.openLoopMilliseconds99,
      }
    },
  })
}
