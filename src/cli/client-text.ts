import type { ClientFile, ClientSetup, Step } from '../client-files/client-setup.ts'
import { escapeControls } from '../config/problem.ts'
import type { PutFile } from './client-writing.ts'

/** The files as a person copies them, the commands, and what to know. */
export function renderSetup ({ files, steps, notes }: ClientSetup): string {
  return [...files.map(renderFile), renderSteps(steps), renderNotes(notes)].filter((part) => part !== '').join('\n')
}

/** The same for `eval`: the first file is the script, and all the rest are comments in it. */
export function renderShell ({ files: [script, ...others], steps, notes }: ClientSetup): string {
  const rest = [...others.map(renderFile), renderSteps(steps), renderNotes(notes)].join('\n')
  const heading = script === undefined ? '' : `# For this shell; for all of them, put these lines into ${script.path}:\n${script.content}`
  return `${heading}#\n${rest.trimEnd().split('\n').map((line) => `# ${line}`.trimEnd()).join('\n')}\n`
}

/** What was written, and what is left to do. */
export function renderWritten ({ files, steps, notes }: ClientSetup, put: readonly PutFile[]): string {
  const left = files.filter((_, index) => put[index]?.result === 'left')
  const lines = put.filter(({ result }) => result !== 'left').map(({ path, result }) => `${results[result]} ${escapeControls(path)}\n`)
  return [lines.join(''), ...left.map(renderLeft), renderSteps(steps), renderNotes(notes)].filter((part) => part !== '').join('\n')
}

const results: Readonly<Record<PutFile['result'], string>> = {
  created: 'wrote    ',
  changed: 'changed  ',
  same: 'unchanged',
  left: '',
}

function renderFile ({ path, content, merging, choice }: ClientFile): string {
  const when = choice === undefined ? '' : `  (${choice.when})`
  const how = merging.kind === 'toml' ? '  (add to it)' : merging.kind === 'environment' ? '  (add to it; for all that a login starts)' : ''
  return `==> ${path} <==${when}${how}\n${content}`
}

function renderLeft ({ path, content }: ClientFile): string {
  return `Not there yet is ${path}; when it is, add:\n\n${indent(content)}`
}

function renderSteps (steps: readonly Step[]): string {
  const lines = steps.map(({ command, expect }) => expect === undefined ? `${command}\n` : `${command}\n        # ${expect}\n`)
  return `Then, on the client:\n\n${indent(lines.join(''))}`
}

function renderNotes (notes: readonly string[]): string {
  return notes.length === 0 ? '' : `To know:\n\n${notes.map((note) => `  - ${note}\n`).join('')}`
}

function indent (text: string): string {
  return text.trimEnd().split('\n').map((line) => `    ${line}\n`).join('')
}
