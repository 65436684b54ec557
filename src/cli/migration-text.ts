import type { EndpointCheck } from '../outlook/endpoint-check.ts'
import type { MigrationView, RegistryMigration, TrafficView } from '../outlook/migration.ts'
import { formatMinute, formatTimes, joinLines } from './plain-text.ts'
import { formatBytes } from './progress.ts'

/** Of many accounts a person reads the last few; `--json` has them all. */
const accountsShown = 10

/** What each verdict is to a person. */
const verdictWords: Readonly<Record<RegistryMigration['verdict'], string>> = {
  safe: 'safe to close blob storage',
  not_yet: 'not yet',
  unknown: 'not known yet',
  done: 'done',
}

/** The migration as text. */
export function renderMigration (view: MigrationView): string {
  const { source, watchedSince, watchedDays, neededDays } = view
  const where = source.kind === 'daemon' ? 'the running gateway' : `what a gateway has written to ${source.file}`
  return joinLines([
    ...view.registries.flatMap((registry) => [...renderRegistry(registry), '']),
    `From ${where}; watched since ${formatMinute(watchedSince)}, ${watchedDays} days without gaps, of which ${neededDays} are needed.`,
    ...source.kind === 'file' ? ['The data endpoints were tried by this command, from here.'] : [],
    ...source.kind === 'daemon' && source.file === '' ? ['This is kept in memory only and lost at a restart: set state.file.'] : [],
    'What went through other gateways, or past them, was not seen; nor were devices that did not pull in that time.',
  ])
}

function renderRegistry (migration: RegistryMigration): string[] {
  const { registry, storage, verdict, accounts, endpoints, checks, reasons, next } = migration
  const shown = accounts.slice(-accountsShown).reverse()
  const hidden = accounts.length - shown.length
  return [
    `${registry}: ${verdictWords[verdict]}`,
    `  storage   ${typeof storage === 'string' ? storage : `[${storage.join(', ')}]`}`,
    ...shown.map((account) => {
      const whose = account.registry === '' ? ', whose is not known' : ''
      return `  blobs     ${account.host}: ${describeTraffic(account)}, last ${formatMinute(account.lastSeen)}${whose}`
    }),
    ...hidden > 0 ? [`  blobs     and ${hidden} more, seen longer ago; --json has all`] : [],
    ...endpoints.map((endpoint) => {
      const last = endpoint.lastLayer === '' ? 'no layer yet' : `last layer ${formatMinute(endpoint.lastLayer)}`
      return `  layers    ${endpoint.host}: ${describeTraffic(endpoint)}, ${last}`
    }),
    ...checks.flatMap(renderCheck),
    ...reasons.map((reason) => `  because   ${reason}`),
    ...next.map((step, index) => `  to do     ${index + 1}. ${step}`),
  ]
}

function describeTraffic ({ tunnels, bytesFromUpstream, refused, failed }: TrafficView): string {
  return [
    `${tunnels} ${tunnels === 1 ? 'tunnel' : 'tunnels'}`,
    ...bytesFromUpstream > 0 ? [formatBytes(bytesFromUpstream)] : [],
    ...refused > 0 ? [`refused ${formatTimes(refused)}`] : [],
    ...failed > 0 ? [`failed ${formatTimes(failed)}`] : [],
  ].join(', ')
}

function renderCheck ({ host, ok, addresses, certificate }: EndpointCheck): string[] {
  const whom = certificate === undefined ? '' : `; its certificate, by ${certificate.issuer}, names ${certificate.names.join(', ')}`
  return [
    `  tried     ${host}: ${ok ? 'answers' : 'cannot be used'}${whom}`,
    ...addresses.map(({ address, allow, ground }) => `            ${address}: ${allow ? 'allowed' : 'denied'}, ${ground}`),
  ]
}
