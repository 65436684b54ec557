import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino'

/** JSON lines, on standard output unless told: `level` as a word, `time` in ISO form, and the `event`. */
export function createLogger (level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    messageKey: 'event',
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}
