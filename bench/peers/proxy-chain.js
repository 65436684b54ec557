import { existsSync, readFileSync } from 'node:fs'
import { authorityOf } from './peer.js'

const home = new URL('../node_modules/proxy-chain/', import.meta.url)
const script = new URL('proxy-chain-server.js', import.meta.url).pathname

/** proxy-chain from npm: CONNECT over Node's streams. */
export const proxyChain = {
  name: 'proxy-chain',
  missing: () => existsSync(home) ? undefined : 'npm ci in bench/ has not run',
  version: () => JSON.parse(readFileSync(new URL('package.json', home), 'utf8')).version,
  target: authorityOf,
  command: ({ listen }) => [process.execPath, script, listen.address, String(listen.port)],
}
