/** Where the parts of a measurement stand to each other. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { searchPath } from './processes.js'

/**
 * Addresses of the three hosts, and what puts a command onto each of them.
 *
 * @typedef {{
 *   name: string, source: string, gateway: string,
 *   prefixes: { client: string[], gateway: string[], source: string[] }, close: () => void,
 * }} Network
 */

/** All on one host; bytes do not cross anything. */
export function createLoopback () {
  return {
    name: 'loopback',
    source: '127.0.0.1',
    gateway: '127.0.0.1',
    prefixes: { client: [], gateway: [], source: [] },
    close () {},
  }
}

// Two runs at once have namespaces of their own.
const spaceOf = (role) => `acr-bench-${role}-${process.pid}`
const spaces = { client: spaceOf('client'), gateway: spaceOf('gateway'), source: spaceOf('source') }
const spacePattern = /^acr-bench-[a-z]+-([0-9]+)\b/
// RFC 1918, inside the namespaces only.
const links = [
  { peer: 'client', peerAddress: '10.213.1.1', gatewayAddress: '10.213.1.2' },
  { peer: 'source', peerAddress: '10.213.2.1', gatewayAddress: '10.213.2.2' },
]

/**
 * Three hosts in namespaces of their own, the gateway's in the middle, joined by veth pairs at an MTU of 1500 whose
 * offloads are off, so that each packet is one, as on a plain network card. Throws where that is not to be had: it
 * needs root, iproute2 and ethtool.
 */
export function createVethNetwork () {
  const close = () => {
    process.off('exit', close)
    for (const space of Object.values(spaces)) runQuietly('ip', ['netns', 'del', space])
  }
  process.once('exit', close)
  removeLeftovers()
  try {
    for (const space of Object.values(spaces)) {
      run('ip', ['netns', 'add', space])
      run('ip', ['-n', space, 'link', 'set', 'lo', 'up'])
    }
    for (const link of links) join(link)
    route()
  } catch (error) {
    close()
    const why = error.stderr?.trim() || error.message
    throw new Error(`no network namespaces (as root, Debian: iproute2 ethtool): ${why}`)
  }
  const inside = (space) => ['ip', 'netns', 'exec', space]
  return {
    name: 'veth, MTU 1500, no offload',
    source: '10.213.2.1',
    gateway: '10.213.1.2',
    prefixes: { client: inside(spaces.client), gateway: inside(spaces.gateway), source: inside(spaces.source) },
    close,
  }
}

/** Those of runs that were killed. */
function removeLeftovers () {
  let list = ''
  try {
    list = run('ip', ['netns', 'list'])
  } catch {
    // Without `ip` there are none.
  }
  for (const line of list.split('\n')) {
    const [space, pid] = spacePattern.exec(line) ?? []
    if (space !== undefined && !existsSync(`/proc/${pid}`)) runQuietly('ip', ['netns', 'del', space])
  }
}

function join ({ peer, peerAddress, gatewayAddress }) {
  const ends = [
    { space: spaces[peer], device: 'to-gateway', address: peerAddress },
    { space: spaces.gateway, device: `to-${peer}`, address: gatewayAddress },
  ]
  run('ip', ['link', 'add', ends[0].device, 'netns', ends[0].space, 'type', 'veth',
    'peer', 'name', ends[1].device, 'netns', ends[1].space])
  for (const { space, device, address } of ends) {
    run('ip', ['-n', space, 'address', 'add', `${address}/30`, 'dev', device])
    run('ip', ['netns', 'exec', space, 'ethtool', '-K', device, 'tso', 'off', 'gso', 'off', 'gro', 'off'])
    run('ip', ['-n', space, 'link', 'set', device, 'mtu', '1500', 'up'])
  }
}

/** Lets the gateway's host forward, for what goes past the gateway: the direct connection. */
function route () {
  run('ip', ['netns', 'exec', spaces.gateway, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward'])
  for (const { peer, gatewayAddress } of links) {
    run('ip', ['-n', spaces[peer], 'route', 'add', 'default', 'via', gatewayAddress])
  }
}

/** Returns what it printed. */
function run (command, args) {
  const env = { ...process.env, PATH: searchPath }
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env })
}

function runQuietly (command, args) {
  try {
    run(command, args)
  } catch {
    // It was not there.
  }
}
