/** What the tables show of each measurement. */
import { formatNumber } from './format.js'

const splice = { name: 'C loop, splice', title: 'C splice' }
const copy = { name: 'C loop, copy', title: 'C copy' }
const squid = { name: 'Squid', title: 'Squid' }
const haproxyTls = { name: 'HAProxy, TLS', title: 'HAProxy' }
const unchecked = { name: 'gateway, serverName off', title: 'off' }
const squidWithParent = { name: 'Squid, cache_peer', title: 'Squid' }
const warm = { name: 'gateway, warm', title: 'warm' }
const finder = { name: 'gateway, parsed address', title: 'gateway' }

/**
 * A column is the ratio of a figure to another peer's in the same repeat (`to`), or its median as it was measured, with
 * how far the repeats went apart if it `hasSpread`. A terminal has no room for those that are a `detail`.
 *
 * @typedef {{
 *   title: string, figure: string, to?: { name: string }, isDetail: boolean, hasSpread?: boolean,
 *   format: (value: number) => string,
 * }} Column
 */

function ratio (what, figure, to, { isDetail = false, format = (value) => value.toFixed(2) } = {}) {
  return { title: `${what} ÷ ${to.title}`, figure, to, isDetail, format }
}

function absolute (title, figure, { isDetail = false, hasSpread = false } = {}) {
  return { title, figure, isDetail, hasSpread, format: formatNumber }
}

const cpu = 'cpuSecondsPerGigabyte'
const machine = 'machineSecondsPerGigabyte'
const rate = 'gigabytesPerSecond'

/** @type {Record<string, Column[]>} */
export const columnsOf = {
  bulk: [
    ratio('CPU', cpu, splice),
    ratio('CPU', cpu, copy, { isDetail: true }),
    ratio('CPU', cpu, squid),
    ratio('machine', machine, splice, { isDetail: true }),
    ratio('GB/s', rate, splice),
    absolute('CPU s/GB', cpu),
    absolute('machine s/GB', machine, { isDetail: true }),
    absolute('GB/s', rate),
  ],
  tlsBulk: [
    ratio('CPU', cpu, haproxyTls),
    ratio('machine', machine, haproxyTls, { isDetail: true }),
    ratio('GB/s', rate, haproxyTls),
    absolute('CPU s/GB', cpu),
    absolute('machine s/GB', machine, { isDetail: true }),
    absolute('GB/s', rate),
  ],
  serverName: [
    ratio('set-ups/s', 'setupsPerSecond', unchecked),
    ratio('CPU a set-up', 'cpuMicrosecondsPerSetup', unchecked),
    ratio('p50', 'openLoopMilliseconds50', unchecked, { isDetail: true }),
    ratio('CPU/GB', cpu, unchecked),
    absolute('set-ups/s', 'setupsPerSecond', { hasSpread: true }),
    absolute('CPU µs', 'cpuMicrosecondsPerSetup'),
    absolute('p50 ms', 'openLoopMilliseconds50', { hasSpread: true }),
    absolute('p99 ms', 'openLoopMilliseconds99', { hasSpread: true }),
    absolute('CPU s/GB', cpu),
    absolute('GB/s', rate, { hasSpread: true }),
  ],
  parentRate: [
    ratio('CPU', 'cpuMicrosecondsPerSetup', squidWithParent),
    ratio('set-ups/s', 'setupsPerSecond', squidWithParent),
    absolute('CPU µs', 'cpuMicrosecondsPerSetup', { hasSpread: true }),
    absolute('set-ups/s', 'setupsPerSecond', { hasSpread: true }),
    absolute('p99 ms', 'setupMilliseconds99', { isDetail: true }),
  ],
  setupRate: [
    ratio('set-ups/s', 'setupsPerSecond', squid),
    ratio('p99', 'setupMilliseconds99', squid, { isDetail: true }),
    ratio('CPU', 'cpuMicrosecondsPerSetup', squid),
    absolute('set-ups/s', 'setupsPerSecond'),
    absolute('p99 ms', 'setupMilliseconds99', { isDetail: true }),
    absolute('CPU µs', 'cpuMicrosecondsPerSetup'),
  ],
  setupTimes: [
    ratio('p50', 'openLoopMilliseconds50', squid),
    ratio('p99', 'openLoopMilliseconds99', squid),
    absolute('p50 ms', 'openLoopMilliseconds50'),
    absolute('p99 ms', 'openLoopMilliseconds99'),
  ],
  setupTimesUnderBulk: [
    ratio('p50', 'underBulkMilliseconds50', squid),
    ratio('p99', 'underBulkMilliseconds99', squid),
    absolute('p50 ms', 'underBulkMilliseconds50'),
    absolute('p99 ms', 'underBulkMilliseconds99'),
  ],
  pingPong: [
    ratio('p50', 'pingPongMicroseconds50', copy),
    ratio('p99', 'pingPongMicroseconds99', copy),
    ratio('p99', 'pingPongMicroseconds99', squid, { isDetail: true }),
    absolute('p50 µs', 'pingPongMicroseconds50'),
    absolute('p99 µs', 'pingPongMicroseconds99'),
  ],
  idle: [
    ratio('bytes', 'residentBytesPerTunnel', squid),
    absolute('bytes a tunnel', 'residentBytesPerTunnel'),
  ],
  names: [
    ratio('p50', 'namesMilliseconds50', warm, { format: formatNumber }),
    absolute('p50 ms', 'namesMilliseconds50', { hasSpread: true }),
    absolute('p99 ms', 'namesMilliseconds99', { hasSpread: true }),
    absolute('refused', 'refusedShare'),
  ],
  lookups: [
    ratio('IPv4 hit', 'ipv4HitNanoseconds', finder, { format: formatNumber }),
    ratio('IPv6 hit', 'ipv6HitNanoseconds', finder, { format: formatNumber, isDetail: true }),
    absolute('IPv4 hit ns', 'ipv4HitNanoseconds', { hasSpread: true }),
    absolute('IPv4 miss ns', 'ipv4MissNanoseconds', { hasSpread: true }),
    absolute('IPv6 hit ns', 'ipv6HitNanoseconds', { hasSpread: true }),
    absolute('IPv6 miss ns', 'ipv6MissNanoseconds', { hasSpread: true }),
    absolute('lookups/s', 'lookupsPerSecond', { isDetail: true }),
  ],
  lookupLoad: [
    absolute('first load ms', 'firstLoadMilliseconds', { hasSpread: true }),
    absolute('later loads ms', 'laterLoadMilliseconds', { hasSpread: true }),
    absolute('JSON.parse alone ms', 'jsonMilliseconds', { hasSpread: true }),
    absolute('bytes', 'loadedBytes'),
  ],
  verify: [
    absolute('bytes that came as they were sent', 'verifiedBytes'),
  ],
}
