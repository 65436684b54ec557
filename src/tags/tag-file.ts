import { realpath } from 'node:fs/promises'
import { basename } from 'node:path'
import { type ServiceTags, parseServiceTags } from '../acr/service-tags.ts'
import { type TagNeed, createTagFilter, findTagLack } from '../acr/tag-change.ts'
import { readTextFile } from '../host/text-file.ts'

/** A file of service tags that was read, with what is known of it. */
export interface TagFile {
  readonly file: string
  readonly serviceTags: ServiceTags
  /**
   * How new it is, in milliseconds since the epoch: the day in its name, as Microsoft names it
   * (`ServiceTags_Public_20251028.json`), or else when it was written.
   */
  readonly datedAt: number
  /** Which state of the file this was. */
  readonly stamp: string
}

/** The file, or why it cannot serve: what is wrong; what to do. */
export type TagFileReading =
  | { readonly ok: true, readonly tagFile: TagFile }
  | { readonly ok: false, readonly isAbsent: boolean, readonly message: string }

/** The longest file that is taken, in bytes; the largest so far has 4 MB. */
export const maxTagFileBytes = 32 * 1024 * 1024

/** Reads a file of service tags, keeps the tags that are needed, and sees that they are there. Never rejects. */
export async function readTagFile (file: string, need: TagNeed): Promise<TagFileReading> {
  const reading = await readAnyTagFile(file, createTagFilter(need))
  const lack = reading.ok ? findTagLack(need, reading.tagFile.serviceTags) : undefined
  return lack === undefined ? reading : unusable(`${lack}; ${advice}`)
}

/** Reads a file of service tags of any cloud, and keeps the tags that are wanted. Never rejects. */
export async function readAnyTagFile (file: string, isWanted: (name: string) => boolean): Promise<TagFileReading> {
  const content = await readTextFile(file, maxTagFileBytes, { takesPipe: false })
  if (!content.ok) return content
  const parsed = parseServiceTags(content.text, isWanted)
  if (!parsed.ok) return unusable(`${parsed.problem}; ${advice}`)
  const datedAt = await findNamedDay(file) ?? content.writtenAt
  return { ok: true, tagFile: Object.freeze({ file, serviceTags: parsed.serviceTags, datedAt, stamp: content.stamp }) }
}

const advice = 'fetch it with acr-egress tags refresh, or from Microsoft\'s download page for this cloud'

function unusable (message: string): TagFileReading {
  return { ok: false, isAbsent: false, message }
}

/**
 * Midnight, UTC, of the day that the name of a file ends with, in milliseconds since the epoch; of a link, that of the
 * file behind it. Never rejects.
 */
export async function findNamedDay (file: string): Promise<number | undefined> {
  const target = await realpath(file).catch(() => file)
  const [, year, month, day] = /_(\d{4})(\d{2})(\d{2})\.json$/.exec(basename(target)) ?? []
  const time = Date.parse(`${year}-${month}-${day}`)
  return Number.isNaN(time) ? undefined : time
}
