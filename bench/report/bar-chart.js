/** Horizontal bars as an SVG that is readable on light and on dark pages. */
import { formatNumber } from './format.js'

const width = 720
const labelWidth = 164
const gap = 18
const valueWidth = 46
const rowHeight = 22
const barHeight = 12
const top = 64

const style = `
    text { font: 12px system-ui, sans-serif; fill: #1f2933; }
    .title { font-size: 14px; font-weight: 600; }
    .panel, .value { font-size: 11px; fill: #52606d; }
    .own-label { font-weight: 600; }
    .bar { fill: #9fb3c8; }
    .reference { fill: #cbd2d9; }
    .own { fill: #2f7ed8; }
    .range, .axis { stroke: #323f4b; stroke-width: 1; }
    .axis { opacity: .4; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e4e7eb; }
      .panel, .value { fill: #9aa5b1; }
      .bar { fill: #627d98; }
      .reference { fill: #4a5561; }
      .own { fill: #4098ff; }
      .range, .axis { stroke: #e4e7eb; }
    }
  `

/**
 * One row a name, one panel a measurement; a bar is a median, the line on it goes from the smallest to the largest
 * repeat. All panels have one scale, unless `hasOwnScales`.
 *
 * @typedef {{ median: number, min: number, max: number, count: number }} Spread
 * @typedef {{ title: string, bars: Map<string, Spread> }} Panel
 * @param {{ title: string, names: string[], hasOwnScales: boolean, panels: Panel[] }} chart
 */
export function drawBars ({ title, names, panels, hasOwnScales }) {
  const height = top + names.length * rowHeight + 8
  const panelWidth = (width - labelWidth - gap * panels.length) / panels.length
  const largestOfAll = Math.max(...panels.map(findLargest))
  const drawn = panels.map((panel, index) => drawPanel(panel, {
    names,
    x: labelWidth + gap + index * (panelWidth + gap),
    barWidth: panelWidth - valueWidth,
    largest: hasOwnScales ? findLargest(panel) : largestOfAll,
  }))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escape(title)}">`,
    `  <style>${style}</style>`,
    `  <text class="title" x="0" y="20">${escape(title)}</text>`,
    ...names.map((name, index) => drawLabel(name, index)),
    ...drawn,
    '</svg>',
    '',
  ].join('\n')
}

function findLargest ({ bars }) {
  return Math.max(...[...bars.values()].map(({ max }) => max), Number.MIN_VALUE)
}

function middleOf (index) {
  return top + index * rowHeight + rowHeight / 2
}

function drawLabel (name, index) {
  const kind = name.startsWith('gateway') ? ' class="own-label"' : ''
  return `  <text${kind} x="${labelWidth}" y="${middleOf(index) + 4}" text-anchor="end">${escape(name)}</text>`
}

function drawPanel ({ title, bars }, { names, x, barWidth, largest }) {
  const bottom = top + names.length * rowHeight
  const place = (value) => round(x + Math.max(0, value) / largest * barWidth)
  return [
    `  <text class="panel" x="${round(x)}" y="${top - 10}">${escape(title)}</text>`,
    `  <line class="axis" x1="${round(x)}" x2="${round(x)}" y1="${top}" y2="${bottom}"/>`,
    ...names.flatMap((name, index) => {
      const spread = bars.get(name)
      return spread === undefined ? [] : [drawBar(name, spread, { x: round(x), y: middleOf(index), place })]
    }),
  ].join('\n')
}

function drawBar (name, { median, min, max, count }, { x, y, place }) {
  const end = place(median)
  const isReference = name === 'direct' || name.startsWith('C loop')
  const kind = name.startsWith('gateway') ? 'own' : isReference ? 'reference' : 'bar'
  const range = count === 1
    ? ''
    : `<path class="range" d="M${place(min)} ${y}H${place(max)}M${place(min)} ${y - 3}v6M${place(max)} ${y - 3}v6" fill="none"/>`
  return `  <rect class="${kind}" x="${x}" y="${y - barHeight / 2}" width="${round(end - x)}" height="${barHeight}" rx="1"/>${range}` +
    `<text class="value" x="${round(place(max) + 6)}" y="${y + 4}">${formatNumber(median)}</text>`
}

function round (value) {
  return Math.round(value * 10) / 10
}

function escape (text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
