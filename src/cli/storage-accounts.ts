import { resolve } from 'node:path'
import { type Registry, isStorageAccountName } from '../acr/endpoints.ts'
import { loadConfiguration } from '../config/load.ts'
import { formatSocketAddress } from '../net/address.ts'
import { quoteWord } from '../policy/advice.ts'
import { readState } from '../sightings/state-keeper.ts'
import { type AccountSighting, type SightingsState, parseState } from '../sightings/state.ts'
import { findAdminAddress } from './admin-address.ts'
import type { Arguments } from './args.ts'
import type { Terminal } from './command.ts'
import { type configurationFlags, printProblems, readLoadOptions } from './configuration-flags.ts'
import { askDaemon } from './daemon-request.ts'
import type { ActionHelp } from './help.ts'
import { formatMinute, formatTimes, joinLines } from './plain-text.ts'
import { formatBytes } from './progress.ts'

/** `acr-egress export storage-accounts`, as help tells of it. */
export const storageAccountsHelp = {
  summary: 'the storage accounts that clients were seen to use, to be pinned; also as --storage-accounts',
  paragraphs: [
    'storage-accounts asks the gateway that runs, by its admin listener, or reads what it has written.',
  ],
  flags: {
    state: {
      type: 'string',
      value: 'FILE',
      takes: 'file',
      description: 'read what a gateway has written (state.file), and ask none',
    },
  },
} as const satisfies ActionHelp

type Given = Arguments<keyof typeof configurationFlags | keyof typeof storageAccountsHelp.flags>

/**
 * The storage accounts that clients were seen to use, as `storage:` of each registry, for a configuration. Asks the
 * running gateway, or reads `--state FILE`. `undefined` when neither has an answer, which has been said then.
 */
export async function listStorageAccounts (given: Given, terminal: Terminal): Promise<string | undefined> {
  const loaded = await loadConfiguration({ ...readLoadOptions(given), skipTagFile: true })
  if (!loaded.ok) {
    printProblems(terminal, loaded.problems)
    return undefined
  }
  const found = await findState(given, terminal)
  return found === undefined
    ? undefined
    : renderStorageAccounts(loaded.configuration.registries, found.state, found.from)
}

async function findState (
  given: Given, terminal: Terminal,
): Promise<{ readonly state: SightingsState, readonly from: string } | undefined> {
  const named = given.value('state')
  if (named !== undefined) {
    const file = resolve(named)
    const reading = await readState(file)
    if (reading.ok) return { state: reading.state, from: file }
    terminal.stderr.write(joinLines([`${file} ${reading.problem}`]))
    return undefined
  }
  const admin = await findAdminAddress(given, terminal)
  if (admin === undefined) return undefined
  const answer = await askDaemon(admin, '/api/sightings')
  const state = answer.ok ? parseState(answer.value) : undefined
  if (state !== undefined) return { state, from: `the gateway at ${formatSocketAddress(admin.address, admin.port)}` }
  const problem = answer.ok ? 'the daemon is of another version; restart it with the version of this command' : answer.problem
  terminal.stderr.write(`acr-egress export: ${problem}; or read what it has written: --state FILE\n`)
  return undefined
}

/** The accounts as YAML for a configuration; `from` says who has seen them. */
export function renderStorageAccounts (registries: readonly Registry[], state: SightingsState, from: string): string {
  const since = formatTime(state.watch.since)
  const blocks = registries.map((registry) => renderRegistry(registry, state, since))
  const isKnown = blocks.some(({ length }) => length > 0)
  return joinLines([
    `# Storage accounts that clients have asked for, as seen by ${from} since ${since}.`,
    '# Names come from clients: keep only those that layers of the registry come from. Azure may move layers to other',
    '# accounts at any time; with dedicated data endpoints no account is needed (docs/migration.md).',
    ...isKnown ? ['# Change storage of the registries that are there already.', 'registries:', ...blocks.flat()] : [],
    ...registries.flatMap(({ loginServer: { host } }, index) => {
      return blocks[index]?.length === 0 ? [`# ${host}: no storage account was asked for.`] : []
    }),
    ...renderStrangers(registries, state),
  ])
}

/** The entry of one registry; no lines when it has no accounts. */
function renderRegistry (registry: Registry, state: SightingsState, since: string): string[] {
  const { storage, loginServer: { host, cloud } } = registry
  const pinned = typeof storage === 'string' ? [] : storage
  const listed = pinned.map((name) => ({ name, seen: findSeen(state, registry, name) }))
  const found = state.accounts
    .filter((account) => account.registry === host && account.host.endsWith(`.${cloud.blobSuffix}`))
    .map((seen) => ({ name: nameOf(seen), seen }))
    .filter(({ name }) => !pinned.includes(name))
    .sort((one, other) => one.name.localeCompare(other.name, 'en'))
  const usable = found.filter(({ name }) => isStorageAccountName(name))
  if (listed.length + found.length === 0) return []
  return [
    `  - loginServer: ${host}`,
    ...found.filter(({ name }) => !isStorageAccountName(name)).map(({ name, seen }) => {
      return `    # ${seen.host} (${describeUse(seen)}): ${name} cannot stand here; write the host under extraHosts.`
    }),
    ...listed.length + usable.length === 0 ? [] : ['    storage:'],
    ...listed.flatMap(({ name, seen }) => {
      return [`      # ${seen === undefined ? `listed already, and not seen since ${since}` : describeUse(seen)}`, `      - ${quoteWord(name)}`]
    }),
    ...usable.flatMap(({ name, seen }) => {
      return [`      # ${pinned.length > 0 ? 'NEW, not among the accounts listed now: ' : ''}${describeUse(seen)}`, `      - ${quoteWord(name)}`]
    }),
  ]
}

/** A listed account is the registry's, whoever asked for it. */
function findSeen (
  { accounts }: SightingsState, { loginServer: { host, cloud } }: Registry, name: string,
): AccountSighting | undefined {
  const seen = accounts.filter((account) => account.host === `${name}.${cloud.blobSuffix}`)
  return seen.find(({ registry }) => registry === host) ?? seen.find(({ registry }) => registry === '')
}

/** Accounts that nobody knows the registry of, for a person to sort. */
function renderStrangers (registries: readonly Registry[], { accounts }: SightingsState): string[] {
  const listed = new Set(registries.flatMap(({ storage, loginServer: { cloud } }) => {
    return typeof storage === 'string' ? [] : storage.map((name) => `${name}.${cloud.blobSuffix}`)
  }))
  const strangers = accounts.filter(({ registry, host }) => registry === '' && !listed.has(host))
  if (strangers.length === 0) return []
  return [
    '# By clients that had not asked for a registry before; add each to the registry that it is of, if it is of one:',
    ...strangers.map((seen) => `#   ${quoteWord(nameOf(seen))} (${describeUse(seen)})`),
  ]
}

function describeUse ({ tunnels, bytesFromUpstream, refused, failed, lastSeen }: AccountSighting): string {
  return [
    ...tunnels > 0 ? [`${tunnels} ${tunnels === 1 ? 'tunnel' : 'tunnels'}, ${formatBytes(bytesFromUpstream)}`] : [],
    ...refused > 0 ? [`refused ${formatTimes(refused)}`] : [],
    ...failed > 0 ? [`failed ${formatTimes(failed)}`] : [],
    `last ${formatTime(lastSeen)}`,
  ].join(', ')
}

function nameOf ({ host }: AccountSighting): string {
  return host.slice(0, host.indexOf('.'))
}

function formatTime (time: number): string {
  return formatMinute(new Date(time).toISOString())
}
