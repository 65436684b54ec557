import type { Flags, Takes } from '../help.ts'
import type { Place } from './place.ts'

/**
 * A completion script for bash 4.4 or later, which needs nothing else: not the package bash-completion either. Files
 * are left to readline, which knows how to quote them.
 */
export function renderBash (places: readonly Place[]): string {
  const paths = places.filter(({ path }) => path.length > 0).map(formatPath)
  return `\
# bash completion of acr-egress, written by: acr-egress completion bash
_acr_egress () {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local place='' isBeyond='' choices='' flags='' takes='' offer='' words='' word
  # --flag=value is three words to readline.
  if [[ $previous == = ]]; then
    previous=\${COMP_WORDS[COMP_CWORD - 2]}
  elif [[ $current == = ]]; then
    current=''
  fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
    case $place/$word in
      ${paths.join(' | \\\n      ')})
        place+=/$word ;;
      *)
        isBeyond=yes
        break ;;
    esac
  done
  case $place in
${places.map(renderPlace).join('\n')}
  esac
  if [[ -z $takes && $current != -* ]]; then
    takes=$words
    if [[ -n $choices ]]; then
      takes=list
      [[ -n $isBeyond ]] || offer=$choices
    fi
  fi
  COMPREPLY=()
  case $takes in
    file) compopt -o default ;;
    directory) compopt -o dirnames ;;
    nothing) ;;
    list) mapfile -t COMPREPLY < <(compgen -W "$offer" -- "$current") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$current") ;;
  esac
}
complete -F _acr_egress acr-egress
`
}

function formatPath ({ path }: Place): string {
  return path.map((word) => `/${word}`).join('')
}

function renderPlace (place: Place): string {
  const { choices, words, flags } = place
  const path = formatPath(place)
  const lines = [
    ...choices.length === 0 ? [] : [`choices='${choices.map(({ word }) => word).join(' ')}'`],
    `flags='${Object.keys(flags).map((name) => `--${name}`).join(' ')}'`,
    ...words === undefined ? [] : [formatTakes(words.takes).replace('takes=', 'words=')],
    ...renderValues(flags),
  ]
  return `    ${path === '' ? '\'\'' : path})\n${lines.map((line) => `      ${line}`).join('\n')} ;;`
}

/** What the value of each flag is, which the word before it tells; flags that take the same share a line. */
function renderValues (flags: Flags): readonly string[] {
  const names = new Map<string, string[]>()
  for (const [name, flag] of Object.entries(flags)) {
    if (flag.type === 'boolean') continue
    const action = formatTakes(flag.takes)
    names.set(action, [...names.get(action) ?? [], `--${name}`])
  }
  if (names.size === 0) return []
  return ['case $previous in', ...[...names].map(([action, own]) => `  ${own.join(' | ')}) ${action} ;;`), 'esac']
}

function formatTakes (takes: Takes | undefined): string {
  if (takes === undefined) return 'takes=nothing'
  return typeof takes === 'string' ? `takes=${takes}` : `takes=list offer='${takes.join(' ')}'`
}
