import type { Output } from './command.ts'
import type { Entry } from './help.ts'

/** Texts are told in lines of this many characters where nothing is known of the reader's screen. */
const usualWidth = 80
/** Longer lines are hard to read, however wide the screen is. */
const maxWidth = 100
const minWidth = 40
/** A term that is longer has its meaning below it. */
const maxTermWidth = 26
const minMeaningWidth = 30

/** Where a text begins, and how long its lines are. */
export interface Shape {
  /** Characters a line, with the indent. */
  readonly width: number
  /** Spaces before the first line. */
  readonly indent?: number
  /** Spaces before the lines after the first; as many as before the first, unless told. */
  readonly hang?: number
}

/** How wide to write for this output: 80 characters, or what a terminal has, up to 100. */
export function chooseWidth ({ isTTY, columns }: Pick<Output, 'isTTY' | 'columns'>): number {
  return isTTY === true ? Math.min(maxWidth, Math.max(minWidth, columns ?? usualWidth)) : usualWidth
}

/** Lines of these pieces with a space between them; no piece is broken, even one that is too long. */
export function wrapPieces (pieces: readonly string[], { width, indent = 0, hang = indent }: Shape): string {
  const lines: string[] = []
  let line = ''
  for (const piece of pieces) {
    const room = width - (lines.length === 0 ? indent : hang)
    if (line !== '' && line.length + 1 + piece.length > room) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? piece : `${line} ${piece}`
  }
  return [...lines, line].map((text, index) => `${' '.repeat(index === 0 ? indent : hang)}${text}`).join('\n')
}

/** A text, broken at its spaces. */
export function wrapText (text: string, shape: Shape): string {
  return wrapPieces(text.split(' '), shape)
}

/** A list in two columns, indented by two; the meanings are below the terms where there is no room beside them. */
export function layoutEntries (entries: readonly Entry[], width: number): string {
  const lengths = entries.map(([term]) => term.length).filter((length) => length <= maxTermWidth)
  const column = 2 + Math.max(0, ...lengths) + 2
  if (width - column < minMeaningWidth) {
    return entries.map(([term, meaning]) => `  ${term}\n${wrapText(meaning, { width, indent: 6 })}`).join('\n')
  }
  return entries.map(([term, meaning]) => {
    const text = wrapText(meaning, { width, indent: column })
    return term.length > maxTermWidth ? `  ${term}\n${text}` : `  ${term.padEnd(column - 2)}${text.slice(column)}`
  }).join('\n')
}
