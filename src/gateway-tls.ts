import type { Logger } from 'pino'
import type { Configuration } from './config/configuration.ts'
import { formatPath } from './config/problem.ts'
import type { Metrics } from './telemetry/metrics.ts'
import type { TlsReading } from './telemetry/series.ts'
import type { TlsRemark } from './tls/remark.ts'
import type { TlsFiles } from './tls/tls-files.ts'
import { type TlsKeeper, type TlsUpdate, createTlsKeeper } from './tls/tls-keeper.ts'

/** The files of the TLS listener of a running gateway. */
export interface GatewayTls {
  /** Watches the files from now on. */
  start (): void
  /** When what is in force expires, file by file; for the metrics and for people. */
  read (): readonly TlsReading[]
  /** What is wrong with the files as they are now, if they were not taken; a line each. */
  readonly problems: readonly string[]
  close (): void
}

export interface GatewayTlsOptions {
  readonly configuration: Configuration
  readonly logger: Logger
  readonly metrics: Metrics
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** New files are to be served with from now on. */
  readonly onApplied: (files: TlsFiles) => void
}

/** Nothing, when the configuration has no TLS. */
export function createGatewayTls (options: GatewayTlsOptions): GatewayTls | undefined {
  const { configuration: { listen: { tls: first } }, logger, metrics, now, onApplied } = options
  if (first === undefined) return undefined
  let keeper: TlsKeeper | undefined

  function onUpdate (update: TlsUpdate): void {
    metrics.tlsUpdated(update.result)
    if (update.result === 'applied') {
      onApplied(update.files)
      const warnings = update.warnings.map(describeRemark)
      logger.info({ files: describe(update.files), ...warnings.length === 0 ? {} : { warnings } }, 'tls_files_updated')
    } else {
      logger.error({ problems: update.problems.map(describeRemark) }, 'tls_files_refused')
    }
  }

  return {
    start () {
      logger.info({ files: describe(first) }, 'tls_files_loaded')
      keeper = createTlsKeeper({ files: first, now, onUpdate })
    },
    read: () => listExpiries(keeper?.current ?? first),
    get problems () { return keeper?.problems.map(describeRemark) ?? [] },
    close: () => keeper?.close(),
  }
}

function listExpiries ({ pairs, clientAuthorities }: TlsFiles): readonly TlsReading[] {
  const { caFile, expiresAt = 0, revocation } = clientAuthorities ?? {}
  return [
    ...pairs.map((pair) => ({ kind: 'server', file: pair.certFile, expiresAtSeconds: pair.expiresAt / 1000 } as const)),
    ...caFile === undefined ? [] : [{ kind: 'client_ca', file: caFile, expiresAtSeconds: expiresAt / 1000 } as const],
    ...revocation?.expiresAt === undefined
      ? []
      : [{ kind: 'client_crl', file: revocation.crlFile, expiresAtSeconds: revocation.expiresAt / 1000 } as const],
  ]
}

/** Each file that expires, and when. */
function describe (files: TlsFiles): object {
  return Object.fromEntries(listExpiries(files).map(({ file, expiresAtSeconds }) => {
    return [file, new Date(expiresAtSeconds * 1000).toISOString()]
  }))
}

/** As `check` says it, but for the place in the file. */
function describeRemark ({ path, message }: TlsRemark): string {
  return `${formatPath(['listen', 'tls', ...path])}: ${message}`
}
