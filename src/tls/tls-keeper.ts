import { watchFiles } from '../host/file-watch.ts'
import type { TlsRemark } from './remark.ts'
import { type TlsFileNames, type TlsFiles, readTlsFiles } from './tls-files.ts'

/** What came of a new state of the files. */
export type TlsUpdate =
  /** They serve from now on. */
  | { readonly result: 'applied', readonly files: TlsFiles, readonly warnings: readonly TlsRemark[] }
  /** What served before goes on serving. */
  | { readonly result: 'refused', readonly problems: readonly TlsRemark[] }

/** The results, a closed list, and a metric label. */
export const tlsUpdateResults = ['applied', 'refused'] as const satisfies ReadonlyArray<TlsUpdate['result']>

/** Holds what the listener serves TLS with, and looks after its files. */
export interface TlsKeeper {
  readonly current: TlsFiles
  /** What is wrong with the files as they are now, if they were not taken; empty when they were. */
  readonly problems: readonly TlsRemark[]
  /** Looks at the files now; what has changed is read at the second look. */
  look (): Promise<void>
  close (): void
}

export interface TlsKeeperOptions {
  /** What is in force at the start. */
  readonly files: TlsFiles
  /** Milliseconds between two looks at the files. */
  readonly intervalMs?: number
  /** Milliseconds since the epoch, for the dates of certificates. */
  readonly now: () => number
  /** Called for each new state of the files, once what it brought is in force. */
  readonly onUpdate: (update: TlsUpdate) => void
}

const defaultIntervalMs = 1000

/** How often files that do not serve are read, a look apart, before anybody is told: a person copies one by one. */
const patience = 10

/**
 * Watches the files and takes a new state of them whole, or not at all. Of files that do not serve it tells when they
 * have stayed so for ten looks: a key is replaced before its certificate, or after it. The caller closes it.
 */
export function createTlsKeeper (options: TlsKeeperOptions): TlsKeeper {
  const { now, onUpdate } = options
  let current = options.files
  let problems: readonly TlsRemark[] = []
  let failures = 0
  let isClosed = false

  async function readAgain (): Promise<void> {
    const { files, ...remarks } = await readTlsFiles(namesOf(current), now())
    if (isClosed) return
    if (files !== undefined) {
      current = files
      problems = []
      failures = 0
      onUpdate({ result: 'applied', files, warnings: remarks.warnings })
    } else if (++failures < patience) {
      watch.tellAgain()
    } else {
      problems = remarks.problems
      failures = 0
      onUpdate({ result: 'refused', problems })
    }
  }

  const watch = watchFiles({
    files: current.watched,
    intervalMs: options.intervalMs ?? defaultIntervalMs,
    onChange: readAgain,
  })

  return {
    get current () { return current },
    get problems () { return problems },
    look: watch.look,
    close () {
      isClosed = true
      watch.close()
    },
  }
}

function namesOf ({ pairs, clientAuthorities }: TlsFiles): TlsFileNames {
  return {
    pairs,
    clientCaFile: clientAuthorities?.caFile,
    clientCrlFile: clientAuthorities?.revocation?.crlFile,
  }
}
