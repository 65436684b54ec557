import { createRequire } from 'node:module'

/**
 * The few calls of the C library that Node has no other door to. Each returns what the call returns, or the negative
 * errno; none throws, none blocks but `epollWait`.
 */
export interface Libc {
  /** splice(2) between two descriptors, always SPLICE_F_NONBLOCK. */
  splice (fromFd: number, toFd: number, maxBytes: number): number
  read (fd: number, into: Uint8Array, maxBytes: number): number
  write (fd: number, from: Uint8Array, bytes: number): number
  /** shutdown(2) of the sending side. */
  shutdownWrite (fd: number): number
  /** Makes the close that follows send RST: SO_LINGER with no time. */
  lingerNone (fd: number): number
  /** SO_RCVLOWAT: a socket is told to be readable when so many bytes have come; FIN and errors are told at once. */
  setReadThreshold (fd: number, bytes: number): number
  close (fd: number): number
  /** A duplicate of a descriptor that is closed on exec. */
  duplicate (fd: number): number
  /** Fills in the reading and the writing end of a new pipe, neither of which blocks. */
  pipe (ends: Int32Array): number
  /** F_SETPIPE_SZ; returns the size that the kernel made of it, in bytes. */
  setPipeSize (fd: number, bytes: number): number
  /** A descriptor to wake a thread by: `signalEvent` makes it readable, `drainEvent` takes that back. */
  createEvent (): number
  signalEvent (fd: number): number
  drainEvent (fd: number): number
  createEpoll (): number
  /** Watches a descriptor, edge-triggered, for all that can happen to a socket; events carry `tag`. */
  watch (epollFd: number, fd: number, tag: number): number
  unwatch (epollFd: number, fd: number): number
  /** Waits for events, for at most `timeoutMs` (-1: for ever); returns how many there are in `events`. */
  wait (epollFd: number, events: EpollEvents, timeoutMs: number): number
}

/** Room for the events of one wait, in the kernel's own layout. */
export interface EpollEvents {
  readonly capacity: number
  readonly memory: Uint8Array
  /** The EPOLL… bits of the event at `index`. */
  bits (index: number): number
  tag (index: number): number
}

/** errno values that callers tell apart; the same on every Linux that Node runs on. */
export const errno = { EPERM: 1, EINTR: 4, EAGAIN: 11, EMFILE: 24, EPIPE: 32, ECONNRESET: 104 } as const

/** Bits of an epoll event. */
export const epoll = { in: 0x1, out: 0x4, error: 0x8, hangUp: 0x10, readHangUp: 0x2000, edge: 0x80000000 } as const

const spliceNonblock = 2
const shutWrite = 1
const solSocket = 1
const soLinger = 13
const soReceiveLowWater = 18
const fDupfdCloexec = 1030
const fSetPipeSize = 1031
const closeOnExec = 0o2000000
const nonblock = 0o4000
const epollAdd = 1
const epollDelete = 2

// x86-64 packs `struct epoll_event` into 12 bytes; everywhere else the 64 bits of data are aligned.
const isPacked = process.arch === 'x64'
const eventBytes = isPacked ? 12 : 16
const tagOffset = isPacked ? 4 : 8

/**
 * Loads the C library through koffi, an optional dependency. Rejects nothing: returns the reason, for a log line, when
 * koffi is missing, has no build for this machine, or does not find a call.
 */
export function loadLibc (): { readonly libc: Libc } | { readonly problem: string } {
  try {
    return { libc: bindLibc() }
  } catch (error) {
    return { problem: error instanceof Error ? error.message.split('\n', 1)[0] ?? '' : String(error) }
  }
}

/** The part of koffi that is used; its own types are of no more use without the package. */
interface Koffi {
  load (path: null): { func (prototype: string): (...values: unknown[]) => number }
  errno (): number
}

function bindLibc (): Libc {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  // The process itself: glibc or musl, whatever Node is linked with.
  const library = koffi.load(null)
  const bind = (prototype: string): ((...values: unknown[]) => number) => {
    const call = library.func(prototype)
    return (...values) => {
      const result = call(...values)
      return result < 0 ? -koffi.errno() : result
    }
  }
  const splice = bind('int64_t splice(int, void *, int, void *, size_t, unsigned int)')
  const read = bind('int64_t read(int, void *, size_t)')
  const write = bind('int64_t write(int, const void *, size_t)')
  const shutdown = bind('int shutdown(int, int)')
  const setsockopt = bind('int setsockopt(int, int, int, const void *, unsigned int)')
  const close = bind('int close(int)')
  const fcntl = bind('int fcntl(int, int, int64_t)')
  const pipe2 = bind('int pipe2(void *, int)')
  const eventfd = bind('int eventfd(unsigned int, int)')
  const epollCreate = bind('int epoll_create1(int)')
  const epollControl = bind('int epoll_ctl(int, int, int, void *)')
  const epollWait = bind('int epoll_wait(int, void *, int, int)')

  const lingerNone = new Int32Array([1, 0])
  const option = new Int32Array(1)
  const one = new Uint8Array(new BigUint64Array([1n]).buffer)
  const drained = new Uint8Array(8)
  const watched = new DataView(new ArrayBuffer(eventBytes))
  const watchedBytes = new Uint8Array(watched.buffer)
  const everything = epoll.in | epoll.out | epoll.readHangUp | epoll.edge
  watched.setUint32(0, everything >>> 0, true)

  return {
    splice: (fromFd, toFd, maxBytes) => splice(fromFd, null, toFd, null, maxBytes, spliceNonblock),
    read,
    write,
    shutdownWrite: (fd) => shutdown(fd, shutWrite),
    lingerNone: (fd) => setsockopt(fd, solSocket, soLinger, lingerNone, lingerNone.byteLength),
    setReadThreshold (fd, bytes) {
      option[0] = bytes
      return setsockopt(fd, solSocket, soReceiveLowWater, option, option.byteLength)
    },
    close,
    duplicate: (fd) => fcntl(fd, fDupfdCloexec, 0),
    pipe: (ends) => pipe2(ends, closeOnExec | nonblock),
    setPipeSize: (fd, bytes) => fcntl(fd, fSetPipeSize, bytes),
    createEvent: () => eventfd(0, closeOnExec | nonblock),
    signalEvent: (fd) => write(fd, one, one.length),
    drainEvent: (fd) => read(fd, drained, drained.length),
    createEpoll: () => epollCreate(closeOnExec),
    watch (epollFd, fd, tag) {
      watched.setUint32(tagOffset, tag, true)
      return epollControl(epollFd, epollAdd, fd, watchedBytes)
    },
    unwatch: (epollFd, fd) => epollControl(epollFd, epollDelete, fd, null),
    wait: (epollFd, events, timeoutMs) => epollWait(epollFd, events.memory, events.capacity, timeoutMs),
  }
}

/** Makes room for `capacity` events. */
export function createEpollEvents (capacity: number): EpollEvents {
  const view = new DataView(new ArrayBuffer(capacity * eventBytes))
  return {
    capacity,
    memory: new Uint8Array(view.buffer),
    bits: (index) => view.getUint32(index * eventBytes, true),
    tag: (index) => view.getUint32(index * eventBytes + tagOffset, true),
  }
}
