/**
 * The name server of a measurement, a process of its own: `node name-server.js ADDRESS PORT ANSWER TTL`. Every name has
 * the IPv4 address ANSWER for TTL seconds, and no IPv6 address. It is asked over UDP; the port is open for TCP too, so
 * that it can be seen whether it runs.
 */
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { encodeResponse, parseQuery } from '../../dist/lab/dns-message.js'

const [address, port, answer, ttl] = process.argv.slice(2)
const udp = createSocket('udp4')

udp.on('message', (message, asker) => {
  const query = parseQuery(message)
  if (query === undefined) return
  const { id, question, name, type } = query
  const records = type === 'A' ? [{ type, name, ttl: Number(ttl), address: answer }] : []
  const response = { id, question, code: 'NOERROR', records, truncated: false }
  udp.send(encodeResponse(query, response), asker.port, asker.address)
})
udp.bind(Number(port), address, () => {
  createServer((socket) => socket.destroy()).listen(Number(port), address)
})
