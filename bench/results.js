/** What was measured, as it stands in a results file, and questions about it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findDrift } from './drift.js'
import { spreadOf } from './statistics.js'

const format = 1

/**
 * An entry is a turn and its `figures`, or the `error` it failed with.
 *
 * @typedef {{
 *   measurement: string, name: string, repeat: number, isReference: boolean,
 *   figures?: Record<string, number>, error?: string,
 * }} Entry
 */

export function createResults ({ machine, peers, plan }) {
  return openResults({ format, startedAt: new Date().toISOString(), machine, peers, plan, notes: [], entries: [] })
}

/** A file that cannot be read as results; the message says why. */
export class ResultsError extends Error {}

/** Reads a results file, or throws a `ResultsError`. */
export function readResults (path) {
  let data
  try {
    data = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new ResultsError(`${path}: ${error.message}`)
  }
  if (data?.format !== format) throw new ResultsError(`${path} is not a results file of this version of the benchmark`)
  return openResults(data)
}

function openResults (data) {
  const entriesOf = (id, name) => data.entries.filter((entry) => entry.measurement === id && entry.name === name)
  const results = {
    data,
    add: (entry) => { data.entries.push(entry) },
    /** Something a reader has to know: what was left out, and why. */
    note: (text) => { if (!data.notes.includes(text)) data.notes.push(text) },
    /** Those measured in a measurement, or tried, in the order of their turns. */
    namesIn: (id) => [...new Set(
      data.entries.filter((entry) => entry.measurement === id && !entry.isReference).map(({ name }) => name))],
    /** One figure in each repeat in which there is one. */
    figuresOf: (id, name, figure, { isReference = false } = {}) => entriesOf(id, name)
      .filter((entry) => entry.isReference === isReference && entry.figures?.[figure] !== undefined)
      .map(({ repeat, figures }) => ({ repeat, value: figures[figure] })),
    countTries: (id, name) => entriesOf(id, name).filter(({ isReference }) => !isReference).length,
    errorsOf: (id, name) => entriesOf(id, name)
      .filter(({ isReference, error }) => !isReference && error !== undefined).map(({ error }) => error),
    /** Writes the file into a folder; returns its path. */
    write (folder) {
      summarize(results)
      mkdirSync(folder, { recursive: true })
      const path = join(folder, `${data.startedAt.replace(/\.[0-9]+/, '').replaceAll(/[-:]/g, '')}.json`)
      writeFileSync(path, `${JSON.stringify(data, null, 1)}\n`)
      return path
    },
  }
  return results
}

/** Adds medians, spreads and drift to the data. */
function summarize (results) {
  const { data } = results
  data.summaries = {}
  data.drift = {}
  for (const { id } of data.plan.measurements) {
    const names = results.namesIn(id)
    if (names.length === 0) continue
    data.summaries[id] = Object.fromEntries(names.map((name) => [name, summarizePeer(results, id, name)]))
    data.drift[id] = findDrift(results, id)
  }
}

function summarizePeer (results, id, name) {
  const figures = new Set(results.data.entries
    .filter((entry) => entry.measurement === id && entry.name === name && !entry.isReference)
    .flatMap((entry) => Object.keys(entry.figures ?? {})))
  return Object.fromEntries([...figures].map((figure) =>
    [figure, spreadOf(results.figuresOf(id, name, figure).map(({ value }) => value))]))
}
