/** What is measured, with which sizes: data only. */

/**
 * One measurement of a plan. `peers` are the beginnings of the names of those that take part, all that can when absent;
 * `needsConnect` leaves out those without CONNECT; `hasDirect` puts the direct connection beside them; `hasReference`
 * measures direct and the C splice loop before each repeat, where they are not part of it. `part` is that of the peers
 * that take part, absent for those that have none. `expectedSeconds` is a guess at one turn, for the time that is left.
 *
 * @typedef {{
 *   id: string, title: string, group: string, network: 'loopback' | 'veth' | 'names' | 'parent' | 'none',
 *   measure: string, options: object, repeats: number, part?: string, peers?: string[], needsConnect?: boolean,
 *   hasDirect?: boolean, hasReference?: boolean, expectedSeconds: number,
 * }} Measurement
 */

export const groups = [
  'bulk', 'setups', 'ping-pong', 'idle', 'veth', 'verify', 'lookups', 'names', 'tls', 'server-name', 'parent',
]

// Descriptors that a proxy needs beyond two a tunnel: listeners, pipes, files, and what Squid keeps in reserve.
const spareDescriptors = 1000

// The full plan stays near an hour on two cores: peers that copy carry half as much.
const full = {
  repeats: 5,
  reference: { flows: 1, splicingBytes: 2e9, copyingBytes: 2e9 },
  bulk: { flows: [1, 8, 64], splicingBytes: 8e9, copyingBytes: 4e9 },
  setups: { clients: 8, count: 8000, warmUpCount: 3000, bulkFlows: 8, bulkRate: 200, bulkCount: 1000 },
  pingPong: { rounds: 20_000 },
  // V8's collector comes by about 25 s after the last of the work.
  idle: { tunnels: [1000, 10_000], settleMs: 35_000, repeats: 2 },
  veth: { flows: [1, 8, 64], splicingBytes: 2e9, copyingBytes: 2e9 },
  verify: { sizes: [0, 1, 65_537, 64 * 2 ** 20] },
  lookups: { sizes: ['used', 'all'], addresses: 4096, fewAddresses: 64, rounds: 3, minMs: 100, load: { rounds: 5, copies: 5 } },
  names: { rate: 100, count: 1000, warmUpCount: 3000, repeats: 3 },
  tls: { flows: [1, 8], bytes: 1e9 },
  serverName: { clients: 8, count: 4000, warmUpCount: 3000, rate: 500, bytes: 4e9 },
  parent: { clients: 8, count: 4000, warmUpCount: 3000 },
  expectedSeconds: {
    bulk: 6,
    setups: 3,
    underBulk: 7,
    pingPong: 3,
    idle: 38,
    veth: 6,
    verify: 2,
    lookups: 3,
    names: 14,
    tls: 6,
    serverName: 16,
    parent: 5,
  },
}

// Shows that everything runs; the figures are too short to say much.
const quick = {
  repeats: 1,
  reference: undefined,
  bulk: { flows: [1, 8], splicingBytes: 0.25e9, copyingBytes: 0.25e9 },
  setups: { clients: 8, count: 400, warmUpCount: 200, bulkFlows: 8, bulkRate: 200, bulkCount: 100 },
  pingPong: { rounds: 1000 },
  idle: { tunnels: [200], settleMs: 500, repeats: 1 },
  veth: { flows: [1], splicingBytes: 0.1e9, copyingBytes: 0.1e9 },
  verify: { sizes: [0, 1, 65_537, 2 ** 20] },
  lookups: { sizes: ['used'], addresses: 256, fewAddresses: 64, rounds: 1, minMs: 1, load: { rounds: 1, copies: 1 } },
  names: { rate: 100, count: 50, warmUpCount: 200, repeats: 1 },
  tls: { flows: [1, 8], bytes: 0.1e9 },
  serverName: { clients: 8, count: 400, warmUpCount: 200, rate: 200, bytes: 0.25e9 },
  parent: { clients: 8, count: 400, warmUpCount: 200 },
  expectedSeconds: {
    bulk: 1,
    setups: 1,
    underBulk: 1,
    pingPong: 1,
    idle: 1,
    veth: 1,
    verify: 1,
    lookups: 1,
    names: 5,
    tls: 1,
    serverName: 4,
    parent: 1,
  },
}

const cLoops = ['C loop']
const largestHaproxy = 'HAProxy, splice 1 MiB'

/**
 * @param {{ isQuick: boolean, only?: string[], repeats?: number, maxDescriptors: number, tags?: string }} wish
 * @returns {{ name: string, reference: object | undefined, measurements: Measurement[] }}
 */
export function createPlan ({ isQuick, only = groups, repeats, maxDescriptors, tags }) {
  const sizes = isQuick ? quick : full
  const measurements = [
    ...planBulk(sizes), ...planSetups(sizes), planPingPong(sizes), ...planIdle(sizes, maxDescriptors),
    ...planVeth(sizes), planVerify(sizes), ...planLookups(sizes, tags), planNames(sizes),
    ...planTls(sizes), planServerName(sizes), planParent(sizes),
  ]
  return {
    name: isQuick ? 'quick' : 'full',
    reference: sizes.reference,
    measurements: measurements
      .filter(({ group }) => only.includes(group))
      // One repeat is enough to see whether bytes are the same.
      .map((one) => ({ ...one, repeats: one.group === 'verify' ? 1 : repeats ?? one.repeats ?? sizes.repeats })),
  }
}

function planBulk ({ bulk: { flows, ...bytes }, expectedSeconds }) {
  return flows.map((count) => ({
    id: `bulk-${count}`,
    title: `bulk, ${countOf(count, 'flow')}`,
    group: 'bulk',
    network: 'loopback',
    measure: 'bulk',
    hasDirect: true,
    options: { flows: count, ...bytes },
    expectedSeconds: expectedSeconds.bulk,
  }))
}

function planSetups ({ setups, expectedSeconds }) {
  const { clients, count, warmUpCount, bulkFlows, bulkRate, bulkCount } = setups
  const common = { group: 'setups', network: 'loopback', needsConnect: true, hasReference: true }
  return [
    {
      ...common,
      id: 'setups-closed',
      title: `set-ups, ${clients} clients`,
      measure: 'setupRate',
      options: { clients, count, warmUpCount },
      expectedSeconds: expectedSeconds.setups,
    },
    {
      ...common,
      id: 'setups-open',
      title: 'set-ups at half load',
      measure: 'setupTimes',
      // The rate is known when the closed loop has been measured.
      options: { rate: undefined, count, warmUpCount },
      expectedSeconds: expectedSeconds.setups,
    },
    {
      ...common,
      id: 'setups-under-bulk',
      title: `set-ups at ${bulkRate}/s beside ${bulkFlows} bulk flows`,
      measure: 'setupTimesUnderBulk',
      options: { rate: bulkRate, count: bulkCount, flows: bulkFlows, warmUpCount },
      expectedSeconds: expectedSeconds.underBulk,
    },
  ]
}

function planPingPong ({ pingPong, expectedSeconds }) {
  return {
    id: 'ping-pong',
    title: 'ping-pong of one byte',
    group: 'ping-pong',
    network: 'loopback',
    measure: 'pingPong',
    peers: [...cLoops, largestHaproxy, 'nginx', 'Squid', 'tinyproxy', 'proxy-chain', 'gateway'],
    hasDirect: true,
    hasReference: true,
    options: pingPong,
    expectedSeconds: expectedSeconds.pingPong,
  }
}

function planIdle ({ idle: { tunnels, settleMs, repeats }, expectedSeconds }, maxDescriptors) {
  const most = Math.floor((maxDescriptors - spareDescriptors) / 2)
  const counts = new Set(tunnels.map((wanted) => Math.min(wanted, most)).filter((count) => count > 0))
  return [...counts].map((count) => ({
    id: `idle-${count}`,
    title: `${count.toLocaleString('en')} idle tunnels`,
    group: 'idle',
    network: 'loopback',
    measure: 'idle',
    // A thread for each of ten thousand tunnels is not what tinyproxy is for.
    peers: [largestHaproxy, 'Squid', 'proxy-chain', 'gateway', ...count > 1000 ? [] : ['tinyproxy']],
    hasReference: true,
    repeats,
    options: { tunnels: count, settleMs },
    expectedSeconds: expectedSeconds.idle,
  }))
}

function planVeth ({ veth: { flows, ...bytes }, expectedSeconds }) {
  return flows.map((count) => ({
    id: `veth-${count}`,
    title: `bulk, ${countOf(count, 'flow')}, veth`,
    group: 'veth',
    network: 'veth',
    measure: 'bulk',
    peers: [...cLoops, largestHaproxy, 'nginx', 'Squid', 'gateway'],
    hasDirect: true,
    options: { flows: count, ...bytes },
    expectedSeconds: expectedSeconds.veth,
  }))
}

function planVerify ({ verify, expectedSeconds }) {
  return {
    id: 'verify',
    title: 'SHA-256 of every byte',
    group: 'verify',
    network: 'loopback',
    measure: 'verify',
    hasDirect: true,
    options: verify,
    expectedSeconds: expectedSeconds.verify,
  }
}

// Of the file of 2025-10-28, and of the made one.
const tagTitles = { used: '2,079 prefixes, three tags', all: '93,362 prefixes, all tags' }

function planLookups ({ lookups, expectedSeconds }, tags) {
  const { sizes, addresses, fewAddresses, rounds, minMs, load } = lookups
  const common = { group: 'lookups', part: 'lookups', network: 'none', expectedSeconds: expectedSeconds.lookups }
  return sizes.flatMap((size) => [
    {
      ...common,
      id: `lookups-${size}`,
      title: `lookups, ${tagTitles[size]}`,
      measure: 'lookups',
      options: { tags, size, addresses, rounds, minMs },
    },
    {
      ...common,
      id: `lookups-${size}-few`,
      title: `lookups of ${fewAddresses} addresses, ${tagTitles[size]}`,
      measure: 'lookups',
      // What a map in front is best at.
      peers: ['gateway, parsed', 'gateway, behind'],
      options: { tags, size, addresses: fewAddresses, rounds, minMs },
    },
    {
      ...common,
      id: `lookups-${size}-load`,
      title: `loading, ${tagTitles[size]}`,
      measure: 'lookupLoad',
      peers: ['gateway, parsed', 'net.BlockList', 'ipaddr.js', 'ip-set'],
      options: { tags, size, ...load },
    },
  ])
}

function planNames ({ names: { repeats, ...options }, expectedSeconds }) {
  return {
    id: 'names',
    title: `set-ups at ${options.rate}/s, by the cache of names`,
    group: 'names',
    part: 'names',
    network: 'names',
    measure: 'names',
    repeats,
    options,
    expectedSeconds: expectedSeconds.names,
  }
}

function planTls ({ tls: { flows, bytes }, expectedSeconds }) {
  return flows.map((count) => ({
    id: `tls-${count}`,
    title: `bulk over TLS, ${countOf(count, 'flow')}`,
    group: 'tls',
    part: 'tls',
    network: 'loopback',
    measure: 'tlsBulk',
    options: { flows: count, bytes },
    expectedSeconds: expectedSeconds.tls,
  }))
}

function planServerName ({ serverName, expectedSeconds }) {
  return {
    id: 'server-name',
    title: 'tunnels that begin with a ClientHello',
    group: 'server-name',
    part: 'server-name',
    network: 'loopback',
    measure: 'serverName',
    options: serverName,
    expectedSeconds: expectedSeconds.serverName,
  }
}

function planParent ({ parent, expectedSeconds }) {
  return {
    id: 'parent',
    title: `set-ups through a parent proxy, ${countOf(parent.clients, 'client')}`,
    group: 'parent',
    part: 'parent',
    network: 'parent',
    measure: 'parentRate',
    options: parent,
    expectedSeconds: expectedSeconds.parent,
  }
}

function countOf (count, noun) {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`
}
