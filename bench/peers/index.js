import { cLoops } from './c-loops.js'
import { checkingGateways, gateways } from './gateway.js'
import { haproxies } from './haproxy.js'
import { httpd } from './httpd.js'
import { finders } from './lookups.js'
import { namedGateways } from './names.js'
import { nginx } from './nginx.js'
import { parentPeers } from './parents.js'
import { proxyChain } from './proxy-chain.js'
import { squid } from './squid.js'
import { tinyproxy } from './tinyproxy.js'
import { tlsPeers } from './tls.js'

/** Every peer, in the order in which they take turns. */
export const peers = [
  ...cLoops, ...gateways, ...haproxies, nginx, squid, tinyproxy, httpd, proxyChain, ...finders, ...namedGateways,
  ...tlsPeers, ...checkingGateways, ...parentPeers,
]
