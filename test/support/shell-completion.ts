import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cleanEnvironment } from './daemon.ts'

/** A shell that is here, and how to complete in it. */
export interface CompletingShell {
  readonly name: 'bash' | 'zsh' | 'fish'
  /**
   * What the shell makes of each beginning of a line: all words that may come in place of the last one, sorted. The
   * folder is where the files are; it gets the script and the shell's own files, in a folder of their own.
   */
  complete (script: string, folder: string, lines: readonly string[]): Promise<readonly string[][]>
  /** Whether the shell can parse it; what it says if not. */
  findFault (script: string, folder: string): string
}

export const completingShells: readonly CompletingShell[] = [
  { name: 'bash', complete: completeInBash, findFault: (script, folder) => findFault('bash', script, folder) },
  { name: 'zsh', complete: completeInZsh, findFault: (script, folder) => findFault('zsh', script, folder) },
  { name: 'fish', complete: completeInFish, findFault: (script, folder) => findFault('fish', script, folder) },
]

/** Whether the shell is installed. */
export function isInstalled ({ name }: CompletingShell): boolean {
  return spawnSync(name, ['-c', 'exit']).status === 0
}

function findFault (shell: string, script: string, folder: string): string {
  const file = writeShellFile(folder, 'script', script)
  const { status, stderr } = spawnSync(shell, ['-n', file], { encoding: 'utf8' })
  return status === 0 ? stderr : `${shell} -n ended with ${status}: ${stderr}`
}

/** Longer than any of them takes on a busy machine. */
const timeoutMs = 60_000

async function run (folder: string, argv: readonly string[], input: string): Promise<string> {
  const [program = '', ...args] = argv
  const child = spawn(program, args, {
    cwd: folder,
    // Nothing of the person who runs the tests; and a terminal that knows few tricks.
    env: { PATH: cleanEnvironment()['PATH'], HOME: join(folder, '.shell'), TERM: 'dumb', LC_ALL: 'C.UTF-8' },
    stdio: ['pipe', 'pipe', 'ignore'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
  child.stdin.end(input)
  const written: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => { written.push(chunk) })
  const ending = await new Promise((resolve) => { child.once('close', (code, signal) => resolve(signal ?? code)) })
  if (typeof ending === 'string') throw new Error(`${program} was ended by ${ending}`)
  return Buffer.concat(written).toString()
}

function writeShellFile (folder: string, name: string, text: string): string {
  mkdirSync(join(folder, '.shell'), { recursive: true })
  writeFileSync(join(folder, '.shell', name), text)
  return join(folder, '.shell', name)
}

/**
 * The words that an editor has put in place of the last one of its line; it writes each line as it then is. Escaped
 * spaces are within words.
 */
function readInserted (file: string, lines: readonly string[]): readonly string[][] {
  const written = readFileSync(file, 'utf8').trimEnd().split('\n')
  if (written.length !== lines.length) throw new Error(`${written.length} lines came back of ${lines.length}`)
  return lines.map((line, index) => {
    const kept = line.slice(0, line.lastIndexOf(' ') + 1)
    const text = written[index] ?? ''
    if (!text.startsWith(kept)) throw new Error(`${JSON.stringify(line)} became ${JSON.stringify(text)}`)
    return (text.slice(kept.length).match(/(?:\\.|[^\s\\])+/g) ?? []).sort()
  })
}

/** Interactive, by its own editor, which is told to insert all completions (M-*), and then to write down the line. */
async function completeInBash (script: string, folder: string, lines: readonly string[]): Promise<readonly string[][]> {
  const out = writeShellFile(folder, 'lines', '')
  const startup = writeShellFile(folder, 'bashrc', `
source ${JSON.stringify(writeShellFile(folder, 'completion.bash', script))}
bind 'set bell-style none'
write_line () { printf '%s\\n' "$READLINE_LINE" >> ${JSON.stringify(out)}; READLINE_LINE='' READLINE_POINT=0; }
bind -x '"\\C-t": write_line'
`)
  await run(folder, ['bash', '--rcfile', startup, '-i'], lines.map((line) => `${line}\u001b*\u0014`).join(''))
  return readInserted(out, lines)
}

/** Interactive, on a terminal of its own, since its editor has to have one; the script is a file of fpath. */
async function completeInZsh (script: string, folder: string, lines: readonly string[]): Promise<readonly string[][]> {
  const out = writeShellFile(folder, 'lines', '')
  writeShellFile(folder, '_acr-egress', script)
  writeShellFile(folder, '.zshrc', `
fpath=(${JSON.stringify(join(folder, '.shell'))} $fpath)
autoload -Uz compinit; compinit -D -u
write-line () { print -r -- $BUFFER >> ${JSON.stringify(out)}; BUFFER=; print -n '<written>' > /dev/tty }
zle -N write-line; bindkey '^T' write-line
zle -C all-matches complete-word _generic; bindkey '^X' all-matches
zstyle ':completion:all-matches:*' completer _all_matches _complete
zstyle ':completion:all-matches:*' insert true
PS1='<ready>'
`)
  const driver = writeShellFile(folder, 'drive.zsh', `
zmodload zsh/zpty
zpty inner zsh -d -i
zpty -r inner seen '*<ready>*'
while IFS= read -r line; do
  zpty -w -n inner "$line"$'\\x18\\x14'
  zpty -r inner seen '*<written>*'
done
zpty -d inner
`)
  await run(folder, ['zsh', '-f', driver], `${lines.join('\n')}\n`)
  return readInserted(out, lines)
}

async function completeInFish (script: string, folder: string, lines: readonly string[]): Promise<readonly string[][]> {
  const file = writeShellFile(folder, 'completion.fish', script)
  const code = `source ${JSON.stringify(file)}; while read -l line; complete -C $line; echo '<end>'; end`
  const written = await run(folder, ['fish', '--no-config', '-c', code], `${lines.join('\n')}\n`)
  return written.split('<end>\n').slice(0, lines.length).map((answer) => {
    return answer.split('\n').filter((line) => line !== '').map((line) => line.replace(/\t.*/, '')).sort()
  })
}
