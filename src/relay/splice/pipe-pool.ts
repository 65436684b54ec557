import type { Libc } from '../../host/libc.ts'

/** A pipe that bytes pass through on their way from one socket to another, without being copied. */
export interface Pipe {
  readonly readFd: number
  readonly writeFd: number
  /** What it holds at most; a kernel may make it more than was asked for. */
  readonly bytes: number
}

/** The pipes of one relay thread. A pipe is lent only while bytes are in it. */
export interface PipePool {
  /** An empty pipe, or `undefined` when the bound is reached or the system gives none: copy then. */
  take (): Pipe | undefined
  /** Gives an empty pipe back. */
  give (pipe: Pipe): void
  /** Closes a pipe that still holds bytes; they are gone. */
  scrap (pipe: Pipe): void
  /** Pipes that wait to be lent, and pipes that are. */
  readonly idle: number
  readonly lent: number
  /** Closes the pipes that wait. */
  trim (): void
}

export interface PipePoolOptions {
  readonly libc: Libc
  /** Most bytes that all pipes together can hold: a reader that stalls pins as much of the kernel's memory. */
  readonly maxBytes: number
}

/** A fast flow costs a fifth less CPU with 1 MiB than with 256 KiB. */
export const largePipeBytes = 1024 * 1024
export const smallPipeBytes = 256 * 1024

/**
 * An empty pool. The first half of its bytes goes to large pipes, so that a few fast flows are cheap; what is left to
 * small ones, so that many slow readers, each of which holds on to a pipe, all have one.
 *
 * An unprivileged user may have 16,384 pages in pipes (fs.pipe-user-pages-soft), and beyond that gets pipes of two
 * pages, which are worse than copying: a pipe that comes smaller than asked for is not kept.
 */
export function createPipePool ({ libc, maxBytes }: PipePoolOptions): PipePool {
  const waiting: Pipe[] = []
  const ends = new Int32Array(2)
  let lent = 0
  let held = 0

  function open (): Pipe | undefined {
    const large = held + largePipeBytes <= maxBytes / 2 ? openSized(largePipeBytes) : undefined
    return large ?? (held + smallPipeBytes <= maxBytes ? openSized(smallPipeBytes) : undefined)
  }

  function openSized (wanted: number): Pipe | undefined {
    if (libc.pipe(ends) < 0) return undefined
    const [readFd = -1, writeFd = -1] = ends
    const bytes = libc.setPipeSize(writeFd, wanted)
    if (bytes < wanted) {
      libc.close(readFd)
      libc.close(writeFd)
      return undefined
    }
    held += bytes
    return { readFd, writeFd, bytes }
  }

  function closePipe ({ readFd, writeFd, bytes }: Pipe): void {
    libc.close(readFd)
    libc.close(writeFd)
    held -= bytes
  }

  return {
    take () {
      // The last one given back first: its pages are still in the processor's cache.
      const pipe = waiting.pop() ?? open()
      if (pipe !== undefined) lent++
      return pipe
    },
    give (pipe) {
      lent--
      // The large ones are taken first.
      if (pipe.bytes >= largePipeBytes) waiting.push(pipe)
      else waiting.unshift(pipe)
    },
    scrap (pipe) {
      lent--
      closePipe(pipe)
    },
    get idle () { return waiting.length },
    get lent () { return lent },
    trim () {
      for (const pipe of waiting) closePipe(pipe)
      waiting.length = 0
    },
  }
}
