import { existsSync, readFileSync } from 'node:fs'
import { writeConfig } from './peer.js'

const program = new URL('../../dist/main.js', import.meta.url).pathname
const host = 'contoso.azurecr.io'

/** This gateway, with all that it does for a tunnel: policy, name cache, address check, metrics and its log line. */
export const gateways = ['splice', 'stream'].map((engine) => ({
  name: `gateway, ${engine}`,
  splices: engine === 'splice',
  program,
  missing: () => existsSync(program) ? undefined : 'it is not built (npm run build)',
  version: () => JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version,
  target: () => `${host}:443`,
  command ({ listen, source, folder, tls, serverName = 'off', upstreamProxy }) {
    const config = writeConfig(folder, 'config.yaml', [JSON.stringify({
      registries: [{ loginServer: host, regions: ['eastus'], privateEndpoints: [`${source.address}/32`] }],
      listen: { ...listen, tls },
      admin: { address: '127.0.0.1', port: 0 },
      upstreamProxy,
      tunnel: { serverName, maxTunnels: 20000, maxTunnelsPerClient: 20000, maxSetupsPerSecondPerClient: 100000 },
      dns: { hosts: { [host]: [`${source.address}:${source.port}`] } },
      relay: { engine },
    })])
    return [process.execPath, program, 'serve', '--config', config]
  },
}))

const [splicing] = gateways

/** The gateway that looks at the first bytes of a tunnel, and that does not. */
export const checkingGateways = ['off', 'enforce'].map((serverName) => ({
  ...splicing,
  name: `gateway, serverName ${serverName}`,
  part: 'server-name',
  command: (setting) => splicing.command({ ...setting, serverName }),
}))
