/**
 * A parent proxy that costs nearly nothing, in the place of a source: `node parent.js ADDRESS PORT`. Whatever comes
 * first on a connection is taken for a whole CONNECT and answered with a 200, and nothing is done from then on.
 */
import { accept, close, createPoll, epoll, openListener, receive, send } from './sockets.js'

const [address, port] = process.argv.slice(2)
const answer = Buffer.from('HTTP/1.1 200 Connection established\r\n\r\n')
const input = Buffer.alloc(64 * 1024)
const listener = openListener(address, Number(port))
const poll = createPoll()
const answered = new Set()
poll.add(listener, epoll.in)
process.stdout.write('ready\n')
for (;;) poll.wait(-1, serve)

function serve (fd) {
  if (fd === listener) {
    for (let client = accept(listener); client >= 0; client = accept(listener)) poll.add(client, epoll.in)
    return
  }
  const length = receive(fd, input)
  if (length === -1) return
  if (length <= 0) {
    answered.delete(fd)
    close(fd)
  } else if (!answered.has(fd)) {
    answered.add(fd)
    send(fd, answer)
  }
}
