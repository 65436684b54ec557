import { tlsClient } from '../peers/tls.js'
import { measureBulk } from './bulk.js'

/** As bulk, with TLS between the client and the peer. */
export async function measureTlsBulk (stage, subject, { flows, bytes }) {
  const { address, port, target = '-' } = subject.route
  const command = [tlsClient.binary, address, String(port), target, String(flows), String(bytes)]
  return await measureBulk(stage, subject, { flows, bytes, command })
}
