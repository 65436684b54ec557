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
  command ({ listen, source, folder }) {
    const config = writeConfig(folder, 'config.yaml', [JSON.stringify({
      registries: [{ loginServer: host, regions: ['eastus'], privateEndpoints: [`${source.address}/32`] }],
      listen,
      admin: { address: '127.0.0.1', port: 0 },
      tunnel: { serverName: 'off', maxTunnels: 20000, maxTunnelsPerClient: 20000, maxSetupsPerSecondPerClient: 100000 },
      dns: { hosts: { [host]: [`${source.address}:${source.port}`] } },
      relay: { engine },
    })])
    return [process.execPath, program, 'serve', '--config', config]
  },
}))
