/** What a reader has to know before the figures. */
export const caution = 'Ratios only; absolute times do not carry from one run to the next.'

/** @returns {string[]} one fact a line */
export function summarize ({ data }) {
  const { machine, plan, startedAt, isComplete, peers, notes } = data
  return [
    `${startedAt.slice(0, 16).replace('T', ' ')} UTC, ${plan.name} plan${isComplete ? '' : ', INTERRUPTED'}, ` +
      `commit ${machine.commit ?? 'unknown'}; ${machine.cores} cores of ${machine.cpu}, Linux ${machine.kernel}, ` +
      `Node.js ${machine.node}, load at the start ${machine.loadAtStart.toFixed(1)}.`,
    ...data.plan.name === 'quick' ? ['A quick run shows that everything works; its figures are too short to say much.'] : [],
    ...describeVoid(data),
    caution,
    ...peers.filter(({ leftOut }) => leftOut !== undefined).map(({ name, leftOut }) => `Without ${name}: ${leftOut}.`),
    ...notes.map((note) => `${note[0].toUpperCase()}${note.slice(1)}.`),
    `Versions: ${describeVersions(peers)}.`,
  ]
}

function describeVoid ({ plan, drift }) {
  const titles = plan.measurements.filter(({ id }) => drift[id]?.isVoid).map(({ title }) => title)
  return titles.length === 0 ? [] : [`VOID, because the reference drifted: ${titles.join('; ')}. Run it again on a quiet machine.`]
}

/** The numbers alone, once for those that differ in the variant. */
function describeVersions (peers) {
  const texts = peers.filter(({ version }) => version !== undefined).map(({ name, version }) => {
    const [number = version] = /[0-9]+(\.[0-9]+)+/.exec(version) ?? []
    return name.startsWith('C loop') ? `cc ${number}` : `${name.split(',', 1)[0]} ${number}`
  })
  return [...new Set(texts)].join(', ')
}
