import { chartFolder, makeCharts } from './charts.js'
import { summarize } from './summary.js'
import { makeTables } from './tables.js'

/** The results as a part of a page: facts, pictures, tables. */
export function renderMarkdown (results) {
  const images = makeCharts(results).map(({ file, title }) => `![${title}](${chartFolder}/${file})`)
  return [
    ...summarize(results).map((line) => `- ${escape(line)}`),
    '',
    ...images.flatMap((image) => [image, '']),
    ...makeTables(results).flatMap(renderTable),
  ].join('\n')
}

function renderTable ({ title, columns, rows, notes }) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  const small = (text) => `<sub>${text}</sub>`
  return [
    `### ${title[0].toUpperCase()}${title.slice(1)}`,
    '',
    line(['', ...columns.map((column) => column.to === undefined ? small(column.title) : column.title)]),
    line(['---', ...columns.map(() => '--:')]),
    ...rows.map(({ name, cells }) => line([
      name.startsWith('gateway') ? `**${name}**` : name,
      ...cells.map((cell, index) => columns[index].to === undefined ? small(cell) : cell),
    ])),
    '',
    ...notes.flatMap((note) => [escape(note), '']),
  ]
}

/** Nothing of what a program said is read as Markdown or HTML. */
function escape (text) {
  return text.replaceAll(/[\\`*_<>[\]|#]/g, '\\$&')
}
