import type { ServiceTag, ServiceTags } from '../acr/service-tags.ts'
import { escapeControls } from '../config/problem.ts'
import { parseArguments, suggestion, UsageError } from './args.ts'
import type { Terminal } from './command.ts'
import { jsonFlag } from './configuration-flags.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import type { ActionHelp } from './help.ts'
import { findTagSource, readForPerson, tagSourceFlags } from './tag-source.ts'

/** What there is to say about `acr-egress tags show`. */
export const showHelp = {
  summary: 'show the prefixes of a tag, or the names of all tags',
  words: { form: '[TAG]' },
  paragraphs: [
    'Shows the address prefixes of TAG, or without it all tags with their numbers of prefixes. The file is that of the ' +
      'configuration (addresses.serviceTagsFile), or FILE.',
  ],
  flags: { ...tagSourceFlags, json: jsonFlag },
} as const satisfies ActionHelp

/** `acr-egress tags show`: one tag, or the list of all. */
export async function showTags (argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const given = parseArguments(argv, showHelp)
  const [name, ...more] = given.words
  if (more.length > 0) throw new UsageError('tags show takes one TAG')
  const source = await findTagSource(given, terminal)
  const tagFile = source === undefined ? undefined : await readForPerson(source.file, terminal)
  if (tagFile === undefined) return exitCode.usage
  const { serviceTags } = tagFile
  if (name === undefined) {
    terminal.stdout.write(given.has('json') ? renderJson(serviceTags.tags.map(summarise)) : listTags(serviceTags))
    return exitCode.ok
  }
  const tag = serviceTags.find(name)
  if (tag === undefined) {
    const near = suggestion(name, serviceTags.tags.map((one) => escapeControls(one.name)), '')
    terminal.stderr.write(`${JSON.stringify(name)}: no such tag in this file${near}\nacr-egress tags show lists them\n`)
    return exitCode.denied
  }
  terminal.stdout.write(given.has('json') ? renderJson({ ...summarise(tag), prefixes: listPrefixes(tag) }) : renderTag(tag))
  return exitCode.ok
}

interface TagSummary {
  readonly tag: string
  readonly region: string
  readonly changeNumber: number
  readonly ipv4: number
  readonly ipv6: number
}

function summarise ({ name, region, changeNumber, blocks }: ServiceTag): TagSummary {
  const ipv4 = blocks.blocks.filter(({ first }) => first.family === 4).length
  return { tag: name, region, changeNumber, ipv4, ipv6: blocks.blocks.length - ipv4 }
}

function listPrefixes ({ blocks }: ServiceTag): readonly string[] {
  return blocks.blocks.map(({ text }) => text)
}

function listTags ({ tags }: ServiceTags): string {
  return tags.map((tag) => `${escapeControls(tag.name)} ${tag.blocks.blocks.length}\n`).join('')
}

function renderTag (tag: ServiceTag): string {
  const { region, changeNumber, ipv4, ipv6 } = summarise(tag)
  const where = region === '' ? 'all regions' : `region ${region}`
  return `${escapeControls(tag.name)}: ${where}, ${ipv4} IPv4 and ${ipv6} IPv6 prefixes, change ${changeNumber}\n${listPrefixes(tag).join('\n')}\n`
}

function renderJson (value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
