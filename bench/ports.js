/** Ports for what a benchmark starts. */
import { once } from 'node:events'
import { createServer } from 'node:net'

// Below those that the kernel gives to clients; apart for two runs at once; none twice soon, because connections of the
// one before may still wait.
let nextPort = 12_000 + process.pid % 10 * 2000

/** A port that nobody listens on. */
export async function takePort (address) {
  while (!await isFree(address, nextPort)) nextPort++
  return nextPort++
}

async function isFree (address, port) {
  const server = createServer()
  try {
    server.listen(port, address)
    await once(server, 'listening')
  } catch (error) {
    // An address inside a namespace, where nobody else is.
    return error.code === 'EADDRNOTAVAIL'
  }
  server.close()
  await once(server, 'close')
  return true
}
