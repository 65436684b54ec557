/** Where a run is, for a person: one line that is redrawn on a terminal, a line a repeat elsewhere. */

/** @param {import('./turns.js').Turn[]} turns all that will be taken */
export function createProgress (turns, stream = process.stderr) {
  const startedAt = performance.now()
  const seconds = new Map()
  let lastRepeat

  const keyOf = ({ measurement, name, isReference }) => `${measurement.id} ${name} ${isReference}`
  const expect = (turn) => seconds.get(keyOf(turn)) ?? turn.measurement.expectedSeconds

  function describe (index) {
    const { measurement, repeat } = turns[index]
    const left = turns.slice(index).reduce((sum, turn) => sum + expect(turn), 0)
    const elapsed = (performance.now() - startedAt) / 1000
    return {
      what: `${measurement.title}: repeat ${repeat} of ${measurement.repeats}`,
      times: `${formatTime(elapsed)} gone, about ${formatTime(left)} left`,
    }
  }

  function say (line) {
    stream.write(stream.isTTY ? `\r\x1b[K${line}\n` : `${line}\n`)
  }

  return {
    begin (index) {
      const { what, times } = describe(index)
      if (stream.isTTY) {
        stream.write(`\r\x1b[K${`${what}, ${turns[index].name}; ${times}`.slice(0, (stream.columns ?? 80) - 1)}`)
      } else if (what !== lastRepeat) {
        say(`${what}; ${times}`)
      }
      lastRepeat = what
    },
    /** Learns how long a turn takes. */
    end: (index, turnSeconds) => { seconds.set(keyOf(turns[index]), turnSeconds) },
    /** A line that stays. */
    say,
    close () {
      if (stream.isTTY) stream.write('\r\x1b[K')
    },
  }
}

function formatTime (seconds) {
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}
