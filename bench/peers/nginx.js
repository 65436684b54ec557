import { existsSync } from 'node:fs'
import { maxDescriptors } from '../processes.js'
import { missingProgram, readVersion, writeConfig } from './peer.js'

// Debian builds the stream module as a file of its own.
const streamModule = '/usr/lib/nginx/modules/ngx_stream_module.so'

/** nginx as a TCP relay. It has no CONNECT before 1.31. */
export const nginx = {
  name: 'nginx stream',
  missing: () => missingProgram('nginx', 'nginx-light libnginx-mod-stream') ??
    (existsSync(streamModule) ? undefined : 'no stream module (Debian: libnginx-mod-stream)'),
  version: () => readVersion('nginx', '-v'),
  command ({ listen, source, folder }) {
    const config = writeConfig(folder, 'nginx.conf', [
      `load_module ${streamModule};`,
      'daemon off;',
      'user root;',
      'worker_processes 1;',
      `pid ${folder}/nginx.pid;`,
      'error_log stderr;',
      `events { worker_connections ${maxDescriptors - 100}; }`,
      'stream {',
      '  server {',
      `    listen ${listen.address}:${listen.port} backlog=16384;`,
      `    proxy_pass ${source.address}:${source.port};`,
      '    proxy_timeout 15m;',
      // The best of 16k (the default), 64k and 256k.
      '    proxy_buffer_size 64k;',
      '  }',
      '}',
    ])
    return ['nginx', '-p', folder, '-c', config]
  },
}
