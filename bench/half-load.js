/** The rate of the open loop: the same for all, so that their times can be compared. */
import { median } from './statistics.js'

const closedLoop = 'setups-closed'
const leaders = ['gateway, splice', 'Squid']

/** Half of what the slower of the gateway and Squid did in the closed loop; of the slowest, where both are missing. */
export function findHalfLoad (results) {
  const rates = results.namesIn(closedLoop).map((name) => ({ name, rate: findRate(results, name) }))
    .filter(({ rate }) => rate !== undefined)
  const leading = rates.filter(({ name }) => leaders.includes(name))
  const lowest = Math.min(...(leading.length > 0 ? leading : rates).map(({ rate }) => rate))
  return Number.isFinite(lowest) ? Math.floor(lowest / 2) : undefined
}

/** Why a peer is left out at a rate. */
export function findShortfall (results, name, rate) {
  const own = findRate(results, name)
  if (own === undefined) return 'it has no closed-loop rate'
  if (own < rate) return `it does ${Math.round(own)} set-ups a second, and the rate is ${rate}`
}

function findRate (results, name) {
  return median(results.figuresOf(closedLoop, name, 'setupsPerSecond').map(({ value }) => value))
}
