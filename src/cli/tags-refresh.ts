import { utimes } from 'node:fs/promises'
import { basename } from 'node:path'
import { parseServiceTags } from '../acr/service-tags.ts'
import { type TagChange, findTagLack, findTagLoss, listTagChanges } from '../acr/tag-change.ts'
import { escapeControls } from '../config/problem.ts'
import { replaceFile } from '../host/replace-file.ts'
import { readTextFile } from '../host/text-file.ts'
import { type Download, DownloadError, downloadServiceTags } from '../tags/download.ts'
import { readTagFile } from '../tags/tag-file.ts'
import { type Arguments, UsageError, parseArguments } from './args.ts'
import { type ExitCode, type Terminal, exitCode } from './command.ts'
import { createProgress } from './progress.ts'
import { type TagSource, findTagSource, tagSourceFlags } from './tag-source.ts'
import { describeChanges, renderChanges } from './tags-diff.ts'

const maxBytes = 32 * 1024 * 1024

/** What came of a refresh. */
interface Outcome {
  readonly result: 'replaced' | 'created' | 'same' | 'refused' | 'would_replace'
  /** Why it was refused; what to do. */
  readonly problem?: string
  readonly changes: readonly TagChange[]
}

/** `acr-egress tags refresh`: the newest file in the place of the old one. */
export async function refreshTags (argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const given = parseArguments(argv, {
    ...tagSourceFlags, from: { type: 'string' }, force: { type: 'boolean' }, 'dry-run': { type: 'boolean' },
  })
  if (given.words.length > 0) throw new UsageError(`${given.words[0]}: tags refresh takes flags only; write --file FILE`)
  const from = readAddress(given.value('from'))
  const source = await findTagSource(given, terminal)
  if (source === undefined) return exitCode.usage
  demandPlainName(source.file)
  try {
    const download = await fetchWithProgress(source, from, terminal)
    const outcome = await put(download, source, given)
    report(outcome, { download, source, given, terminal })
    return outcome.result === 'refused' ? exitCode.denied : exitCode.ok
  } catch (error) {
    const problem = describeFailure(error, source.file)
    if (problem === undefined) throw error
    terminal.stderr.write(`acr-egress tags refresh: ${problem}\n`)
    return exitCode.denied
  }
}

function readAddress (text: string | undefined): URL | undefined {
  if (text === undefined) return undefined
  if (URL.canParse(text)) return new URL(text)
  throw new UsageError(`--from ${text}: is no address; write it like https://mirror.example/service-tags.json`)
}

/** The age of a file is that of the day in its name, which would be wrong as soon as it is replaced. */
function demandPlainName (file: string): void {
  if (!/_\d{8}\.json$/.test(basename(file))) return
  throw new UsageError(`${file}: has a day in its name, which would be wrong after this; name the file service-tags.json, ` +
    'and say so in addresses.serviceTagsFile')
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
async function put ({ text }: Download, { file, need }: TagSource, given: Arguments): Promise<Outcome> {
  const names = new Set(need.names.map((name) => name.toLowerCase()))
  const parsed = parseServiceTags(text, (name) => names.has(name.toLowerCase()))
  if (!parsed.ok) return refused(`it ${parsed.problem}; see that this is the right address`)
  const { serviceTags } = parsed
  const lack = findTagLack(need, serviceTags)
  if (lack !== undefined) return refused(`it ${lack}; see that the cloud and the regions are the right ones`)
  const existing = await readTagFile(file, need)
  const before = existing.ok ? existing.tagFile.serviceTags : undefined
  const changes = before === undefined ? [] : listTagChanges(need.names, before, serviceTags)
  const loss = before === undefined || given.has('force') ? undefined : findTagLoss(need, before, serviceTags)
  if (loss !== undefined) return { ...refused(`it ${loss}; if that is right, write --force`), changes }
  if (given.has('dry-run')) return { result: 'would_replace', changes }
  const old = await readTextFile(file, maxBytes)
  if (old.ok && old.text === text) {
    // So that its age says when it was looked at.
    await utimes(file, new Date(), new Date())
    return { result: 'same', changes }
  }
  await replaceFile(file, text)
  return { result: old.ok ? 'replaced' : 'created', changes }
}

function refused (problem: string): Outcome {
  return { result: 'refused', problem, changes: [] }
}

interface Report {
  readonly download: Download
  readonly source: TagSource
  readonly given: Arguments
  readonly terminal: Terminal
}

function report ({ result, problem, changes }: Outcome, { download, source, given, terminal }: Report): void {
  const { file, need } = source
  if (problem !== undefined) terminal.stderr.write(`${download.url} is not taken: ${problem}\n`)
  if (given.has('json')) {
    const why = problem === undefined ? {} : { problem }
    const document = { result, file, url: download.url, ...why, changes: describeChanges(changes) }
    terminal.stdout.write(`${JSON.stringify(document, null, 2)}\n`)
    return
  }
  const texts: Readonly<Record<Outcome['result'], string>> = {
    replaced: `${escapeControls(file)} is now that of ${download.url}\n`,
    created: `${escapeControls(file)} was made from ${download.url}\n`,
    same: `${escapeControls(file)} is the newest already, ${download.url}\n`,
    would_replace: `${escapeControls(file)} would be that of ${download.url}; nothing was written\n`,
    refused: `${escapeControls(file)} stays as it is\n`,
  }
  const difference = result === 'created' || result === 'same' ? '' : renderChanges(changes, need.names)
  terminal.stdout.write(`${difference}${texts[result]}`)
}

/** What a failure is to a person; `undefined` for a bug. */
function describeFailure (error: unknown, file: string): string | undefined {
  if (error instanceof DownloadError) return describeDownload(error)
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return undefined
  return `${escapeControls(file)} cannot be written (${String(error.code)}); see that its folder is there and yours to write`
}

const offline = 'or fetch the file elsewhere, from Microsoft\'s download page, and copy it here'

function describeDownload ({ failure, url, code }: DownloadError): string {
  switch (failure) {
    case 'unreachable': return `${url} cannot be reached (${code}); let the way there be opened, set HTTPS_PROXY, ${offline}`
    case 'timeout': return `${url} does not answer (${code}); let the way there be opened, set HTTPS_PROXY, ${offline}`
    case 'status': return `${url} was answered with ${code}; try again later, ${offline}`
    case 'no_link': return `${url} links to no file of service tags for this cloud; write --from with the file's own address, ${offline}`
    case 'too_long': return `${url} is longer than ${maxBytes / 1024 / 1024} MiB; see that it is the right address`
    case 'insecure': return `${url} is not https; write an address that begins with https://`
  }
}
