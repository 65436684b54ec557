import t from 'tap'
import type { Reason } from '../../../src/refusal/reasons.ts'
import { type Sight, type Sightings, createSightings } from '../../../src/sightings/sightings.ts'
import { describeState, parseState } from '../../../src/sightings/state.ts'

const minute = 60_000
const start = Date.UTC(2026, 10, 1)
const contoso = 'contoso.azurecr.io'
const blob = 'weumanaged15.blob.core.windows.net'
const dataHost = 'contoso.eastus.data.azurecr.io'
const login = { registry: contoso, class: 'login', region: '' }
const anyStorage = { registry: contoso, class: 'storage', region: '' }
const data = { registry: contoso, class: 'data', region: 'eastus' }
const unlisted = { registry: '', class: 'unlisted', region: '' }

function createRecord (
  more: { maxEntries?: number, maxClients?: number } = {},
): { sightings: Sightings, clock: { now: number } } {
  const clock = { now: start }
  const sightings = createSightings({
    registries: [contoso],
    registrySuffixes: new Set(['azurecr.io']),
    blobSuffixes: new Set(['blob.core.windows.net']),
    now: () => clock.now,
    ...more,
  })
  return { sightings, clock }
}

function sight (host: string, labels?: Sight['labels'], client = '10.0.0.1:5000', wouldRefuse?: Reason): Sight {
  return { client, host, labels, wouldRefuse }
}

t.test('an account belongs to the registry that the same client asked before, from whatever port', async (t) => {
  const { sightings, clock } = createRecord()
  sightings.opened(sight(contoso, login, '10.0.0.1:5000'))
  clock.now += minute
  sightings.opened(sight(blob, anyStorage, '10.0.0.1:5001'))?.(3_000_000)
  sightings.opened(sight(blob, anyStorage, '10.0.0.2:5002'))
  t.match(sightings.read().accounts, [
    { host: blob, registry: contoso, lastSeen: clock.now, tunnels: 1, bytesFromUpstream: 3_000_000, refused: 0 },
    { host: blob, registry: '', tunnels: 1, bytesFromUpstream: 0 },
  ])
})

t.test('a login counts from its last use, and for a quarter of an hour', async (t) => {
  const { sightings, clock } = createRecord()
  const end = sightings.opened(sight(contoso, login))
  clock.now += 40 * minute
  end?.(9000)
  clock.now += 15 * minute
  sightings.opened(sight(blob, anyStorage))
  clock.now += 1
  sightings.opened(sight('later.blob.core.windows.net', anyStorage))
  t.same(sightings.read().accounts.map(({ registry }) => registry), [contoso, ''])
})

t.test('blobs of a registry that is not configured are not put down to one that is', async (t) => {
  const { sightings } = createRecord()
  sightings.opened(sight(contoso, login))
  sightings.opened(sight('fabrikam.azurecr.io', unlisted, '10.0.0.1:5001', 'host_not_allowed'))
  sightings.opened(sight(blob, unlisted, '10.0.0.1:5002', 'storage_not_enabled'))
  t.same(sightings.read().accounts.map(({ registry }) => registry), ['fabrikam.azurecr.io'])
})

t.test('accounts are seen under every rule, refused ones too, and failures are told apart', async (t) => {
  const { sightings } = createRecord()
  sightings.opened(sight(contoso, login))
  sightings.refused(sight(blob), 'storage_not_enabled')
  sightings.refused(sight(blob, anyStorage), 'connect_timeout')
  sightings.opened(sight(blob, { registry: '', class: 'extra', region: '' }))
  sightings.refused(sight(blob), 'method_not_allowed')
  t.match(sightings.read().accounts, [{ host: blob, registry: contoso, tunnels: 1, refused: 1, failed: 1 }])
})

t.test('data endpoints are told apart by registry and region, and a handshake from a layer', async (t) => {
  const { sightings, clock } = createRecord()
  sightings.opened(sight(dataHost, data))?.(8000)
  t.match(sightings.read().endpoints, [{ registry: contoso, region: 'eastus', tunnels: 1, bytesFromUpstream: 8000, lastLayer: 0 }])
  sightings.opened(sight(dataHost, data))?.(16 * 1024)
  t.match(sightings.read().endpoints, [{ tunnels: 2, bytesFromUpstream: 8000 + 16 * 1024, lastLayer: clock.now }])
  sightings.refused(sight('contoso.westus.data.azurecr.io'), 'region_not_configured')
  sightings.opened(sight('contoso.northeurope.data.azurecr.io', unlisted, '10.0.0.1:1', 'region_not_configured'))
  t.match(sightings.read().endpoints.slice(1), [
    { registry: contoso, region: 'westus', tunnels: 0, refused: 1 },
    { registry: contoso, region: 'northeurope', tunnels: 1, refused: 0 },
  ])
})

t.test('what is only reported on is counted by host and reason, but for the name that is only ever reported on', async (t) => {
  const { sightings, clock } = createRecord()
  const seen = sight('packages.example.com', unlisted, '10.0.0.1:1', 'host_not_allowed')
  sightings.opened(seen)
  clock.now += minute
  sightings.opened(seen)
  sightings.opened(sight('azurecr.io', { ...login, class: 'certificate' }, '10.0.0.1:1', 'address_outside_service_tags'))
  t.same(sightings.read().hosts, [{
    host: 'packages.example.com', reason: 'host_not_allowed', count: 2, firstSeen: start, lastSeen: start + minute,
  }])
})

t.test('a full record forgets what was seen longest ago, and tells how much', async (t) => {
  const { sightings, clock } = createRecord({ maxEntries: 3, maxClients: 2 })
  for (const name of ['a', 'b', 'c', 'a', 'd', 'e']) {
    clock.now += minute
    sightings.opened(sight(`${name}aa.blob.core.windows.net`, anyStorage))
    sightings.opened(sight(`${name}.example`, unlisted, '10.0.0.1:1', 'host_not_allowed'))
  }
  const { accounts, hosts, forgotten } = sightings.read()
  t.same(accounts.map(({ host }) => host[0]), ['a', 'd', 'e'])
  t.same(hosts.map(({ host }) => host[0]), ['a', 'd', 'e'])
  const gone = { count: 2, lastSeen: start + 3 * minute }
  t.same(forgotten, { accounts: gone, endpoints: { count: 0, lastSeen: 0 }, hosts: gone })
  for (const client of ['1', '2', '3']) sightings.opened(sight(contoso, login, `10.0.0.${client}:1`))
  for (const client of ['1', '2', '3']) sightings.opened(sight(`z${client}z.blob.core.windows.net`, anyStorage, `10.0.0.${client}:1`))
  t.same(sightings.read().accounts.map(({ registry }) => registry), ['', contoso, contoso], 'the oldest client is not known any more')
})

t.test('a record goes on from its state, written and read', async (t) => {
  const before = createRecord()
  before.sightings.opened(sight(contoso, login))
  before.sightings.opened(sight(blob, anyStorage))?.(100)
  before.sightings.opened(sight(dataHost, data))?.(100_000)
  before.sightings.opened(sight('a.example', unlisted, '10.0.0.1:1', 'host_not_allowed'))
  const state = parseState(JSON.parse(JSON.stringify(describeState(before.sightings.read()))))
  if (state === undefined) throw new TypeError('not read')
  t.same(state, before.sightings.read())

  const after = createRecord()
  after.clock.now += 2 * minute
  after.sightings.restore(state)
  t.same(after.sightings.read(), { ...state, watch: { ...state.watch, until: after.clock.now } })
  after.sightings.opened(sight(dataHost, data))
  t.match(after.sightings.read().endpoints, [{ tunnels: 2, firstSeen: start, lastSeen: after.clock.now }])
})

t.test('a registry counts as watched from when it came into the configuration, or the clock was set back', async (t) => {
  const { sightings, clock } = createRecord()
  const [known] = sightings.read().registries
  t.same(known, { registry: contoso, since: start })
  clock.now += 100 * minute
  sightings.restore({ ...sightings.read(), registries: [{ registry: 'fabrikam.azurecr.io', since: start }] })
  t.same(sightings.read().registries, [{ registry: contoso, since: clock.now }])
  clock.now -= 50 * minute
  sightings.beat()
  t.same(sightings.read().registries, [{ registry: contoso, since: clock.now }])
  t.equal(sightings.read().watch.since, clock.now)
})

t.test('a state that was tampered with is none', async (t) => {
  const { sightings } = createRecord()
  sightings.opened(sight(blob, anyStorage))
  const good = JSON.parse(JSON.stringify(describeState(sightings.read())))
  t.ok(parseState(good))
  const [account] = good.accounts
  for (const bad of [
    undefined, null, [], 'x', {}, { ...good, version: 2 }, { ...good, accounts: [{ ...account, host: '\u001b[2J' }] },
    { ...good, accounts: [{ ...account, tunnels: -1 }] }, { ...good, accounts: [{ ...account, lastSeen: 'yesterday' }] },
    { ...good, hosts: [{ host: 'a.example', reason: 'because', count: 1, firstSeen: account.firstSeen, lastSeen: account.lastSeen }] },
  ]) t.equal(parseState(bad), undefined)
})
