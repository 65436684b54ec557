import { summarize } from './summary.js'
import { makeTables } from './tables.js'

/** The results for a terminal. */
export function renderText (results) {
  return [
    ...makeTables(results).flatMap(renderTable),
    ...summarize(results),
  ].join('\n')
}

function renderTable ({ title, columns, rows, notes }) {
  const isShown = (_, index) => !columns[index].isDetail
  const lines = [
    [title, ...columns.map((column) => column.title).filter(isShown)],
    ...rows.map(({ name, cells }) => [`  ${name}`, ...cells.filter(isShown)]),
  ]
  const widths = lines[0].map((_, index) => Math.max(...lines.map((line) => line[index].length)))
  const pad = (cell, index) => index === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[index])
  return [...lines.map((line) => line.map(pad).join('  ')), ...notes.map((note) => `  ${note}`), '']
}
