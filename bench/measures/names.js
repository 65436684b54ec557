import { setTimeout as sleep } from 'node:timers/promises'

// The gateway's least time to live is a second.
const untilExpiredMs = 1200
// It asks a name server twice, for two seconds each.
const untilNoticedMs = 4500

/**
 * Tunnels opened at a fixed rate to one name after the other, in milliseconds from when each was due. A name comes
 * again after `names / rate` seconds, which is more than the least time to live.
 */
export async function measureNames (stage, subject, { rate, count, warmUpCount }) {
  const { isFresh = false, isBlackHoled = false, isNoticed = false, ttl, names } = subject.state
  const run = async (job) => await runSetups(stage, subject, { targets: names.map(toTarget), ...job })
  await run({ clients: 8, count: Math.max(warmUpCount, names.length) })
  if (isBlackHoled) subject.silenceNameServer()
  if (ttl === 0) await sleep(untilExpiredMs)
  if (isNoticed) {
    await run({ rate, count: names.length })
    await sleep(untilNoticedMs)
  }
  const targets = isFresh ? { targets: Array.from({ length: count }, (_, index) => toTarget(makeName(index))) } : {}
  const isOnce = isBlackHoled && !isNoticed
  const mayRefuse = subject.state.staleFor === '0s'
  const outcome = await run({ rate, count: isOnce ? Math.min(count, names.length) : count, mayRefuse, ...targets })
  return {
    namesMilliseconds50: outcome.p50,
    namesMilliseconds99: outcome.p99,
    refusedShare: outcome.refused / outcome.count,
  }
}

const toTarget = (name) => `${name}:443`
const makeName = (index) => `fresh${index}.blob.core.windows.net`

async function runSetups (stage, { route }, job) {
  return await stage.runClient({ kind: 'setups', route, ...job }, {
    async around ({ go, nextLine }) {
      go()
      return JSON.parse(await nextLine())
    },
  })
}
