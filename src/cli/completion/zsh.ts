import { type Flag, type Takes, type Words, helpFlag } from '../help.ts'
import { type Place, shortenDescription } from './place.ts'

/**
 * A completion script for zsh, by its own `_arguments`: as a file `_acr-egress` in a folder of `fpath`, or sourced
 * behind `compinit`.
 */
export function renderZsh (places: readonly Place[]): string {
  return `\
#compdef acr-egress
# zsh completion of acr-egress, written by: acr-egress completion zsh

${places.map((place) => renderFunction(place, places)).join('\n')}
# Loaded from fpath, this file is the function's first call; sourced, it is not.
if [[ $funcstack[1] == _acr-egress ]]; then
  _acr-egress "$@"
else
  compdef _acr-egress acr-egress
fi
`
}

function nameFunction (path: readonly string[]): string {
  return ['_acr-egress', ...path].join('-')
}

function renderFunction (place: Place, places: readonly Place[]): string {
  const { path, choices, words } = place
  const specs = [...Object.entries(place.flags).map(([name, flag]) => formatFlag(name, flag)), ...formatWords(words)]
  if (choices.length === 0) return `${nameFunction(path)} () {\n  _arguments -S ${specs.join(' \\\n    ')}\n}\n`
  return `\
${nameFunction(path)} () {
  local curcontext=$curcontext state line
  typeset -A opt_args
  local -a choices=(
${choices.map(({ word, meaning }) => `    ${quote(`${word.replaceAll(':', '\\:')}:${meaning}`)}`).join('\n')}
  )
  _arguments -C ${[...specs, '\'1: :->choice\'', '\'*:: :->rest\''].join(' \\\n    ')}
  case $state in
    choice) _describe -t commands ${path.length === 0 ? 'command' : '\'what to do\''} choices ;;
    rest)
      curcontext=\${curcontext%:*:*}:${nameFunction(path).slice(1)}-$line[1]:
${renderNext(place, places)} ;;
  esac
}
`
}

/** The call of the place that the word leads to; of those behind `help`, most lead nowhere. */
function renderNext ({ path, choices }: Place, places: readonly Place[]): string {
  const known = new Set(places.map((place) => nameFunction(place.path)))
  const next = choices
    .map(({ word }) => ({ word, name: nameFunction([...path, word]) }))
    .filter(({ name }) => known.has(name))
  if (next.length === 0) return '      _message \'no more words\''
  return `      case $line[1] in\n${next.map(({ word, name }) => `        ${word}) ${name} ;;\n`).join('')}      esac`
}

function formatFlag (name: string, flag: Flag): string {
  const text = `[${escape(shortenDescription(flag))}]`
  if (flag === helpFlag) return `'(- *)'{-h,--help}${quote(text)}`
  if (flag.type === 'boolean') return quote(`--${name}${text}`)
  return quote(`${flag.multiple === true ? '*' : ''}--${name}=${text}:${escape(flag.value)}:${formatTakes(flag.takes)}`)
}

function formatWords (words: Words | undefined): readonly string[] {
  return words === undefined ? [] : [quote(`*:${escape(words.form)}:${formatTakes(words.takes)}`)]
}

/** What completes a value; a space alone says only what is expected. */
function formatTakes (takes: Takes | undefined): string {
  if (takes === undefined) return ' '
  if (typeof takes !== 'string') return `(${takes.join(' ')})`
  return takes === 'file' ? '_files' : '_files -/'
}

/** Without what ends a part of a specification of `_arguments`. */
function escape (text: string): string {
  return text.replace(/[\\:[\]]/g, '\\$&')
}

function quote (text: string): string {
  return `'${text.replaceAll('\'', '\'\\\'\'')}'`
}
