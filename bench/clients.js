/** The client's end of a measurement, seen from the process that measures. */
import { createInterface } from 'node:readline'
import { startProcess } from './processes.js'

const loadScript = new URL('load/client.js', import.meta.url).pathname

/**
 * Starts a job of `load/client.js`, or of another `script` or `command` that keeps to its ways. Its first line says
 * that its connections stand; `go` lets it work; `nextLine` rejects when it has ended, with what it said of that.
 * `stop` ends it, and may give the reason.
 */
export function startClient (job, { prefix, script = loadScript, nodeFlags = [], command = undefined }) {
  command ??= [process.execPath, ...nodeFlags, script, JSON.stringify(job)]
  const { child, gone, hasEnded, stop } = startProcess(command, { prefix, stdio: ['pipe', 'pipe', 'pipe'] })
  let messages = ''
  let reason
  child.stderr.setEncoding('utf8').on('data', (text) => { messages = `${messages}${text}`.slice(-4000) })
  // When it has ended, `nextLine` says so.
  child.stdin.on('error', () => {})
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  return {
    gone,
    hasEnded,
    go: () => { child.stdin.write('go\n') },
    async nextLine () {
      const { value, done } = await lines.next()
      if (!done) return value
      await gone
      throw new Error(reason ?? findError(messages) ?? `the client ended without a word: ${JSON.stringify(job)}`)
    },
    async stop (why) {
      reason ??= why
      await stop()
    },
  }
}

/** The message in what Node prints of an error that nobody caught. */
function findError (text) {
  return /^(?:\w*Error[^:]*: )(.+)$/m.exec(text)?.[1]
}
