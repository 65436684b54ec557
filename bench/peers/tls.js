import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gateways } from './gateway.js'
import { describeNative } from './native.js'
import { missingProgram, readVersion, writeConfig } from './peer.js'

const [gateway] = gateways

/** The client of bulk over TLS. */
export const tlsClient = describeNative('tls-flows', {
  libraries: ['ssl', 'crypto'], packages: 'gcc libc6-dev libssl-dev',
})

let files

/** The one certificate of all, made by the gateway's own command when it is first asked for. */
export function issueCertificate () {
  if (files !== undefined) return files
  const folder = mkdtempSync(join(tmpdir(), 'acr-egress-bench-certificate-'))
  process.once('exit', () => { rmSync(folder, { recursive: true, force: true }) })
  const args = [gateway.program, 'certs', 'init', '--host', '127.0.0.1', '--dir', folder]
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 })
  if (status !== 0) throw new Error(`certs init failed: ${stderr}`)
  const certFile = join(folder, 'server.crt')
  const keyFile = join(folder, 'server.key')
  files = { certFile, keyFile, pem: `${readFileSync(certFile, 'utf8')}${readFileSync(keyFile, 'utf8')}` }
  return files
}

const gatewayOverTls = {
  name: 'gateway, TLS',
  missing: gateway.missing,
  version: gateway.version,
  target: gateway.target,
  command (setting) {
    const { certFile, keyFile } = issueCertificate()
    return gateway.command({ ...setting, tls: { certFile, keyFile } })
  },
}

const haproxyOverTls = {
  name: 'HAProxy, TLS',
  missing: () => missingProgram('haproxy', 'haproxy'),
  version: () => readVersion('haproxy', '-v'),
  command ({ listen, source, folder }) {
    const pem = writeConfig(folder, 'server.pem', [issueCertificate().pem])
    const config = writeConfig(folder, 'haproxy.cfg', [
      'global',
      '  nbthread 1',
      'defaults',
      '  mode tcp',
      '  timeout connect 10s',
      '  timeout client 15m',
      '  timeout server 15m',
      'frontend front',
      `  bind ${listen.address}:${listen.port} ssl crt ${pem}`,
      '  default_backend back',
      'backend back',
      `  server source ${source.address}:${source.port}`,
    ])
    return ['haproxy', '-db', '-f', config]
  },
}

const stunnel = {
  name: 'stunnel4, TLS',
  missing: () => missingProgram('stunnel4', 'stunnel4'),
  version: () => readVersion('stunnel', '-version'),
  command ({ listen, source, folder }) {
    const { certFile, keyFile } = issueCertificate()
    const config = writeConfig(folder, 'stunnel.conf', [
      'foreground = yes',
      'pid =',
      'debug = warning',
      '[bench]',
      `accept = ${listen.address}:${listen.port}`,
      `connect = ${source.address}:${source.port}`,
      `cert = ${certFile}`,
      `key = ${keyFile}`,
    ])
    return ['stunnel4', config]
  },
}

/** Those that speak TLS with their clients. Only the gateway has CONNECT inside. */
export const tlsPeers = [gatewayOverTls, haproxyOverTls, stunnel].map((peer) => ({
  ...peer,
  part: 'tls',
  missing: () => tlsClient.missing() ?? peer.missing(),
}))
