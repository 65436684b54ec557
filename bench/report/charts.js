/** Which pictures are made of a result. */
import { directName } from '../turns.js'
import { spreadOf } from '../statistics.js'
import { drawBars } from './bar-chart.js'

/** Beside the page that shows them. */
export const chartFolder = 'performance'

// `of` chooses the measurements, one panel each; with `figures` there is a panel for each of them.
const charts = [
  {
    file: 'cpu-per-gb.svg',
    title: 'CPU-seconds of the relay per GB, loopback: less is better',
    of: ({ group }) => group === 'bulk',
    figures: { '': 'cpuSecondsPerGigabyte' },
  },
  {
    file: 'gb-per-second.svg',
    title: 'GB per second, loopback: more is better',
    of: ({ group }) => group === 'bulk',
    figures: { '': 'gigabytesPerSecond' },
  },
  {
    file: 'cpu-per-gb-veth.svg',
    title: 'CPU-seconds of the relay per GB, veth at MTU 1500: less is better',
    of: ({ group }) => group === 'veth',
    figures: { '': 'cpuSecondsPerGigabyte' },
  },
  {
    file: 'setups-per-second.svg',
    title: 'CONNECT set-ups per second: more is better',
    of: ({ id }) => id === 'setups-closed',
    figures: { '': 'setupsPerSecond' },
  },
  {
    file: 'setup-p99.svg',
    title: 'p99 of a set-up in milliseconds, at a fixed rate: less is better',
    of: ({ id }) => id === 'setups-open' || id === 'setups-under-bulk',
    figures: { open: 'openLoopMilliseconds99', bulk: 'underBulkMilliseconds99' },
    hasOwnScales: true,
  },
  {
    file: 'idle-bytes.svg',
    title: 'Resident bytes for each idle tunnel: less is better',
    of: ({ group }) => group === 'idle',
    figures: { '': 'residentBytesPerTunnel' },
  },
  {
    file: 'ping-pong.svg',
    title: 'Round trip of one byte in a tunnel, in microseconds: less is better',
    of: ({ group }) => group === 'ping-pong',
    figures: { p50: 'pingPongMicroseconds50', p99: 'pingPongMicroseconds99' },
    hasOwnScales: true,
  },
]

export const chartFiles = charts.map(({ file }) => file)

/** The pictures for which there are figures. */
export function makeCharts (results) {
  return charts.flatMap(({ file, title, of, figures, hasOwnScales = false }) => {
    const panels = results.data.plan.measurements.filter(of).flatMap((measurement) =>
      makePanels(results, measurement, figures))
    if (panels.length === 0) return []
    return [{ file, title, svg: drawBars({ title, names: listNames(results, panels), panels, hasOwnScales }) }]
  })
}

function makePanels (results, { id, title, options }, figures) {
  return Object.entries(figures).flatMap(([label, figure]) => {
    const bars = new Map(results.namesIn(id).flatMap((name) => {
      const spread = spreadOf(results.figuresOf(id, name, figure).map(({ value }) => value))
      return spread === undefined ? [] : [[name, spread]]
    }))
    if (bars.size === 0) return []
    return [{ title: label.startsWith('p') ? label : shorten(title, options), bars }]
  })
}

/** Without what the picture's title says already. */
function shorten (title, { rate }) {
  const short = title.replace(/^bulk, |, veth$/g, '').replace('set-ups at ', '')
  return rate === undefined || short.includes('/s') ? short : `${short}, ${rate}/s`
}

/** In the order in which they took turns, the direct connection first. */
function listNames ({ data }, panels) {
  const order = [directName, ...data.peers.map(({ name }) => name)]
  return order.filter((name) => panels.some(({ bars }) => bars.has(name)))
}
