import { resolve } from 'node:path'
import { loadConfiguration } from '../config/load.ts'
import { escapeControls } from '../config/problem.ts'
import { createConfiguredNames, createConfiguredPolicy, createConfiguredReach } from '../gateway-parts.ts'
import { type Outlook, createOutlook } from '../gateway-outlook.ts'
import type { SightingsSource } from '../outlook/migration.ts'
import { readState } from '../sightings/state-keeper.ts'
import type { SightingsState } from '../sightings/state.ts'
import type { Arguments } from './args.ts'
import type { Terminal } from './command.ts'
import { printProblems, readLoadOptions } from './configuration-flags.ts'

/** What a gateway has written, and what the configuration makes of it here. */
export interface StoredSightings {
  readonly outlook: Outlook
  readonly state: SightingsState
  readonly source: SightingsSource
}

/**
 * Reads `--state FILE` and the configuration, and gives both to `use`, after which all is closed. `undefined` when
 * either does not serve, which has been said then.
 */
export async function withStoredSightings<T> (
  given: Arguments, terminal: Terminal, use: (stored: StoredSightings) => Promise<T>,
): Promise<T | undefined> {
  const file = resolve(given.value('state') ?? '')
  const loaded = await loadConfiguration(readLoadOptions(given))
  if (!loaded.ok) {
    printProblems(terminal, loaded.problems)
    return undefined
  }
  const reading = await readState(file)
  if (!reading.ok) {
    terminal.stderr.write(`${escapeControls(file)} ${reading.problem}\n`)
    return undefined
  }
  const { configuration } = loaded
  const names = createConfiguredNames(configuration)
  const policy = createConfiguredPolicy(configuration)
  const outlook = createOutlook({
    configuration,
    policy: () => policy,
    makePolicy: createConfiguredPolicy,
    reach: createConfiguredReach(configuration, names),
    now: Date.now,
  })
  try {
    return await use({ outlook, state: reading.state, source: { kind: 'file', file } })
  } finally {
    outlook.close()
    names.close()
  }
}
