/** Whatever of a stage runs just now. */
import { startClient } from './clients.js'
import { startProgram, untilListening } from './processes.js'

/**
 * Starts programs and clients on a network, and knows those that have not ended. After `close` nothing starts. A client
 * that takes longer than `timeLimitMs` is ended.
 */
export function createCrew (network, timeLimitMs) {
  const running = new Set()
  let isClosed = false

  function mustBeOpen () {
    if (isClosed) throw new Error('the stage is closed')
  }

  async function stop (part) {
    await part.stop()
    running.delete(part)
  }

  return {
    stop,
    /** Starts a program, and waits until it listens at its place. */
    async start (command, { role, place, logFile }) {
      mustBeOpen()
      const prefix = network.prefixes[role]
      const program = startProgram({ command, prefix, logFile })
      running.add(program)
      try {
        await untilListening(program, place.address, place.port, prefix)
      } catch (error) {
        await stop(program)
        throw error
      }
      return program
    },
    /** See `Stage`. */
    async runClient (job, { isCutOff = false, around, ...program }) {
      mustBeOpen()
      const client = startClient(job, { prefix: network.prefixes.client, ...program })
      running.add(client)
      const timer = setTimeout(() => { client.stop(`it took over ${timeLimitMs / 1000} s`) }, timeLimitMs)
      try {
        await client.nextLine()
        const outcome = await around(client)
        if (!isCutOff) await client.gone
        else if (client.hasEnded()) await client.nextLine()
        return outcome
      } finally {
        clearTimeout(timer)
        await stop(client)
      }
    },
    async close () {
      isClosed = true
      await Promise.all([...running].map((part) => part.stop('the stage was closed')))
    },
  }
}
