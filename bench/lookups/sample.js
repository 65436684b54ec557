/** The addresses that are looked up. */
import { parseAddress } from '../../dist/net/address.js'
import { parseCidr } from '../../dist/net/cidr.js'
import { createCidrSet } from '../../dist/net/cidr-set.js'
import { createRandom } from './random.js'

const seed = 1

/**
 * Addresses of a family, some in the prefixes and as many beside them: in the neighbour of one, and in none. Far ones
 * would be easier to tell.
 *
 * @returns {{ hits: object[], misses: object[] }}
 */
export function drawSample (prefixes, family, count) {
  const blocks = prefixes.map(parseCidr).filter(({ first }) => first.family === family)
  const set = createCidrSet(blocks)
  const random = createRandom(seed)
  const drawBlock = () => blocks[random() % blocks.length]
  const misses = []
  while (misses.length < count) {
    const address = drawBeside(drawBlock(), random)
    if (set.find(address) === undefined) misses.push(address)
  }
  return { hits: Array.from({ length: count }, () => drawInside(drawBlock(), random)), misses }
}

function drawInside ({ first: { words }, prefixLength }, random) {
  return toAddress(words.map((word, index) => (word | (random() & hostMask(prefixLength, index))) >>> 0))
}

/** In the block that has only the last of its bits other than this one. */
function drawBeside ({ first, prefixLength }, random) {
  const last = prefixLength - 1
  const words = first.words.map((word, index) => index === last >>> 5 ? (word ^ (1 << (31 - (last & 31)))) >>> 0 : word)
  return drawInside({ first: { words }, prefixLength }, random)
}

/** The bits of the word at `index` that do not count. */
function hostMask (prefixLength, index) {
  const bits = Math.min(32, Math.max(0, prefixLength - 32 * index))
  return bits === 32 ? 0 : -1 >>> bits
}

function toAddress (words) {
  const text = words.length === 1
    ? [24, 16, 8, 0].map((shift) => (words[0] >>> shift) & 0xff).join('.')
    : words.flatMap((word) => [word >>> 16, word & 0xffff]).map((group) => group.toString(16)).join(':')
  return parseAddress(text)
}
