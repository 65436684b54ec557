import { type TagChange, type TagNeed, findTagLoss, listTagChanges } from '../acr/tag-change.ts'
import { watchFiles } from '../host/file-watch.ts'
import { type TagFile, readTagFile } from './tag-file.ts'

/** What came of a new state of the file. */
export type TagUpdate =
  /** It serves from now on. Of a file with the same prefixes there are no changes: only its age is new. */
  | { readonly result: 'applied', readonly tagFile: TagFile, readonly changes: readonly TagChange[] }
  /** What served before goes on serving; `problem` says why: what is wrong; what to do. */
  | { readonly result: 'refused' | 'missing', readonly problem: string }

/** The results, a closed list, and a metric label. */
export const tagUpdateResults = ['applied', 'refused', 'missing'] as const satisfies ReadonlyArray<TagUpdate['result']>

/** Holds the service tags in force, and looks after their file. */
export interface TagKeeper {
  readonly current: TagFile
  /** The last update, if it was not taken; the file as it is now would not serve. */
  readonly problem: string | undefined
  /** Looks at the file now; what has changed is read at the second look. */
  look (): Promise<void>
  close (): void
}

export interface TagKeeperOptions {
  /** What is in force at the start. */
  readonly tagFile: TagFile
  readonly need: TagNeed
  /** Milliseconds between two looks at the file. */
  readonly intervalMs?: number
  /** Called for each new state of the file, once what it brought is in force. */
  readonly onUpdate: (update: TagUpdate) => void
}

const defaultIntervalMs = 1000

/**
 * Watches the file and takes a new one whole, or not at all: not when it cannot be read, is not for the cloud, has no
 * prefixes for a tag in use, or takes more than a quarter of them away. The caller closes it.
 */
export function createTagKeeper (options: TagKeeperOptions): TagKeeper {
  const { need, onUpdate } = options
  const { file } = options.tagFile
  let current = options.tagFile
  let problem: string | undefined
  let isClosed = false

  async function readUpdate (): Promise<TagUpdate> {
    const reading = await readTagFile(file, need)
    if (!reading.ok) return { result: reading.isAbsent ? 'missing' : 'refused', problem: reading.message }
    const { tagFile } = reading
    const loss = findTagLoss(need, current.serviceTags, tagFile.serviceTags)
    if (loss !== undefined) {
      return { result: 'refused', problem: `${loss}; if that is right, restart the gateway, which takes the file as it is` }
    }
    return { result: 'applied', tagFile, changes: listTagChanges(need.names, current.serviceTags, tagFile.serviceTags) }
  }

  const watch = watchFiles({
    files: [{ file, stamp: current.stamp }],
    intervalMs: options.intervalMs ?? defaultIntervalMs,
    async onChange () {
      const update = await readUpdate()
      if (isClosed) return
      if (update.result === 'applied') current = update.tagFile
      problem = update.result === 'applied' ? undefined : update.problem
      onUpdate(update)
    },
  })

  return {
    get current () { return current },
    get problem () { return problem },
    look: watch.look,
    close () {
      isClosed = true
      watch.close()
    },
  }
}
