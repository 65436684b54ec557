/**
 * `npm run bench` from the top: measures this gateway and its peers side by side, and writes what came of it. Exits
 * with 0; with 1 when a gateway could not be measured, with 2 on wrong flags, with 128 plus its number on a signal.
 */
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { basename, join, relative } from 'node:path'
import { FlagError, readFlags, usage } from './flags.js'
import { describeMachine } from './machine.js'
import { peers } from './peers/index.js'
import { createPlan } from './plan.js'
import { maxDescriptors } from './processes.js'
import { createProgress } from './progress.js'
import { renderText } from './report/text.js'
import { createResults } from './results.js'
import { takeTurns } from './runner.js'
import { listTurns, referenceName } from './turns.js'

function main (args) {
  let flags
  try {
    flags = readFlags(args, peers)
  } catch (error) {
    if (!(error instanceof FlagError)) throw error
    console.error(`${error.message}\n\n${usage}`)
    return 2
  }
  if (flags.wantsHelp) {
    console.log(usage)
    return 0
  }
  if (!existsSync(join(import.meta.dirname, 'node_modules/koffi'))) {
    console.error('bench has packages of its own: npm ci --prefix bench')
    return 1
  }
  return measure(flags)
}

async function measure ({ isQuick, only, repeats, tags, peers: chosen, out = join(import.meta.dirname, 'results') }) {
  const plan = createPlan({ isQuick, only, repeats, maxDescriptors, tags })
  const known = choosePeers(plan, chosen).map((peer) => {
    const leftOut = peer.missing()
    return { peer, facts: { name: peer.name, ...leftOut === undefined ? { version: peer.version() } : { leftOut } } }
  })
  const results = createResults({ machine: describeMachine(), peers: known.map(({ facts }) => facts), plan })
  if (plan.measurements.some(({ group }) => group === 'lookups')) results.note(describeTags(tags))
  const available = known.filter(({ facts }) => facts.leftOut === undefined).map(({ peer }) => peer)
  const turns = listTurns(plan, { chosen, available })
  if (turns.length === 0) {
    console.error('nothing to measure: none of these peers has a part in these measurements and can run here')
    for (const { facts } of known) if (facts.leftOut !== undefined) console.error(`  ${facts.name}: ${facts.leftOut}`)
    return 2
  }
  const caught = await run(turns, { plan, results })
  const file = relative('', results.write(out))
  console.log(`${renderText(results)}\nresults: ${file}`)
  if (caught !== undefined) return 128 + constants.signals[caught]
  console.log(`into the docs: node ${relative('', join(import.meta.dirname, 'report.js'))} ${file} --docs docs`)
  return results.data.entries.some(({ name, error }) => name.startsWith('gateway') && error !== undefined) ? 1 : 0
}

/** Those that were asked for and have a part in the plan, and the reference. */
function choosePeers ({ measurements }, chosen) {
  const parts = new Set(measurements.map(({ part }) => part))
  return peers.filter((peer) => parts.has(peer.part) && (chosen.includes(peer) || peer.name === referenceName))
}

function describeTags (file) {
  return file === undefined
    ? 'the service tags that are looked up in are made ones, with the counts of Microsoft\'s file of 2025-10-28'
    : `the service tags that are looked up in are those of ${basename(file)}`
}

/** Takes the turns; resolves with the signal that ended it before its time. */
async function run (turns, { plan, results }) {
  const progress = createProgress(turns)
  const interruption = new AbortController()
  let caught
  const interrupt = (signal) => {
    caught ??= signal
    interruption.abort()
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, interrupt)
  try {
    await takeTurns(turns, { plan, results, progress, signal: interruption.signal })
  } finally {
    progress.close()
    for (const signal of signals) process.off(signal, interrupt)
    results.data.isComplete = caught === undefined
    results.data.endedAt = new Date().toISOString()
  }
  return caught
}

process.exitCode = await main(process.argv.slice(2))
