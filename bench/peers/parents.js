import { gateways } from './gateway.js'
import { squid } from './squid.js'

const [splicing] = gateways
const urlOf = ({ address, port }) => `http://${address}:${port}`

/** Those that can go through a parent proxy, and for comparison without one to the same program. */
export const parentPeers = [
  { ...splicing, name: 'gateway, no parent' },
  {
    ...splicing,
    name: 'gateway, parent',
    command: (setting) => splicing.command({ ...setting, upstreamProxy: { url: urlOf(setting.source) } }),
  },
  {
    ...splicing,
    name: 'gateway, parent, resolve: gateway',
    command: (setting) => splicing.command({ ...setting, upstreamProxy: { url: urlOf(setting.source), resolve: 'gateway' } }),
  },
  { ...squid, name: 'Squid, no parent' },
  { ...squid, name: 'Squid, cache_peer', command: (setting) => squid.command({ ...setting, hasParent: true }) },
].map((peer) => ({ ...peer, part: 'parent' }))
