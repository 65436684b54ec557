import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Readable } from 'node:stream'
import type { Test } from 'tap'
import type { Command } from '../../src/cli/command.ts'
import { builtCommand, builtCommandWords, cleanEnvironment } from './daemon.ts'

/** What a command has written when it is over, and how it ended. */
export interface Result {
  /** `null`: by a signal that it did not handle. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A command in a process of its own. */
export interface Running {
  readonly child: ChildProcess
  readonly result: Promise<Result>
  /** Resolves with what was written when it holds the text; rejects when the command ends without it. */
  stdoutWith (text: string): Promise<string>
  stderrWith (text: string): Promise<string>
}

export interface CommandOptions {
  /** In place of the one that runs the tests. */
  readonly uid?: number
  /** What to run in place of Node with the built command. */
  readonly program?: readonly string[]
}

/** Runs the built command, as a user does; the test's end kills it if it still runs. */
export function startCommand (t: Test, argv: readonly string[], { uid, program }: CommandOptions = {}): Running {
  if (!existsSync(builtCommand)) throw new Error(`${builtCommand} is not there: run npm run build first`)
  const words = program === undefined ? builtCommandWords : ['env', '-u', 'NODE_OPTIONS', ...program]
  const child = spawn('env', [...words.slice(1), ...argv], {
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...uid === undefined ? {} : { uid, gid: uid },
  })
  t.teardown(() => child.kill('SIGKILL'))
  const result = (async () => {
    const [stdout, stderr, code] = await Promise.all([
      readText(child.stdout),
      readText(child.stderr),
      new Promise<number | null>((resolve) => { child.once('exit', resolve) }),
    ])
    return { code, stdout, stderr }
  })()
  return {
    child,
    result,
    stdoutWith: (text) => untilText(child.stdout, text),
    stderrWith: (text) => untilText(child.stderr, text),
  }
}

/** Runs the built command to its end. */
export async function runCommand (t: Test, argv: readonly string[], options?: CommandOptions): Promise<Result> {
  return await startCommand(t, argv, options).result
}

async function readText (stream: Readable): Promise<string> {
  let text = ''
  stream.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
  await new Promise((resolve) => { stream.once('close', resolve) })
  return text
}

async function untilText (stream: Readable, text: string): Promise<string> {
  let written = ''
  return await new Promise((resolve, reject) => {
    stream.on('data', (chunk: string) => {
      written += chunk
      if (written.includes(text)) resolve(written)
    })
    stream.once('close', () => reject(new Error(`it ended without ${JSON.stringify(text)}, after ${JSON.stringify(written)}`)))
  })
}

export interface HereOptions {
  /** Stops the command; absent: it has nothing to put away when it is stopped, and must not ask. */
  readonly stop?: AbortSignal
  /** Whether it writes to a terminal, and how wide that is. */
  readonly columns?: number
}

/** Runs a command in this process. */
export async function runHere (
  command: Command, argv: readonly string[], { stop, columns }: HereOptions = {},
): Promise<Result & { readonly code: number }> {
  const written = { stdout: '', stderr: '' }
  const kind = { isTTY: columns !== undefined, columns }
  const code = await command.run(argv, {
    stdout: { ...kind, write: (text) => { written.stdout += text } },
    stderr: { ...kind, write: (text) => { written.stderr += text } },
    takeStop () {
      if (stop === undefined) throw new Error('it has nothing to put away')
      return stop
    },
  })
  return { code, ...written }
}
