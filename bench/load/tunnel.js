import { connectNow, connectSoon, receive, send } from './sockets.js'

/**
 * Where a measurement connects to: `target` is the authority to ask a proxy for, and absent where the connection itself
 * is the tunnel. `hello` is a ClientHello, in hexadecimal, that is sent first; the source sends it back.
 *
 * @typedef {{ address: string, port: number, target?: string, hello?: string }} Route
 */

/** Opens a tunnel and waits for it. */
export function openTunnel ({ address, port, target, hello }) {
  const fd = connectNow(address, port)
  if (target !== undefined) askFor(fd, target)
  if (hello !== undefined) sayHello(fd, Buffer.from(hello, 'hex'))
  return fd
}

function askFor (fd, target) {
  send(fd, connectRequest(target))
  const answer = Buffer.alloc(4096)
  let length = 0
  while (!answer.includes('\r\n\r\n')) {
    const more = receive(fd, answer.subarray(length), { wait: true })
    if (more <= 0) throw new Error(`the proxy closed instead of answering; it had sent: ${answer.toString('latin1', 0, length)}`)
    length += more
  }
  if (!isOpened(answer)) throw new Error(answer.toString('latin1', 0, length))
}

function sayHello (fd, hello) {
  send(fd, hello)
  const answer = Buffer.alloc(hello.length)
  for (let length = 0; length < hello.length;) {
    const more = receive(fd, answer.subarray(length), { wait: true })
    if (more <= 0) throw new Error('the tunnel ended at the ClientHello')
    length += more
  }
}

/** Begins to connect; what the proxy is to be asked comes later. */
export function beginTunnel ({ address, port }) {
  return connectSoon(address, port)
}

/** The whole head of a CONNECT. */
export function connectRequest (target) {
  return Buffer.from(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`)
}

/** Whether an answer begins with a 200. */
export function isOpened (answer) {
  return /^HTTP\/1\.[01] 200/.test(answer.toString('latin1', 0, 12))
}
