/**
 * What is compared, each as it would stand in the gateway. `load` makes what is searched of the text of a file of
 * service tags, `contains` the function that searches it: that is given what `toInput` makes of an address, and what it
 * returns is as good as true or false. `families` is absent when it is both; what is
 * `isOutsideHeap` has no bytes that could be counted here.
 *
 * @typedef {{
 *   load: (text: string, size: 'used' | 'all') => object,
 *   contains: (loaded: object) => (input: unknown) => unknown,
 *   toInput: (address: import('../../src/net/address.ts').Address) => unknown,
 *   families?: number[], isOutsideHeap?: boolean,
 * }} Candidate
 */
import { BlockList } from 'node:net'
import { chooseTags, listPrefixes } from './prefixes.js'

/**
 * Opens one by its key; only what it needs is loaded, so that nothing else is in its process.
 *
 * @returns {Promise<Candidate>}
 */
export async function openCandidate (key) {
  return await openers[key]()
}

const openers = {
  async parsed () {
    const { load, join } = await openGateway()
    return { load, toInput: (address) => address, contains: (tags) => findIn(join(tags)) }
  },

  async text () {
    const { load, join } = await openGateway()
    const { parseAddress } = await import('../../dist/net/address.js')
    const contains = (tags) => {
      const set = join(tags)
      return (text) => set.find(parseAddress(text))
    }
    return { load, toInput: ({ text }) => text, contains }
  },

  async cached () {
    const { load, join } = await openGateway()
    return { load, toInput: (address) => address, contains: (tags) => findBehindMap(join(tags)) }
  },

  blockList: () => ({
    isOutsideHeap: true,
    load: (text, size) => fillBlockList(listPrefixes(text, size)),
    toInput: ({ text, family }) => ({ text, family: `ipv${family}` }),
    contains: (list) => ({ text, family }) => list.check(text, family),
  }),

  async ipaddr () {
    const { default: ipaddr } = await import('ipaddr.js')
    return {
      load (text, size) {
        const blocks = listPrefixes(text, size).map((prefix) => ipaddr.parseCIDR(prefix))
        const ofKind = (kind) => blocks.filter(([first]) => first.kind() === kind)
        return { ipv4: ofKind('ipv4'), ipv6: ofKind('ipv6') }
      },
      toInput: ({ text }) => ipaddr.parse(text),
      contains: (blocks) => (address) => blocks[address.kind()].some((block) => address.match(block)),
    }
  },

  async ipSet () {
    const { default: IPSet } = await import('ip-set')
    return {
      families: [4],
      load: (text, size) => new IPSet(listPrefixes(text, size).filter((prefix) => !prefix.includes(':'))),
      toInput: ({ words: [word] }) => word,
      contains: (set) => (word) => set.contains(word),
    }
  },
}

/** As the gateway reads its file: a set for each tag. It is searched as one set of them all. */
async function openGateway () {
  const { parseServiceTags } = await import('../../dist/acr/service-tags.js')
  const { createCidrSet } = await import('../../dist/net/cidr-set.js')
  return {
    load: (text, size) => parseServiceTags(text, chooseTags(size)).serviceTags.tags,
    join: (tags) => createCidrSet(tags.flatMap(({ blocks }) => blocks.blocks)),
  }
}

function findIn (set) {
  return (address) => set.find(address)
}

/** A set behind a map of what it said of each address; `null` stands for nowhere. */
function findBehindMap (set) {
  const known = new Map()
  return (address) => {
    let block = known.get(address.text)
    if (block === undefined) {
      block = set.find(address) ?? null
      known.set(address.text, block)
    }
    return block
  }
}

function fillBlockList (prefixes) {
  const list = new BlockList()
  for (const prefix of prefixes) {
    const [first, length] = prefix.split('/')
    list.addSubnet(first, Number(length), first.includes(':') ? 'ipv6' : 'ipv4')
  }
  return list
}
