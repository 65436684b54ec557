import { authorityOf, missingProgram, readVersion, writeConfig } from './peer.js'

/** tinyproxy, without a filter. */
export const tinyproxy = {
  name: 'tinyproxy',
  missing: () => missingProgram('tinyproxy', 'tinyproxy-bin'),
  version: () => readVersion('tinyproxy', '-v'),
  target: authorityOf,
  command ({ listen, folder }) {
    const config = writeConfig(folder, 'tinyproxy.conf', [
      `Port ${listen.port}`,
      `Listen ${listen.address}`,
      'Timeout 900',
      'MaxClients 12000',
      `LogFile "${folder}/tinyproxy.log"`,
      // With a line for each connection it does an eighth of the set-ups.
      'LogLevel Error',
    ])
    return ['tinyproxy', '-d', '-c', config]
  },
}
