/** Takes the turns of a plan, one after the other. */
import { findHalfLoad, findShortfall } from './half-load.js'
import { measureBulk } from './measures/bulk.js'
import { measureIdle } from './measures/idle.js'
import { measureLookupLoad, measureLookups } from './measures/lookups.js'
import { measureNames } from './measures/names.js'
import { measurePingPong } from './measures/ping-pong.js'
import { measureServerName } from './measures/server-name.js'
import { measureSetupRate, measureSetupTimes, measureSetupTimesUnderBulk } from './measures/setups.js'
import { measureTlsBulk } from './measures/tls-bulk.js'
import { verifyBytes } from './measures/verify.js'
import { createLoopback, createVethNetwork } from './network.js'
import { createDesk, createNameStage, createParentStage, createStage } from './stage.js'

const measures = {
  bulk: measureBulk,
  idle: measureIdle,
  lookupLoad: measureLookupLoad,
  lookups: measureLookups,
  names: measureNames,
  parentRate: measureSetupRate,
  pingPong: measurePingPong,
  serverName: measureServerName,
  setupRate: measureSetupRate,
  setupTimes: measureSetupTimes,
  setupTimesUnderBulk: measureSetupTimesUnderBulk,
  tlsBulk: measureTlsBulk,
  verify: verifyBytes,
}
const stages = {
  loopback: () => createStage(createLoopback()),
  veth: () => createStage(createVethNetwork()),
  names: createNameStage,
  parent: createParentStage,
  none: createDesk,
}

// A peer that waits for a time limit in every repeat would make a run endless.
const mostFailures = 2

/**
 * Takes all turns and adds what comes of them to the results: a turn that fails is noted, and the run goes on. When
 * `signal` aborts, everything that was started is ended, and this resolves soon. Each measurement has a stage of its
 * own.
 */
export async function takeTurns (turns, { plan, results, progress, signal }) {
  let stage
  let current
  const closeStage = async () => await stage?.close()
  signal.addEventListener('abort', closeStage)
  try {
    for (const [index, turn] of turns.entries()) {
      if (turn.measurement !== current) {
        await closeStage()
        current = turn.measurement
        stage = await openStage(current, { results, progress })
      }
      // It may have been aborted while the stage was built.
      if (signal.aborted) return
      if (stage === undefined) continue
      const options = chooseOptions(turn, { plan, results })
      if (options === undefined) continue
      progress.begin(index)
      const startedAt = performance.now()
      const outcome = await takeTurn(stage, turn, options)
      if (signal.aborted) return
      if (outcome.error !== undefined) progress.say(`${turn.measurement.title}: ${turn.name} failed: ${outcome.error}`)
      progress.end(index, (performance.now() - startedAt) / 1000)
      const { measurement: { id }, name, repeat, isReference } = turn
      results.add({ measurement: id, name, repeat, isReference, ...outcome })
    }
  } finally {
    await closeStage()
    signal.removeEventListener('abort', closeStage)
  }
}

async function openStage ({ title, network }, { results, progress }) {
  try {
    return await stages[network]()
  } catch (error) {
    const text = `${title}: left out: ${shorten(error.message)}`
    progress.say(text)
    results.note(text)
    return undefined
  }
}

/** The options of a turn, or `undefined` when it is left out, which is noted. */
function chooseOptions ({ measurement, name, isReference }, { plan, results }) {
  if (isReference) return plan.reference
  if (results.errorsOf(measurement.id, name).length >= mostFailures) return undefined
  if (measurement.measure !== 'setupTimes') return measurement.options
  measurement.options.rate ??= findHalfLoad(results)
  const { rate } = measurement.options
  const shortfall = rate === undefined ? 'nobody has a closed-loop rate' : findShortfall(results, name, rate)
  if (shortfall === undefined) return measurement.options
  results.note(`${measurement.title}: without ${name}: ${shortfall}`)
  return undefined
}

async function takeTurn (stage, { measurement, peer, isReference }, options) {
  let subject
  try {
    subject = peer === undefined ? stage.direct : await stage.startPeer(peer)
    const measure = measures[isReference ? 'bulk' : measurement.measure]
    return { figures: await measure(stage, subject, sizeFor(subject, options)) }
  } catch (error) {
    const end = subject?.findEnd()
    return { error: shorten(end === undefined ? error.message : `it ended: ${end}`) }
  } finally {
    await subject?.stop()
  }
}

/** Bulk is less for those that copy. */
function sizeFor (subject, { splicingBytes, copyingBytes, ...options }) {
  if (splicingBytes === undefined) return options
  return { ...options, bytes: subject.splices ? splicingBytes : copyingBytes }
}

function shorten (message) {
  return message.trim().replaceAll(/\s*\n\s*/g, ' / ').slice(0, 400)
}
