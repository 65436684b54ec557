import { type Flag, type Takes, helpFlag } from '../help.ts'
import { type Place, shortenDescription } from './place.ts'

/** A completion script for fish 3 or later. */
export function renderFish (places: readonly Place[]): string {
  return `\
# fish completion of acr-egress, written by: acr-egress completion fish

# Whether the words before the cursor are these and no more.
function __acr_egress_is
    set -l words (commandline -opc)
    test "$words[2..]" = "$argv"
end

# Whether they begin with these.
function __acr_egress_begins
    set -l words (commandline -opc)
    set -l last (math (count $argv) + 1)
    test (count $words) -ge $last; and test "$words[2..$last]" = "$argv"
end

complete -c acr-egress -f
${places.flatMap(renderPlace).join('\n')}
`
}

function renderPlace ({ path, choices, words, flags }: Place): readonly string[] {
  const at = path.join(' ')
  const exactly = `complete -c acr-egress -n '${`__acr_egress_is ${at}`.trim()}'`
  const behind = choices.length > 0 ? exactly : `complete -c acr-egress -n '__acr_egress_begins ${at}'`
  return [
    ...choices.map(({ word, meaning }) => `${exactly} -a ${word} -d ${quote(meaning)}`),
    ...words?.takes === undefined ? [] : [`${behind} ${formatTakes(words.takes)}`],
    ...Object.entries(flags).map(([name, flag]) => `${behind} ${formatFlag(name, flag)}`),
  ]
}

function formatFlag (name: string, flag: Flag): string {
  const value = flag.type === 'boolean' ? '' : ` -r ${formatTakes(flag.takes)}`
  return `${flag === helpFlag ? '-s h ' : ''}-l ${name}${value} -d ${quote(shortenDescription(flag))}`
}

function formatTakes (takes: Takes | undefined): string {
  if (takes === undefined) return '-f'
  if (typeof takes !== 'string') return `-f -a ${quote(takes.join(' '))}`
  return takes === 'file' ? '-F' : '-f -a \'(__fish_complete_directories)\''
}

function quote (text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}
