import { readStamp } from './text-file.ts'

/** A file that is looked at from time to time. */
export interface FileWatch {
  /** Looks now; resolves when what there was to do has been done. */
  look (): Promise<void>
  /** From now on nothing is told. */
  close (): void
}

export interface FileWatchOptions {
  readonly file: string
  /** The state that is known, from `readTextFile` or `readStamp`. */
  readonly stamp: string
  /** Milliseconds between two looks. */
  readonly intervalMs: number
  /** The file has changed, and has been still for an interval. Looking goes on when it is done; it must not reject. */
  readonly onChange: (stamp: string) => Promise<void>
}

/**
 * Tells of each new state of a file: written in place, renamed over, gone and come back, or reached through another
 * link, as Kubernetes replaces the files of a ConfigMap. Looks instead of being woken, because inotify follows no links
 * and sees nothing on a network file system. A state that lasts for two looks is told of, so that a file is seldom read
 * while it is being written.
 *
 * Keeps no process alive. The caller closes it.
 */
export function watchFile ({ file, stamp: known, intervalMs, onChange }: FileWatchOptions): FileWatch {
  let told = known
  let last = known
  let looking: Promise<void> | undefined
  let isClosed = false

  async function lookOnce (): Promise<void> {
    const stamp = await readStamp(file)
    const isStill = stamp === last
    last = stamp
    if (!isStill || stamp === told || isClosed) return
    told = stamp
    await onChange(stamp)
  }

  /** One look at a time. */
  async function look (): Promise<void> {
    looking ??= lookOnce().finally(() => { looking = undefined })
    await looking
  }

  const timer = setInterval(() => { void look() }, intervalMs)
  timer.unref()
  return {
    look,
    close () {
      isClosed = true
      clearInterval(timer)
    },
  }
}
