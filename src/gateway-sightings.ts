import type { Logger } from 'pino'
import type { Configuration } from './config/configuration.ts'
import { type Sightings, createSightings } from './sightings/sightings.ts'
import { type StateKeeper, createStateKeeper } from './sightings/state-keeper.ts'

/** What a running gateway has seen, and the file that it outlives a restart in. */
export interface GatewaySightings extends StateKeeper {
  readonly sightings: Sightings
  /** Absent: memory only. */
  readonly file: string | undefined
}

export interface GatewaySightingsOptions {
  readonly configuration: Configuration
  readonly logger: Logger
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Puts the two together; nothing is read before `start`. The caller closes it. */
export function createGatewaySightings ({ configuration, logger, now }: GatewaySightingsOptions): GatewaySightings {
  const { registries, state: { file } } = configuration
  const clouds = registries.map(({ loginServer }) => loginServer.cloud)
  const sightings = createSightings({
    registries: registries.map(({ loginServer }) => loginServer.host),
    registrySuffixes: new Set(clouds.map(({ registrySuffix }) => registrySuffix)),
    blobSuffixes: new Set(clouds.map(({ blobSuffix }) => blobSuffix)),
    now,
  })
  const keeper = createStateKeeper({
    sightings,
    file,
    onRestored: ({ watch, accounts, endpoints, hosts }) => {
      const counts = { accounts: accounts.length, endpoints: endpoints.length, hosts: hosts.length }
      logger.info({ file, watchedSince: new Date(watch.since).toISOString(), ...counts }, 'sightings_restored')
    },
    onBad: (problem, setAside) => logger.error({ file, problem, setAside }, 'sightings_unreadable'),
    onUnwritable: (problem) => logger.error({ file, problem }, 'sightings_unwritable'),
    onWritable: () => logger.info({ file }, 'sightings_writable'),
  })
  return {
    sightings,
    file,
    start: keeper.start,
    beat: keeper.beat,
    get problem () { return keeper.problem },
    close: keeper.close,
  }
}
