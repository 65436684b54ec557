import { maxDescriptors } from '../processes.js'
import { missingProgram, readVersion, writeConfig } from './peer.js'

/** HAProxy as a TCP relay that splices, with pipes of three sizes. It has no CONNECT. */
export const haproxies = [64, 256, 1024].map((kib) => ({
  name: `HAProxy, splice ${kib === 1024 ? '1 MiB' : `${kib} KiB`}`,
  splices: true,
  missing: () => missingProgram('haproxy', 'haproxy'),
  version: () => readVersion('haproxy', '-v'),
  command ({ listen, source, folder }) {
    const config = writeConfig(folder, 'haproxy.cfg', [
      'global',
      '  nbthread 1',
      `  maxconn ${Math.floor(maxDescriptors / 2) - 400}`,
      `  tune.pipesize ${kib * 1024}`,
      '  maxpipes 150',
      'defaults',
      '  mode tcp',
      '  timeout connect 10s',
      '  timeout client 15m',
      '  timeout server 15m',
      '  option splice-request',
      '  option splice-response',
      'frontend front',
      `  bind ${listen.address}:${listen.port}`,
      '  default_backend back',
      'backend back',
      `  server source ${source.address}:${source.port}`,
    ])
    return ['haproxy', '-db', '-f', config]
  },
}))
