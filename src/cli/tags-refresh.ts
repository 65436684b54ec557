import { utimes } from 'node:fs/promises'
import { type ServiceTags, parseServiceTags } from '../acr/service-tags.ts'
import {
  type TagChange, type TagNeed, createTagFilter, findTagLack, findTagLoss, listTagChanges,
} from '../acr/tag-change.ts'
import { escapeControls } from '../config/problem.ts'
import { describeWriteFailure, replaceFile } from '../host/replace-file.ts'
import { readTextFile } from '../host/text-file.ts'
import { DownloadError, downloadServiceTags, isSecure } from '../tags/download.ts'
import type { Download } from '../tags/download-page.ts'
import { findNamedDay, maxTagFileBytes } from '../tags/tag-file.ts'
import { type Arguments, UsageError, parseArguments } from './args.ts'
import type { Terminal } from './command.ts'
import { jsonFlag } from './configuration-flags.ts'
import { describeDownload } from './download-problem.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import type { ActionHelp } from './help.ts'
import { createProgress } from './progress.ts'
import { type TagSource, findTagSource, tagSourceFlags } from './tag-source.ts'
import { describeChanges, renderChanges } from './tags-diff.ts'

/** What there is to say about `acr-egress tags refresh`. */
export const refreshHelp = {
  summary: 'fetch the newest file, and put it in the place of the old one',
  paragraphs: [
    'Fetches the newest file, says what is different for the tags in use, and puts it in the place of the old one. Not ' +
      'when it is for another cloud, lacks a tag in use, or takes more than a quarter of one away. A gateway that runs ' +
      'takes it by itself.',
    'The file is that of the configuration (addresses.serviceTagsFile), or FILE. Goes through HTTPS_PROXY; needs ' +
      'www.microsoft.com and download.microsoft.com.',
  ],
  flags: {
    ...tagSourceFlags,
    from: {
      type: 'string',
      value: 'URL',
      description: 'your own mirror of the file, or a page that links to it',
    },
    force: { type: 'boolean', description: 'take the file although it takes more than a quarter of a tag away' },
    'dry-run': { type: 'boolean', description: 'say what is different, and write nothing' },
    json: jsonFlag,
  },
} as const satisfies ActionHelp

type Given = Arguments<keyof typeof refreshHelp.flags>

/** What came of a refresh. */
interface Outcome {
  readonly result: 'replaced' | 'created' | 'same' | 'would_replace' | 'refused' | 'failed'
  /** Where the new file came from; absent when none came. */
  readonly url?: string
  /** Why it was refused or failed; what to do. */
  readonly problem?: string
  readonly changes: readonly TagChange[]
}

/** `acr-egress tags refresh`: the newest file in the place of the old one. */
export async function refreshTags (argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const given = parseArguments(argv, refreshHelp)
  if (given.words.length > 0) throw new UsageError(`${given.words[0]}: tags refresh takes flags only; write --file FILE`)
  const from = readAddress(given.value('from'))
  const source = await findTagSource(given, terminal)
  if (source === undefined) return exitCode.usage
  await demandPlainName(source.file)
  const outcome = await refresh(source, { from, given, terminal })
  report(outcome, { source, given, terminal })
  return outcome.result === 'refused' || outcome.result === 'failed' ? exitCode.denied : exitCode.ok
}

function readAddress (text: string | undefined): URL | undefined {
  if (text === undefined) return undefined
  if (!URL.canParse(text)) throw new UsageError(`--from ${text}: is no address; write it like https://mirror.example/service-tags.json`)
  const url = new URL(text)
  if (isSecure(url)) return url
  throw new UsageError(`--from ${text}: is not https; write an address that begins with https://, or copy the file here`)
}

/** The age of a file is that of the day in its name, which would be wrong as soon as it is replaced. */
async function demandPlainName (file: string): Promise<void> {
  if (await findNamedDay(file) === undefined) return
  throw new UsageError(`${file}: has a day in its name, or leads to a file that has, which would be wrong after this; name ` +
    'the file service-tags.json, and say so in addresses.serviceTagsFile')
}

interface Request {
  readonly from: URL | undefined
  readonly given: Given
  readonly terminal: Terminal
}

async function refresh (source: TagSource, { from, given, terminal }: Request): Promise<Outcome> {
  try {
    const download = await fetchWithProgress(source, from, terminal)
    return { ...await put(download, source, given), url: download.url }
  } catch (error) {
    if (error instanceof DownloadError) {
      const problem = describeDownload(error, from !== undefined)
      if (error.failure === 'bad_proxy') throw new UsageError(problem)
      return { result: 'failed', problem, changes: [] }
    }
    const problem = describeWriteFailure(error)
    if (problem === undefined) throw error
    return { result: 'failed', problem: `${source.file} ${problem}`, changes: [] }
  }
}

async function fetchWithProgress (
  { cloud }: TagSource, from: URL | undefined, { stderr }: Terminal,
): Promise<Download> {
  const progress = createProgress({ output: stderr, label: 'service tags' })
  try {
    // On a terminal only: a timer's log needs no bars.
    const onProgress = stderr.isTTY === true ? progress.update : () => {}
    return await downloadServiceTags({ cloud, onProgress, ...from === undefined ? {} : { from } })
  } finally {
    progress.end()
  }
}

/** Judges what was fetched, and puts it in the place of the file. Rejects with the system's error. */
async function put ({ text }: Download, { file, need }: TagSource, given: Given): Promise<Outcome> {
  const parsed = parseServiceTags(text, createTagFilter(need))
  if (!parsed.ok) return refused(`it ${parsed.problem}; see that this is the right address`)
  const { serviceTags } = parsed
  const lack = findTagLack(need, serviceTags)
  if (lack !== undefined) return refused(`it ${lack}; see that the cloud and the regions are the right ones`)
  const old = await readTextFile(file, maxTagFileBytes)
  if (old.ok && old.text === text) {
    // So that its age says when it was looked at.
    if (!given.has('dry-run')) await utimes(file, new Date(), new Date())
    return { result: 'same', changes: [] }
  }
  const before = old.ok ? readComparable(old.text, need) : undefined
  const changes = before === undefined ? [] : listTagChanges(need.names, before, serviceTags)
  const loss = before === undefined || given.has('force') ? undefined : findTagLoss(need, before, serviceTags)
  if (loss !== undefined) return { ...refused(`it ${loss}; if that is right, write --force`), changes }
  if (given.has('dry-run')) return { result: 'would_replace', changes }
  await replaceFile(file, text)
  return { result: old.ok ? 'replaced' : 'created', changes }
}

/** What a new file is judged against: also a file that lacks a tag which is in use since, but none of another cloud. */
function readComparable (text: string, need: TagNeed): ServiceTags | undefined {
  const parsed = parseServiceTags(text, createTagFilter(need))
  return parsed.ok && parsed.serviceTags.cloud === need.cloud ? parsed.serviceTags : undefined
}

function refused (problem: string): Outcome {
  return { result: 'refused', problem, changes: [] }
}

interface Report {
  readonly source: TagSource
  readonly given: Given
  readonly terminal: Terminal
}

function report ({ result, url, problem, changes }: Outcome, { source, given, terminal }: Report): void {
  const { file, need } = source
  if (problem !== undefined) {
    const what = result === 'refused' ? `${url} is not taken` : 'acr-egress tags refresh'
    terminal.stderr.write(`${what}: ${escapeControls(problem)}\n`)
  }
  if (given.has('json')) {
    const facts = { result, file, ...url === undefined ? {} : { url }, ...problem === undefined ? {} : { problem } }
    terminal.stdout.write(`${JSON.stringify({ ...facts, changes: describeChanges(changes) }, null, 2)}\n`)
    return
  }
  const name = escapeControls(file)
  const texts: Readonly<Record<Outcome['result'], string>> = {
    replaced: `${name} is now that of ${url}\n`,
    created: `${name} was made from ${url}\n`,
    same: `${name} is the newest already, ${url}\n`,
    would_replace: `${name} would be that of ${url}; nothing was written\n`,
    refused: `${name} stays as it is\n`,
    failed: '',
  }
  const hasDifference = result === 'replaced' || result === 'would_replace' || changes.length > 0
  terminal.stdout.write(`${hasDifference ? renderChanges(changes, need.names) : ''}${texts[result]}`)
}
