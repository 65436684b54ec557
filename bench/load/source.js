/**
 * The upstream of every measurement, a process of its own: `node source.js ADDRESS PORT`. The first line of a
 * connection says what it does: `send BYTES` sends so many from a file and ends, `noise SEED BYTES` sends so many
 * pseudo-random ones and ends, `echo` sends back what comes, `hold` does nothing. A TLS ClientHello before it is sent
 * back.
 */
import { openSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeNoise } from './noise.js'
import { accept, close, createPoll, epoll, openListener, receive, send, sendFile, shutdownWrite } from './sockets.js'

const [address, port] = process.argv.slice(2)
const fileBytes = 1024 * 1024
const offset = Buffer.alloc(8)
const input = Buffer.alloc(64 * 1024)
// So that one fast flow leaves the others their turn.
const roundsPerTurn = 8
// RFC 8446 section 5.1.
const tlsHandshake = 0x16

const file = openFile()
const listener = openListener(address, Number(port))
const poll = createPoll()
/** What each connection does: bytes left to send, noise left to send, or a word. */
const tasks = new Map()
poll.add(listener, epoll.in)
process.stdout.write('ready\n')
for (;;) poll.wait(-1, serve)

function openFile () {
  const path = join(tmpdir(), `acr-egress-bench-source-${process.pid}`)
  const fd = openSync(path, 'w+')
  unlinkSync(path)
  writeSync(fd, Buffer.alloc(fileBytes, 0x5a))
  return fd
}

function serve (fd, bits) {
  if (fd === listener) {
    for (let client = accept(listener); client >= 0; client = accept(listener)) {
      tasks.set(client, 'line')
      poll.add(client, epoll.in)
    }
    return
  }
  const task = tasks.get(fd)
  if (typeof task === 'string') {
    if (bits !== epoll.out) read(fd, task)
  } else if ((bits & (epoll.error | epoll.hangUp)) !== 0) end(fd)
  else if (typeof task === 'number') sendOn(fd, task)
  else sendNoise(fd, task)
}

function read (fd, task) {
  const length = receive(fd, input)
  if (length === -1) return
  if (length <= 0) return end(fd)
  if (task === 'echo') send(fd, input, length)
  if (task === 'line') begin(fd, input.subarray(0, length))
}

function begin (fd, bytes) {
  if (bytes[0] === tlsHandshake) return send(fd, bytes)
  const lineEnd = bytes.indexOf('\n')
  const [word, ...rest] = bytes.toString('latin1', 0, lineEnd).split(' ')
  if (word === 'send') tasks.set(fd, Number(rest[0]))
  else if (word === 'noise') tasks.set(fd, { blocks: makeNoise(rest[0], Number(rest[1])), block: Buffer.alloc(0) })
  else tasks.set(fd, word)
  if (typeof tasks.get(fd) !== 'string') poll.modify(fd, epoll.out)
  else if (word === 'echo') send(fd, bytes.subarray(lineEnd + 1))
}

function sendOn (fd, left) {
  for (let round = 0; round < roundsPerTurn && left > 0; round++) {
    offset.fill(0)
    const sent = sendFile(fd, file, offset, Math.min(left, fileBytes))
    if (sent === -2) return end(fd)
    if (sent === -1) break
    left -= sent
  }
  tasks.set(fd, left)
  if (left === 0) finish(fd)
}

function sendNoise (fd, task) {
  if (task.block.length === 0) {
    const { value, done } = task.blocks.next()
    if (done) return finish(fd)
    task.block = value
  }
  const sent = send(fd, task.block)
  if (sent > 0) task.block = task.block.subarray(sent)
}

function finish (fd) {
  shutdownWrite(fd)
  tasks.set(fd, 'hold')
  poll.modify(fd, epoll.in)
}

function end (fd) {
  tasks.delete(fd)
  close(fd)
}
