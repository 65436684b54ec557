/** A file of service tags for machines that have none: the counts and prefix lengths of Microsoft's of 2025-10-28. */
import { createRandom } from './random.js'

const seed = 20251028
const tagCount = 3039

// LENGTH*COUNT: how many prefixes there are of each length.
const services = {
  AzureContainerRegistry: {
    ipv4: '23*9 24*29 25*159 26*296 27*1 29*94 32*2',
    ipv6: '120*2 121*171 122*148 123*1 125*233 128*1',
  },
  Storage: {
    ipv4: '16*4 17*4 18*3 19*4 21*1 22*3 23*4 24*9 25*15 26*71 27*58 28*318 32*1',
    ipv6: '47*2 48*77',
  },
  MicrosoftContainerRegistry: { ipv4: '29*174 32*2', ipv6: '125*182 128*1' },
}

// All the other tags together. Nearly half of their prefixes are in more than one: a service has those of its regions.
const others = {
  ipv4: '15*40 16*453 17*1052 18*861 19*625 20*488 21*648 22*975 23*3081 24*7655 25*2640 26*5259 27*7594 ' +
      '28*7390 29*7192 30*3687 31*3150 32*14882',
  ipv6: '45*10 46*25 47*217 48*1308 54*158 55*251 56*610 57*291 58*62 59*379 60*131 61*210 62*515 63*819 ' +
      '64*2107 117*128 118*16 119*62 120*768 121*3009 122*2874 123*4007 124*1865 125*2351 126*362 127*179 ' +
      '128*897',
}
const repeatedOf10 = 4

/** The text of such a file: always the same. */
export function makeTagFile () {
  const random = createRandom(seed)
  const named = Object.entries(services).map(([name, { ipv4, ipv6 }]) =>
    makeTag(name, [...drawAll(ipv4, drawIpv4, random), ...drawAll(ipv6, drawIpv6, random)]))
  const rest = [
    ...repeatSome(drawAll(others.ipv4, drawIpv4, random)),
    ...repeatSome(drawAll(others.ipv6, drawIpv6, random)),
  ]
  const values = [...named, ...splitAmong(tagCount - named.length, rest)]
  return JSON.stringify({ changeNumber: 375, cloud: 'Public', values }, null, 2)
}

function makeTag (name, addressPrefixes) {
  return {
    name,
    id: name,
    properties: {
      changeNumber: 1,
      region: '',
      regionId: 0,
      platform: 'Azure',
      systemService: name,
      addressPrefixes,
      networkFeatures: ['API', 'NSG', 'UDR', 'FW'],
    },
  }
}

function drawAll (counts, draw, random) {
  return counts.split(' ').map((part) => part.split('*').map(Number)).flatMap(([length, count]) =>
    Array.from({ length: count }, () => `${draw(length, random)}/${length}`))
}

/** Some of these again, in place of others. */
function repeatSome (prefixes) {
  const fresh = prefixes.filter((_, index) => index % 10 >= repeatedOf10)
  return prefixes.map((prefix, index) => index % 10 >= repeatedOf10 ? prefix : fresh[index % fresh.length])
}

function splitAmong (count, prefixes) {
  const each = prefixes.length / count
  return Array.from({ length: count }, (_, index) =>
    makeTag(`Service${index}`, prefixes.slice(Math.round(index * each), Math.round((index + 1) * each))))
}

// Azure has most of its addresses in these.
const heads4 = [4, 9, 13, 20, 23, 40, 48, 51, 52, 57, 68, 70, 72, 74, 85, 98, 104, 108, 132, 135, 137, 168, 172, 191]

function drawIpv4 (length, random) {
  const head = heads4[random() % heads4.length]
  const word = ((head << 24) | (random() & 0xffffff)) & (-1 << (32 - length))
  return [24, 16, 8, 0].map((shift) => (word >>> shift) & 0xff).join('.')
}

/** Below 2603:1000::/24, as Microsoft's. */
function drawIpv6 (length, random) {
  const groups = [0x2603, 0x1000 | (random() & 0xff), ...Array.from({ length: 6 }, () => random() & 0xffff)]
  const kept = groups.map((group, index) => {
    const bits = Math.min(16, Math.max(0, length - 16 * index))
    return group & (0xffff << (16 - bits)) & 0xffff
  })
  // Microsoft has a long run of zeros before the last part of its narrow prefixes.
  if (length > 64) kept.fill(0, 4, 7)
  return kept.map((group) => group.toString(16)).join(':').replace(/(?::0)+$/, '::')
}
