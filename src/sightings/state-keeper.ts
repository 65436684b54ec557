import { rename, stat } from 'node:fs/promises'
import { describeWriteFailure, replaceFile } from '../host/replace-file.ts'
import { readTextFile } from '../host/text-file.ts'
import type { Sightings } from './sightings.ts'
import { type SightingsState, describeState, parseState } from './state.ts'
import { beatMs } from './watch.ts'

/** What happened to the file, for the log. Each `problem` is what is wrong; what to do. */
export interface StateFileEvents {
  readonly onRestored: (state: SightingsState) => void
  /** It does not serve: what was seen before is not known. `setAside`: where it is now. */
  readonly onBad: (problem: string, setAside: string | undefined) => void
  /** It cannot be written; told once, until it can be. */
  readonly onUnwritable: (problem: string) => void
  readonly onWritable: () => void
}

/** Keeps what was seen in a file, over restarts. */
export interface StateKeeper {
  /** Reads the file and goes on from there. Never rejects. */
  start (): Promise<void>
  /**
   * Says that somebody is looking, and writes what is new; called each minute by its own timer. To be called once when
   * clients are served: a process that cannot have its port must not touch the file of the one that has it. Never
   * rejects.
   */
  beat (): Promise<void>
  /** Why the file is not as new as it should be, as far as is known. */
  readonly problem: string | undefined
  /** Writes a last time, for a few seconds at most. Without a beat nothing is written. */
  close (): Promise<void>
}

export interface StateKeeperOptions extends StateFileEvents {
  readonly sightings: Sightings
  /** Absolute; absent: nothing outlives the process. */
  readonly file: string | undefined
}

/** A state file, read. */
export type StateReading =
  | { readonly ok: true, readonly state: SightingsState }
  | { readonly ok: false, readonly isAbsent: boolean, readonly problem: string }

/** A full record of the longest names has less than 2 MiB. */
const maxBytes = 4 * 1024 * 1024
/** A record in which nothing changes is written all the same, so that a crash costs the watch an hour at most. */
const longestUnwritten = 60
/** For a disk that does not answer: the end of the process does not wait for it. */
const lastWriteMs = 5000

/** Reads what a gateway has written. Never rejects; the problem is what is wrong; what to do. */
export async function readState (file: string): Promise<StateReading> {
  const content = await readTextFile(file, maxBytes, { takesPipe: false })
  if (!content.ok) return { ok: false, isAbsent: content.isAbsent, problem: content.message }
  const state = parseState(parseJson(content.text))
  if (state !== undefined) return { ok: true, state }
  return { ok: false, isAbsent: false, problem: 'is no record of sightings that this version can read; see that it is the right file' }
}

/** Makes the keeper; nothing is read before `start`. The caller closes it. */
export function createStateKeeper (options: StateKeeperOptions): StateKeeper {
  const { sightings, file, onRestored, onBad, onUnwritable, onWritable } = options
  let writtenChanges = -1
  let beatsUnwritten = 0
  let problem: string | undefined
  let timer: NodeJS.Timeout | undefined
  let hasBeaten = false
  let writing: Promise<void> = Promise.resolve()
  /** Only an ordinary file, or none yet, is replaced. */
  let target = file

  async function read (path: string): Promise<void> {
    const reading = await readState(path)
    if (reading.ok) {
      sightings.restore(reading.state)
      onRestored(reading.state)
    } else if (!reading.isAbsent) {
      const isFile = await stat(path).then((stats) => stats.isFile(), () => true)
      if (!isFile) {
        target = undefined
        problem = reading.problem
      }
      onBad(reading.problem, isFile ? await setAside(path) : undefined)
    }
  }

  async function write (path: string): Promise<void> {
    const { changes } = sightings
    try {
      await replaceFile(path, `${JSON.stringify(describeState(sightings.read()), undefined, 1)}\n`, 0o600)
      writtenChanges = changes
      beatsUnwritten = 0
      if (problem !== undefined) onWritable()
      problem = undefined
    } catch (error) {
      // Even a bug here must not end the gateway.
      const described = describeWriteFailure(error) ?? `cannot be written (${String(error)}); please report that`
      if (problem === undefined) onUnwritable(described)
      problem = described
    }
  }

  /** One after the other: the last to be asked for is the last to be written. */
  async function writeIfNew (isLast: boolean): Promise<void> {
    beatsUnwritten++
    if (target === undefined) return
    const isDue = sightings.changes !== writtenChanges || beatsUnwritten >= longestUnwritten || isLast
    const path = target
    if (isDue) writing = writing.then(() => write(path))
    await writing
  }

  async function beat (): Promise<void> {
    hasBeaten = true
    sightings.beat()
    await writeIfNew(false)
  }

  return {
    async start () {
      if (file !== undefined) await read(file)
      timer = setInterval(() => { void beat() }, beatMs).unref()
    },
    beat,
    get problem () { return problem },
    async close () {
      if (timer === undefined) return
      clearInterval(timer)
      timer = undefined
      if (!hasBeaten) return
      sightings.beat()
      await within(lastWriteMs, writeIfNew(true))
    },
  }
}

/** Where the file is now; `undefined` when it could not be moved. */
async function setAside (file: string): Promise<string | undefined> {
  const aside = `${file}.bad`
  return await rename(file, aside).then(() => aside, () => undefined)
}

function parseJson (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function within (timeoutMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => { timer = setTimeout(resolve, timeoutMs) })
  await Promise.race([work, late])
  clearTimeout(timer)
}
