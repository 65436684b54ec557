import { existsSync, readFileSync } from 'node:fs'
import { gateways } from './gateway.js'

const [{ missing, version }] = gateways

/** What finds an address among prefixes. `candidate` is its key in `lookups/candidates.js`. */
export const finders = [
  { name: 'gateway, parsed address', candidate: 'parsed', missing, version },
  { name: 'gateway, from text', candidate: 'text', missing, version },
  { name: 'gateway, behind a map', candidate: 'cached', missing, version },
  { name: 'net.BlockList', candidate: 'blockList', missing: () => undefined, version: () => process.versions.node },
  { name: 'ipaddr.js, a loop', candidate: 'ipaddr', ...describePackage('ipaddr.js') },
  { name: 'ip-set, IPv4 only', candidate: 'ipSet', ...describePackage('ip-set') },
].map((finder) => ({ ...finder, part: 'lookups' }))

function describePackage (name) {
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url)
  return {
    missing: () => existsSync(file) ? undefined : 'npm ci in bench/ has not run',
    version: () => JSON.parse(readFileSync(file, 'utf8')).version,
  }
}
