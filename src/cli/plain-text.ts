import { escapeControls } from '../config/problem.ts'

/** Lines as a command writes them, whatever they hold: a daemon, a certificate or a file may have brought it. */
export function joinLines (lines: readonly string[]): string {
  return lines.map((line) => `${escapeControls(line)}\n`).join('')
}

/** A value as a JSON document of several lines, without the controls that JSON lets through. */
export function formatJson (value: unknown): string {
  return joinLines(JSON.stringify(value, null, 2).split('\n'))
}

/** An ISO time for a person, to the minute: `2026-11-25 10:11 UTC`. */
export function formatMinute (isoTime: string): string {
  return `${isoTime.slice(0, 16).replace('T', ' ')} UTC`
}

/** `once`, `12 times`. */
export function formatTimes (count: number): string {
  return count === 1 ? 'once' : `${count} times`
}
