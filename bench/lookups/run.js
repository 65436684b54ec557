/**
 * `npm run bench:lookups` from the top: nanoseconds to find the prefix that holds an address, beside what else there is
 * for Node, and what it costs to read the file. Prints Markdown. Exits with 2 on wrong flags.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { parseServiceTags } from '../../dist/acr/service-tags.js'
import { describeMachine } from '../machine.js'
import { spreadOf } from '../statistics.js'
import { candidates } from './candidates.js'
import { readPrefixes, usedTags } from './prefixes.js'

const usage = `npm run bench:lookups -- [--tags FILE] [--quick] [--repeats N]

  --tags FILE   Microsoft's file of service tags; without it prefixes are made up in the same numbers
  --quick       shows that it runs
  --repeats N   interleaved repeats, each in a process of its own (5)
`
const columns = ['hit4', 'miss4', 'hit6', 'miss6']

function main (args) {
  let values
  try {
    ({ values } = parseArgs({
      args, options: { tags: { type: 'string' }, quick: { type: 'boolean' }, repeats: { type: 'string' }, help: { type: 'boolean' } },
    }))
    if (!/^[1-9]\d?$/.test(values.repeats ?? '5')) throw new Error('--repeats takes a number from 1 to 99')
  } catch (error) {
    console.error(`${error.message}\n\n${usage}`)
    return 2
  }
  if (values.help) {
    console.log(usage)
    return 0
  }
  const repeats = values.quick ? 1 : Number(values.repeats ?? 5)
  const { source } = readPrefixes(values.tags)
  const { cpu, kernel, node } = describeMachine()
  console.log(`Prefixes: ${source}. ${[cpu, kernel, node].filter(Boolean).join(', ')}. ${repeats} repeats, medians (smallest to largest).`)
  for (const size of ['used', 'whole']) report(size, measureAll(size, repeats, values))
  if (values.tags !== undefined) reportFile(values.tags, repeats)
  return 0
}

function measureAll (size, repeats, { quick, tags = '' }) {
  const rows = new Map(Object.keys(candidates).map((name) => [name, []]))
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const [name, figures] of rows) {
      const argv = ['--expose-gc', join(import.meta.dirname, 'measure.js'), name, size, quick ? '20' : '400', tags]
      const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8', timeout: 300_000 })
      if (status !== 0) throw new Error(`${name} failed: ${stderr.trim().split('\n').slice(-3).join(' / ')}`)
      figures.push(JSON.parse(stdout))
    }
  }
  return rows
}

function report (size, rows) {
  const { prefixes } = [...rows.values()][0][0]
  console.log(`\n### ${prefixes.toLocaleString('en')} prefixes: nanoseconds a look-up\n`)
  console.log('|  | IPv4, found | IPv4, not found | IPv6, found | IPv6, not found | build ms | KB |')
  console.log('| --- | --: | --: | --: | --: | --: | --: |')
  for (const [name, figures] of rows) {
    const cells = columns.map((column) => formatSpread(figures.map((one) => one[column])))
    const build = formatNumber(spreadOf(figures.map(({ buildMs }) => buildMs)).median)
    const memory = Math.round(spreadOf(figures.map(({ bytes }) => bytes)).median / 1024).toLocaleString('en')
    console.log(`| ${name} | ${[...cells, build, memory].join(' | ')} |`)
  }
}

/** Reading the file as the gateway does: all of it as JSON, the prefixes of the tags in use only. */
function reportFile (file, repeats) {
  const times = { json: [], used: [] }
  for (let repeat = 0; repeat < Math.max(5, repeats); repeat++) {
    let startedAt = performance.now()
    JSON.parse(readFileSync(file, 'utf8'))
    times.json.push(performance.now() - startedAt)
    startedAt = performance.now()
    parseServiceTags(readFileSync(file, 'utf8'), (name) => usedTags.includes(name))
    times.used.push(performance.now() - startedAt)
  }
  const size = (statSync(file).size / 1e6).toFixed(1)
  console.log(`\nReading the file of ${size} MB for the tags in use takes ${formatSpread(times.used)} ms, of which reading and JSON.parse are ${formatSpread(times.json)}.`)
}

function formatSpread (values) {
  const { median, min, max } = spreadOf(values)
  return `${formatNumber(median)} (${formatNumber(min)}–${formatNumber(max)})`
}

function formatNumber (value) {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(1)
}

process.exitCode = main(process.argv.slice(2))
