import { gateways } from './gateway.js'
import { writeConfig } from './peer.js'

const [{ missing, version, program }] = gateways
const longTtl = 300
const nameCount = 200
const makeNames = (count, suffix) => Array.from({ length: count }, (_, index) => `bench${index}.${suffix}`)
const loginServers = makeNames(nameCount, 'azurecr.io')
const blobHosts = makeNames(nameCount, 'blob.core.windows.net')

/**
 * States of the gateway's cache of names. Names that are kept are login servers of the configuration, the others are
 * blob hosts; with `isFresh` each set-up has a new one. `ttl` is what the name server says, in seconds: 0 is the least
 * that the gateway takes, a second. `isBlackHoled`: the name server falls silent, and what is held has ended;
 * `isNoticed`: and each name was asked for since.
 */
const states = [
  { name: 'warm', ttl: longTtl },
  { name: 'cold', ttl: longTtl, isFresh: true },
  { name: 'expired', ttl: 0 },
  { name: 'expired, kept name', ttl: 0, isKept: true },
  { name: 'black hole, stale, first time', ttl: 0, isBlackHoled: true },
  { name: 'black hole, stale, first time, kept name', ttl: 0, isBlackHoled: true, isKept: true },
  { name: 'black hole, stale, later', ttl: 0, isBlackHoled: true, isNoticed: true },
  { name: 'black hole, nothing stale', ttl: 0, isBlackHoled: true, staleFor: '0s' },
]

/** The gateway with a name server, once for each state. */
export const namedGateways = states.map(({ name, ...state }) => ({
  name: `gateway, ${name}`,
  part: 'names',
  state: { ...state, names: state.isKept ? loginServers : blobHosts },
  missing,
  version,
  command ({ listen, source, nameServer, folder }) {
    const privateEndpoints = [`${source.address}/32`]
    const config = writeConfig(folder, 'config.yaml', [JSON.stringify({
      registries: state.isKept
        ? loginServers.map((loginServer) => ({ loginServer, privateEndpoints }))
        : [{ loginServer: loginServers[0], storage: 'any', privateEndpoints }],
      listen,
      admin: { address: '127.0.0.1', port: 0 },
      dns: { servers: [`${nameServer.address}:${nameServer.port}`], staleFor: state.staleFor ?? '1h' },
    })])
    return [process.execPath, program, 'serve', '--config', config]
  },
}))
