import { authorityOf, missingProgram, readVersion, writeConfig } from './peer.js'

const modules = ['mpm_event', 'authz_core', 'authz_host', 'proxy', 'proxy_connect']

/** Apache httpd with mod_proxy_connect: a thread for each tunnel. */
export const httpd = {
  name: 'Apache httpd',
  missing: () => missingProgram('apache2', 'apache2-bin'),
  version: () => readVersion('apache2', '-v'),
  target: authorityOf,
  command ({ listen, source, folder }) {
    const config = writeConfig(folder, 'httpd.conf', [
      `ServerRoot ${folder}`,
      `PidFile ${folder}/httpd.pid`,
      `ErrorLog ${folder}/error.log`,
      'ServerName bench.invalid',
      ...modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`),
      `Listen ${listen.address}:${listen.port}`,
      'ServerLimit 16',
      'ThreadLimit 100',
      'ThreadsPerChild 100',
      'MaxRequestWorkers 1600',
      'ProxyRequests On',
      'ProxyTimeout 900',
      `AllowCONNECT ${source.port}`,
      '<Proxy "*">',
      '  Require all granted',
      '</Proxy>',
    ])
    return ['apache2', '-f', config, '-DFOREGROUND']
  },
}
