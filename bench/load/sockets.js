/**
 * Sockets by their system calls, for the ends of the benchmark: Node's own would cost more than what is measured. Every
 * call throws with its name when it fails, but for those that return -1 where there is nothing to be had just now.
 */
import koffi from 'koffi'

const library = koffi.load(null)
const call = (prototype) => library.func(prototype)
const sys = {
  socket: call('int socket(int, int, int)'),
  bind: call('int bind(int, void *, unsigned int)'),
  listen: call('int listen(int, int)'),
  accept4: call('int accept4(int, void *, void *, int)'),
  connect: call('int connect(int, void *, unsigned int)'),
  setsockopt: call('int setsockopt(int, int, int, void *, unsigned int)'),
  send: call('int64_t send(int, void *, size_t, int)'),
  recv: call('int64_t recv(int, void *, size_t, int)'),
  sendfile: call('int64_t sendfile(int, int, void *, size_t)'),
  shutdown: call('int shutdown(int, int)'),
  close: call('int close(int)'),
  epollCreate: call('int epoll_create1(int)'),
  epollControl: call('int epoll_ctl(int, int, int, void *)'),
  epollWait: call('int epoll_wait(int, void *, int, int)'),
}

const errno = { EAGAIN: 11, EINTR: 4, EINPROGRESS: 115 }
const nonblock = 0o4000
const dontWait = 0x40
const discardBytes = 0x20
const noSignal = 0x4000
const epollAdd = 1
const epollModify = 3
export const epoll = { in: 1, out: 4, error: 8, hangUp: 16 }
export const inet = { nonblock }

function must (result, what) {
  if (result < 0) throw new Error(`${what}: errno ${koffi.errno()}`)
  return result
}

/** `struct sockaddr_in` of an IPv4 address. */
function addressOf (address, port) {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt16LE(2, 0)
  bytes.writeUInt16BE(port, 2)
  address.split('.').forEach((part, index) => bytes.writeUInt8(Number(part), 4 + index))
  return bytes
}

const one = Buffer.from([1, 0, 0, 0])
const lingerNone = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0])

function openSocket (flags = 0) {
  const fd = must(sys.socket(2, 1 | flags, 0), 'socket')
  must(sys.setsockopt(fd, 6, 1, one, 4), 'TCP_NODELAY')
  return fd
}

/** A listening socket whose `accept` does not wait. */
export function openListener (address, port) {
  const fd = openSocket(nonblock)
  must(sys.setsockopt(fd, 1, 2, one, 4), 'SO_REUSEADDR')
  must(sys.bind(fd, addressOf(address, port), 16), `bind ${address}:${port}`)
  must(sys.listen(fd, 16384), 'listen')
  return fd
}

/** A connection that does not block, or -1 when nobody is waiting. */
export function accept (listener) {
  const fd = sys.accept4(listener, null, null, nonblock)
  if (fd >= 0) sys.setsockopt(fd, 6, 1, one, 4)
  return fd
}

/** A connection whose calls wait. */
export function connectNow (address, port) {
  const fd = openSocket()
  must(sys.connect(fd, addressOf(address, port), 16), `connect ${address}:${port}`)
  return fd
}

/** A connection under way whose calls do not wait; it is writable when it is there. */
export function connectSoon (address, port) {
  const fd = openSocket(nonblock)
  const result = sys.connect(fd, addressOf(address, port), 16)
  if (result < 0 && koffi.errno() !== errno.EINPROGRESS) must(result, `connect ${address}:${port}`)
  return fd
}

/** Bytes that were taken; -1 when there is no room now, or the peer has gone. */
export function send (fd, bytes, length = bytes.length) {
  return Number(sys.send(fd, bytes, length, noSignal))
}

/** Bytes that came, 0 for the end, -1 when there are none now, -2 when the connection has failed. */
export function receive (fd, into, { wait = false } = {}) {
  return received(sys.recv(fd, into, into.length, wait ? 0 : dontWait))
}

/** Has the kernel throw away what has come: costs no copy. */
export function discard (fd, into) {
  return received(sys.recv(fd, into, into.length, dontWait | discardBytes))
}

function received (result) {
  if (result >= 0) return Number(result)
  const code = koffi.errno()
  return code === errno.EAGAIN || code === errno.EINTR ? -1 : -2
}

/** Sends from the beginning of a file, without copying it; -1 when there is no room now, -2 on failure. */
export function sendFile (fd, fileFd, offset, bytes) {
  return received(sys.sendfile(fd, fileFd, offset, bytes))
}

export function shutdownWrite (fd) {
  sys.shutdown(fd, 1)
}

export function close (fd) {
  sys.close(fd)
}

/** Closes with RST, which leaves no port waiting. */
export function reset (fd) {
  sys.setsockopt(fd, 1, 13, lingerNone, 8)
  sys.close(fd)
}

// x86-64 packs `struct epoll_event` into 12 bytes; everywhere else the 64 bits of data are aligned.
const isPacked = process.arch === 'x64'
const eventBytes = isPacked ? 12 : 16
const tagOffset = isPacked ? 4 : 8

/** Level-triggered waiting for many descriptors. */
export function createPoll (capacity = 512) {
  const fd = must(sys.epollCreate(0), 'epoll_create1')
  const events = Buffer.alloc(capacity * eventBytes)
  const event = Buffer.alloc(16)
  const control = (operation, target, bits) => {
    event.writeUInt32LE(bits, 0)
    event.writeUInt32LE(target, tagOffset)
    must(sys.epollControl(fd, operation, target, event), 'epoll_ctl')
  }
  return {
    add: (target, bits) => control(epollAdd, target, bits),
    modify: (target, bits) => control(epollModify, target, bits),
    /** Calls `onEvent` with each descriptor and what it is ready for. */
    wait (timeoutMs, onEvent) {
      const count = sys.epollWait(fd, events, capacity, timeoutMs)
      for (let index = 0; index < count; index++) {
        onEvent(events.readUInt32LE(index * eventBytes + tagOffset), events.readUInt32LE(index * eventBytes))
      }
    },
  }
}
