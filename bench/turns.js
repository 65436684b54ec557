/** Who is measured when. */

export const directName = 'direct'
export const referenceName = 'C loop, splice'

/**
 * One measurement of one peer. `peer` is absent for the direct connection. A reference is bulk over one flow, to see
 * whether the machine stays the same while something else is measured.
 *
 * @typedef {{
 *   measurement: import('./plan.js').Measurement, repeat: number, name: string, isReference: boolean,
 *   peer?: import('./peers/peer.js').Peer,
 * }} Turn
 */

/**
 * All turns of a plan in their order: measurement by measurement, and inside it A B C A B C, so that a machine that
 * gets slower does so for everybody. `chosen` are the peers that were asked for; `available` those that can run here.
 *
 * @returns {Turn[]}
 */
export function listTurns (plan, { chosen, available }) {
  const reference = available.find(({ name }) => name === referenceName)
  const both = [undefined, ...reference === undefined ? [] : [reference]]
  const turns = []
  for (const measurement of plan.measurements) {
    const peers = chooseFor(measurement, { chosen, available, reference })
    if (peers.length === 0) continue
    for (let repeat = 1; repeat <= measurement.repeats; repeat++) {
      const add = (peer, isReference) => {
        turns.push({ measurement, repeat, peer, name: peer?.name ?? directName, isReference })
      }
      if (measurement.hasReference && plan.reference !== undefined) for (const peer of both) add(peer, true)
      if (measurement.hasDirect) add(undefined, false)
      for (const peer of peers) add(peer, false)
    }
  }
  return turns
}

function chooseFor (measurement, { chosen, available, reference }) {
  return available.filter((peer) => {
    if (peer.part !== measurement.part) return false
    // Bulk is read in ratios to it.
    if (peer === reference && measurement.measure === 'bulk') return true
    if (!chosen.includes(peer) || (measurement.needsConnect && peer.target === undefined)) return false
    return measurement.peers?.some((beginning) => peer.name.startsWith(beginning)) ?? true
  })
}
