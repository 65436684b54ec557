import { readStamp } from './text-file.ts'

/** Files that are looked at from time to time. */
export interface FileWatch {
  /** Looks now; resolves when what there was to do has been done. */
  look (): Promise<void>
  /** The state that was told of is told of again at the next look, although nothing has changed. */
  tellAgain (): void
  /** From now on nothing is told. */
  close (): void
}

export interface FileWatchOptions {
  /** Each with the state of it that is known, from `readTextFile` or `readStamp`. */
  readonly files: ReadonlyArray<{ readonly file: string, readonly stamp: string }>
  /** Milliseconds between two looks. */
  readonly intervalMs: number
  /** A file has changed, and all are still for an interval. Looking goes on when it is done; it must not reject. */
  readonly onChange: () => Promise<void>
}

/**
 * Tells of each new state of files that go together: written in place, renamed over, gone and come back, or reached
 * through another link, as Kubernetes replaces the files of a ConfigMap. Looks instead of being woken, because inotify
 * follows no links and sees nothing on a network file system. A state that lasts for two looks is told of, so that
 * files are seldom read while they are being written, or one without the other.
 *
 * Keeps no process alive. The caller closes it.
 */
export function watchFiles ({ files, intervalMs, onChange }: FileWatchOptions): FileWatch {
  let last = files.map(({ stamp }) => stamp).join('\n')
  let told: string | undefined = last
  let looking: Promise<void> | undefined
  let isClosed = false

  async function lookOnce (): Promise<void> {
    const stamps = await Promise.all(files.map(async ({ file }) => await readStamp(file)))
    const state = stamps.join('\n')
    const isStill = state === last
    last = state
    if (!isStill || state === told || isClosed) return
    told = state
    await onChange()
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
    tellAgain () { told = undefined },
    close () {
      isClosed = true
      clearInterval(timer)
    },
  }
}
