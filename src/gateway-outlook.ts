import type { Configuration } from './config/configuration.ts'
import { createEndpointChecks } from './outlook/endpoint-check.ts'
import { type MigrationView, type SightingsSource, describeMigration, listDataHosts } from './outlook/migration.ts'
import { type WouldRefuseView, describeWouldRefuse } from './outlook/would-refuse.ts'
import type { Policy } from './policy/policy.ts'
import type { Reach } from './proxy/reach.ts'
import type { SightingsState } from './sightings/state.ts'

/** What sightings say of a configuration. */
export interface Outlook {
  /** Tries the data endpoints, or takes what was found half a minute ago. Never rejects, and takes 8 s at most. */
  describeMigration (state: SightingsState, source: SightingsSource): Promise<MigrationView>
  describeWouldRefuse (state: SightingsState, source: SightingsSource): WouldRefuseView
  /** Ends what is being tried. */
  close (): void
}

export interface OutlookOptions {
  readonly configuration: Configuration
  /** The one in force, by which the endpoints are tried. */
  readonly policy: () => Policy
  /** Makes one of a configuration that is not in force. */
  readonly makePolicy: (configuration: Configuration) => Policy
  readonly reach: Reach
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** For the daemon, and for a command in its place. The caller closes it. */
export function createOutlook ({ configuration, policy, makePolicy, reach, now }: OutlookOptions): Outlook {
  const { registries, bundles, extraHosts } = configuration
  const checks = createEndpointChecks({ hosts: listDataHosts(registries), policy, reach })
  return {
    async describeMigration (state, source) {
      return describeMigration({ registries, state, source, checks: await checks.look(), now: now() })
    },
    describeWouldRefuse: (state, source) => describeWouldRefuse({
      state,
      source,
      mode: configuration.policy.mode,
      lists: { registries, bundles, extraHosts },
      makePolicy: (lists) => makePolicy({ ...configuration, ...lists, policy: { mode: 'enforce' } }),
      now: now(),
    }),
    close: checks.close,
  }
}
