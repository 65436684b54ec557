/**
 * Those that are compared. `build` makes a set of prefixes from their texts; `read` makes of an address's text what
 * `has` is given, which is what the gateway would have at hand; `most` is the most prefixes worth waiting for.
 */
import { createRequire } from 'node:module'
import { BlockList } from 'node:net'
import ipaddr from 'ipaddr.js'
import { parseAddress } from '../../dist/net/address.js'
import { parseCidr } from '../../dist/net/cidr.js'
import { createCidrSet } from '../../dist/net/cidr-set.js'

const require = createRequire(import.meta.url)

export const candidates = {
  gateway: {
    build: (prefixes) => createCidrSet(prefixes.map(parseCidr)),
    read: parseAddress,
    has: (set, address) => set.find(address) !== undefined,
  },
  'gateway, from text': {
    build: (prefixes) => createCidrSet(prefixes.map(parseCidr)),
    read: (text) => text,
    has: (set, text) => set.find(parseAddress(text)) !== undefined,
  },
  'gateway, behind a map of addresses': {
    build: (prefixes) => ({ set: createCidrSet(prefixes.map(parseCidr)), known: new Map() }),
    read: parseAddress,
    has ({ set, known }, address) {
      let found = known.get(address.text)
      if (found === undefined) {
        found = set.find(address) ?? null
        known.set(address.text, found)
      }
      return found !== null
    },
  },
  'net.BlockList': {
    build (prefixes) {
      const list = new BlockList()
      for (const prefix of prefixes) {
        const [address, length] = prefix.split('/')
        list.addSubnet(address, Number(length), address.includes(':') ? 'ipv6' : 'ipv4')
      }
      return list
    },
    read: (text) => ({ text, family: text.includes(':') ? 'ipv6' : 'ipv4' }),
    has: (list, { text, family }) => list.check(text, family),
  },
  'ipaddr.js, a loop': {
    build: (prefixes) => prefixes.map((prefix) => ipaddr.parseCIDR(prefix)),
    read: (text) => ipaddr.parse(text),
    has: (blocks, address) => blocks.some((block) => block[0].kind() === address.kind() && address.match(block)),
  },
  'ip-set, a tree': {
    build (prefixes) {
      const IPSet = require('ip-set')
      return new IPSet(prefixes)
    },
    read: (text) => text,
    has: (set, text) => set.contains(text),
  },
}
