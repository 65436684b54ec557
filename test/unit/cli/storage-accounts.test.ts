import t from 'tap'
import { parse } from 'yaml'
import { renderStorageAccounts } from '../../../src/cli/storage-accounts.ts'
import { createSightings } from '../../../src/sightings/sightings.ts'
import { readRegistry } from '../policy/sources.ts'

const contoso = { loginServer: 'contoso.azurecr.io', regions: ['eastus'] }
const fabrikam = { loginServer: 'fabrikam.azurecr.io', storage: ['pinned1', '007'] }
const idle = { loginServer: 'idleone.azurecr.us', storage: 'any' as const }

t.test('each registry has the accounts of its clients, those that are listed first, and what nobody knows stands below', async (t) => {
  const sightings = createSightings({
    registries: [],
    registrySuffixes: new Set(['azurecr.io']),
    blobSuffixes: new Set(['blob.core.windows.net']),
    now: () => Date.UTC(2026, 10, 25, 10, 11),
  })
  const ask = (client: string, host: string) => ({ client: `${client}:1`, host, labels: undefined, wouldRefuse: undefined })
  const pull = (client: string, account: string) => {
    sightings.opened(ask(client, `${account}.blob.core.windows.net`))?.(2_500_000)
  }
  sightings.opened(ask('10.0.0.1', 'contoso.azurecr.io'))
  sightings.opened(ask('10.0.0.2', 'fabrikam.azurecr.io'))
  for (const account of ['eusmanaged1', 'eusmanaged1', 'null', 'eusmanaged1-secondary']) pull('10.0.0.1', account)
  pull('10.0.0.9', 'pinned1')
  pull('10.0.0.9', 'stranger')
  sightings.refused(ask('10.0.0.2', 'moved.blob.core.windows.net'), 'storage_not_enabled')

  const text = renderStorageAccounts([contoso, fabrikam, idle].map(readRegistry), sightings.read(), 'FILE\u001b[2J')
  t.equal(text, `\
# Storage accounts that clients have asked for, as seen by FILE\\u001b[2J since 2026-11-25 10:11 UTC.
# Names come from clients: keep only those that layers of the registry come from. Azure may move layers to other
# accounts at any time; with dedicated data endpoints no account is needed (docs/migration.md).
# Change storage of the registries that are there already.
registries:
  - loginServer: contoso.azurecr.io
    # eusmanaged1-secondary.blob.core.windows.net (1 tunnel, 2.5 MB, last 2026-11-25 10:11 UTC): eusmanaged1-secondary cannot stand here; write the host under extraHosts.
    storage:
      # 2 tunnels, 5.0 MB, last 2026-11-25 10:11 UTC
      - eusmanaged1
      # 1 tunnel, 2.5 MB, last 2026-11-25 10:11 UTC
      - 'null'
  - loginServer: fabrikam.azurecr.io
    storage:
      # 1 tunnel, 2.5 MB, last 2026-11-25 10:11 UTC
      - pinned1
      # listed already, and not seen since 2026-11-25 10:11 UTC
      - '007'
      # NEW, not among the accounts listed now: refused once, last 2026-11-25 10:11 UTC
      - moved
# idleone.azurecr.us: no storage account was asked for.
# By clients that had not asked for a registry before; add each to the registry that it is of, if it is of one:
#   stranger (1 tunnel, 2.5 MB, last 2026-11-25 10:11 UTC)
`)
  t.match(parse(text), { registries: [{ storage: ['eusmanaged1', 'null'] }, { storage: ['pinned1', '007', 'moved'] }] })
})

t.test('without any, there is nothing to paste', async (t) => {
  const sightings = createSightings({ registries: [], registrySuffixes: new Set(), blobSuffixes: new Set() })
  const text = renderStorageAccounts([readRegistry(contoso)], sightings.read(), 'FILE')
  t.match(text, /\n# contoso\.azurecr\.io: no storage account was asked for\.\n$/)
  t.equal(parse(text), null)
})
