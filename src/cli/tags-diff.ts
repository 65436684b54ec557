import { type TagChange, listTagChanges } from '../acr/tag-change.ts'
import { escapeControls } from '../config/problem.ts'
import { type Arguments, UsageError, parseArguments } from './args.ts'
import type { Terminal } from './command.ts'
import { jsonFlag } from './configuration-flags.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import type { ActionHelp } from './help.ts'
import { readForPerson, usualTags } from './tag-source.ts'

/** What there is to say about `acr-egress tags diff`. */
export const diffHelp = {
  summary: 'say what two files have different',
  words: { form: 'OLD NEW', takes: 'file' },
  paragraphs: [
    `Says which prefixes came and went between two files, for ${usualTags.join(' and ')}, for each TAG, or for all tags.`,
  ],
  flags: {
    tag: { type: 'string', value: 'TAG', multiple: true, description: 'look at this tag' },
    all: { type: 'boolean', description: 'look at all tags' },
    json: jsonFlag,
  },
} as const satisfies ActionHelp

type Given = Arguments<keyof typeof diffHelp.flags>

/** `acr-egress tags diff`: what two files have different. */
export async function diffTags (argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const given = parseArguments(argv, diffHelp)
  const [old, young, ...more] = given.words
  if (old === undefined || young === undefined || more.length > 0) {
    throw new UsageError('tags diff takes two files; write acr-egress tags diff OLD NEW')
  }
  const before = await readForPerson(old, terminal)
  const after = before === undefined ? undefined : await readForPerson(young, terminal)
  if (before === undefined || after === undefined) return exitCode.usage
  const files = [before.serviceTags, after.serviceTags] as const
  if (files[0].cloud !== files[1].cloud) {
    const [first, second] = files.map(({ cloud }) => escapeControls(cloud))
    terminal.stderr.write(`warning: the first file is for ${first}, the second for ${second}\n`)
  }
  const names = chooseTags(given, files.flatMap(({ tags }) => tags.map(({ name }) => name)))
  const unknown = names.filter((name) => files.every((file) => file.find(name) === undefined))
  if (unknown.length > 0) {
    terminal.stderr.write(`${unknown.join(', ')}: in neither file; acr-egress tags show --file FILE lists the tags\n`)
    return exitCode.denied
  }
  const changes = listTagChanges(names, ...files)
  const json = (): string => `${JSON.stringify(describeChanges(changes), null, 2)}\n`
  terminal.stdout.write(given.has('json') ? json() : renderChanges(changes, names))
  return exitCode.ok
}

function chooseTags (given: Given, all: readonly string[]): readonly string[] {
  const named = given.values('tag')
  if (given.has('all') && named.length > 0) throw new UsageError('--all and --tag: write one of the two')
  if (given.has('all')) return [...new Set(all)]
  return named.length > 0 ? named : usualTags
}

/** The changes as a JSON value. */
export function describeChanges (changes: readonly TagChange[]): unknown {
  return changes.map(({ tag, added, removed }) => {
    return { tag, added: added.map(({ text }) => text), removed: removed.map(({ text }) => text) }
  })
}

/** The changes of these tags for a person. */
export function renderChanges (changes: readonly TagChange[], names: readonly string[]): string {
  if (changes.length === 0) return `No difference in ${names.length > 5 ? `${names.length} tags` : names.join(', ')}.\n`
  return changes.map(({ tag, added, removed }) => [
    `${escapeControls(tag)}: ${added.length} added, ${removed.length} removed`,
    ...added.map(({ text }) => `  + ${text}`),
    ...removed.map(({ text }) => `  - ${text}`),
    '',
  ].join('\n')).join('')
}
