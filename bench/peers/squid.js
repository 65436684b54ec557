import { chmodSync } from 'node:fs'
import { maxDescriptors } from '../processes.js'
import { missingProgram, readVersion, writeConfig } from './peer.js'

const host = 'contoso.azurecr.io'

/** Squid with an allowlist of names, and its access log. */
export const squid = {
  name: 'Squid',
  missing: () => missingProgram('squid', 'squid-openssl'),
  version: () => readVersion('squid', '-v'),
  target: ({ port }) => `${host}:${port}`,
  command ({ listen, source, folder, hasParent = false }) {
    // Its worker gives up root.
    chmodSync(folder, 0o777)
    const hosts = writeConfig(folder, 'hosts', [`${source.address} ${host}`])
    const config = writeConfig(folder, 'squid.conf', [
      `http_port ${listen.address}:${listen.port}`,
      `hosts_file ${hosts}`,
      ...hasParent
        ? [`cache_peer ${source.address} parent ${source.port} 0 no-query no-digest`, 'never_direct allow all']
        : [],
      `acl registry dstdomain ${host}`,
      'http_access allow CONNECT registry',
      'http_access deny all',
      'cache deny all',
      'cache_mem 8 MB',
      'memory_pools off',
      `max_filedescriptors ${maxDescriptors}`,
      'read_timeout 15 minutes',
      `access_log stdio:${folder}/access.log`,
      `cache_log ${folder}/cache.log`,
      `pid_filename ${folder}/squid.pid`,
      `coredump_dir ${folder}`,
      'shutdown_lifetime 1 seconds',
      'pinger_enable off',
    ])
    return ['squid', '-N', '-n', `bench${listen.port}`, '-f', config]
  },
}
