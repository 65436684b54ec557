import { listTagNames } from './addresses.ts'
import type { Rule } from '../policy/rule.ts'
import type { ExportSources } from './sources.ts'

/** What made an export, and from what; a line each. */
export function describeOrigin ({ version, configuration, command, tags, tagScope }: ExportSources): readonly string[] {
  const file = tags === undefined
    ? ''
    : `, and the service tags of ${tags.day} for ${tags.serviceTags.cloud} (scope ${tagScope}, ${tags.file})`
  return [
    `Made by acr-egress ${version} from ${configuration}${file}.`,
    'Do not change it by hand; change the configuration, and make it anew with',
    `    ${command}`,
  ]
}

/** What no packet filter can say, as far as these rules need it; a sentence each. */
export function describeFilterLimits ({ rules, tagScope }: ExportSources): readonly string[] {
  const tags = listTagNames(rules)
  const has = (service: string): boolean => tags.some((name) => name.split('.')[0] === service)
  return [
    'It knows addresses, and no names: it lets through whatever else is served at these addresses.',
    ...has('Storage')
      ? ['The addresses of Storage hold the blobs of every Azure customer: whoever has an account there can take data out.']
      : [],
    ...tagScope === 'regional'
      ? ['Some addresses of registries lie in no region, and are not let through (acr-egress check names them).']
      : [],
    ...rules.some(({ privateEndpoints }) => privateEndpoints.blocks.length > 0)
      ? ['The privateEndpoints of the configuration are added.']
      : [],
  ]
}

/** Which of the wildcards open storage to everybody; a sentence each. */
export function describeOpenStorage (rules: readonly Rule[]): readonly string[] {
  return rules.filter((rule) => rule.wildcard && rule.class === 'storage').map(({ pattern }) => {
    return `${pattern} is the blobs of every Azure customer: whoever has an account there can take data out.`
  })
}

/** The rules as lines for a reader: the name, and the key that it comes from. */
export function listPatterns (rules: readonly Rule[]): readonly string[] {
  const width = Math.max(0, ...rules.map(({ pattern }) => pattern.length))
  return rules.map(({ pattern, port, source }) => `${pattern.padEnd(width)}  ${port}  ${source}`)
}

/** Lines as a comment; each at most 118 columns if its words allow it. */
export function commentOut (lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) => wrap(line, 116)).map((line) => line === '' ? '#' : `# ${line}`)
}

/** A line in pieces that are not longer than the width, each with the indentation of the line. */
function wrap (line: string, width: number): readonly string[] {
  const indentation = /^ */.exec(line)?.[0] ?? ''
  // What is indented is code or a table: it stays whole.
  if (line.length <= width || indentation !== '') return [line]
  const pieces: string[] = []
  for (const word of line.split(' ')) {
    const last = pieces.at(-1)
    if (last === undefined || last.length + 1 + word.length > width) pieces.push(word)
    else pieces[pieces.length - 1] = `${last} ${word}`
  }
  return pieces
}
