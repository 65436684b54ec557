/** Tables of a result, before they are Markdown or text. */
import { spreadOf } from '../statistics.js'
import { columnsOf } from './columns.js'
import { formatSpread } from './format.js'

/**
 * @typedef {import('./columns.js').Column} Column
 * @typedef {{ title: string, columns: Column[], rows: { name: string, cells: string[] }[], notes: string[] }} Table
 */

/**
 * A table for each measurement in which there are entries.
 *
 * @returns {Table[]}
 */
export function makeTables (results) {
  return results.data.plan.measurements.filter(({ id }) => results.namesIn(id).length > 0)
    .map((measurement) => makeTable(results, measurement))
}

function makeTable (results, { id, title, measure, options }) {
  const names = results.namesIn(id)
  const columns = columnsOf[measure].filter((column) => names.some((name) => findSpread(results, id, name, column)))
  return {
    title: `${title}${options.rate === undefined || title.includes('/s') ? '' : ` (${options.rate}/s)`}`,
    columns,
    rows: names.map((name) => ({ name, cells: columns.map((column) => makeCell(results, id, name, column)) })),
    notes: [...describeDrift(results.data.drift[id]), ...describeErrors(results, id, names)],
  }
}

function makeCell (results, id, name, column) {
  if (name === column.to?.name) return '1'
  const spread = findSpread(results, id, name, column)
  if (spread === undefined) return results.errorsOf(id, name).length > 0 ? 'failed' : '–'
  const isWhole = column.to !== undefined || column.hasSpread
  return isWhole ? formatSpread(spread, column.format) : column.format(spread.median)
}

/** Ratios are taken inside a repeat, where both had the same machine. */
function findSpread (results, id, name, { figure, to }) {
  const own = results.figuresOf(id, name, figure)
  if (to === undefined) return spreadOf(own.map(({ value }) => value))
  const others = new Map(results.figuresOf(id, to.name, figure).map(({ repeat, value }) => [repeat, value]))
  return spreadOf(own.map(({ repeat, value }) => value / others.get(repeat)).filter(Number.isFinite))
}

function describeErrors (results, id, names) {
  return names.flatMap((name) => {
    const errors = results.errorsOf(id, name)
    return errors.length === 0 ? [] : [`${name} failed in ${errors.length} of ${results.countTries(id, name)} tries: ${errors[0]}`]
  })
}

function describeDrift (drift) {
  if (drift === undefined) return []
  const { directRate, loopRate, loopCpu, loopCpuDeviation, isVoid } = drift
  const loop = loopCpu === undefined
    ? 'there was no C splice loop to judge by'
    : `C splice loop ${loopRate.toFixed(2)} GB/s, ${loopCpu.toFixed(2)} CPU/GB, at most ${(loopCpuDeviation * 100).toFixed(0)} % from its median`
  return [
    `Drift of the references, largest ÷ smallest: direct ${directRate.toFixed(2)} GB/s; ${loop}.`,
    ...isVoid ? ['VOID: the C splice loop\'s CPU per GB went over 10 % from its median; the machine was not the same throughout.'] : [],
  ]
}
