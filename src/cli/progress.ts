import type { Output } from './command.ts'

/** Shows how far a transfer is: one line redrawn on a terminal, a line at each quarter elsewhere. */
export interface Progress {
  /** May be called as often as bytes come. */
  update (done: number, total: number): void
  /** Leaves the last state on the screen. */
  end (): void
}

export interface ProgressOptions {
  readonly output: Output
  readonly label: string
  /** Milliseconds on any steady clock. */
  readonly now?: () => number
}

const redrawMs = 100
const barWidth = 30

/** Nothing is written before the first update. */
export function createProgress ({ output, label, now = () => performance.now() }: ProgressOptions): Progress {
  const startedAt = now()
  let last = { done: 0, total: 0 }
  let nextDraw = -Infinity
  let nextQuarter = 1

  function describe (): string {
    const { done, total } = last
    const seconds = (now() - startedAt) / 1000
    const share = total === 0 ? 0 : done / total
    const rate = seconds > 0 ? done / seconds : 0
    const bar = '#'.repeat(Math.round(share * barWidth)).padEnd(barWidth, '.')
    return `${label} [${bar}] ${String(Math.floor(share * 100)).padStart(3)} %  ${formatBytes(done)} of ${formatBytes(total)}, ${formatBytes(rate)}/s`
  }

  return {
    update (done, total) {
      last = { done, total }
      if (output.isTTY === true) {
        if (now() < nextDraw) return
        nextDraw = now() + redrawMs
        output.write(`\r${describe()}\u001b[K`)
      } else if (done * 4 >= total * nextQuarter) {
        output.write(`${describe()}\n`)
        nextQuarter = Math.floor(done * 4 / total) + 1
      }
    },
    end () {
      if (output.isTTY === true && last.total > 0) output.write(`\r${describe()}\u001b[K\n`)
    },
  }
}

const units = ['B', 'kB', 'MB', 'GB', 'TB']

/** Bytes in the largest decimal unit that leaves a digit before the point. */
export function formatBytes (bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${value >= 99.5 || unit === 0 ? Math.round(value) : value.toPrecision(2)} ${units[unit]}`
}
