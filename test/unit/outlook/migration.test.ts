import t from 'tap'
import type { EndpointCheck } from '../../../src/outlook/endpoint-check.ts'
import { type RegistryMigration, describeMigration } from '../../../src/outlook/migration.ts'
import { type Sight, type Sightings, createSightings } from '../../../src/sightings/sightings.ts'
import { type WrittenRegistry, readRegistry } from '../policy/sources.ts'

const minute = 60_000
const day = 1440 * minute
const start = Date.UTC(2026, 10, 1)
const loginServer = 'contoso.azurecr.io'
const dataHost = 'contoso.eastus.data.azurecr.io'
const contoso: WrittenRegistry = { loginServer, regions: ['eastus'], storage: 'any' }

/** Some days at a gateway. */
class Watched {
  now = start
  readonly sightings: Sightings

  constructor (options: { readonly maxEntries?: number } = {}) {
    this.sightings = createSightings({
      registries: [loginServer],
      registrySuffixes: new Set(['azurecr.io']),
      blobSuffixes: new Set(['blob.core.windows.net']),
      now: () => this.now,
      ...options,
    })
  }

  /** Time goes by, and the gateway looks. */
  watch (durationMs: number): this {
    for (const end = this.now + durationMs; this.now < end;) {
      this.now += 4 * minute
      this.sightings.beat()
    }
    return this
  }

  /** Time goes by, and nobody looks. */
  miss (durationMs: number): this {
    this.now += durationMs
    this.sightings.beat()
    return this
  }

  pull (host = dataHost, client = '10.0.0.1', { isKnown = true, bytes = 1_000_000 } = {}): this {
    const sight = (seen: string, labels: Sight['labels']): Sight => {
      return { client: `${client}:1`, host: seen, labels, wouldRefuse: undefined }
    }
    if (isKnown) this.sightings.opened(sight(loginServer, { registry: loginServer, class: 'login', region: '' }))
    const isData = host.endsWith('.data.azurecr.io')
    const region = isData ? host.split('.')[1] ?? '' : ''
    const labels = { registry: loginServer, class: isData ? 'data' : 'storage', region }
    this.sightings.opened(sight(host, labels))?.(bytes)
    return this
  }

  refuse (host: string): this {
    const reason = host.endsWith('.data.azurecr.io') ? 'region_not_configured' : 'storage_not_enabled'
    this.sightings.refused({ client: '10.0.0.1:1', host, labels: undefined, wouldRefuse: undefined }, reason)
    return this
  }

  judge (registry: WrittenRegistry = contoso, more: Partial<EndpointCheck> = {}): RegistryMigration {
    const checks = new Map((registry.regions ?? []).map((region) => {
      const host = `contoso.${region}.data.azurecr.io`
      return [host, { host, ok: true, addresses: [], problem: '', ...more }]
    }))
    const source = { kind: 'daemon', file: '' } as const
    const state = this.sightings.read()
    const registries = [readRegistry(registry)]
    const [judged] = describeMigration({ registries, state, source, checks, now: this.now }).registries
    if (judged === undefined) throw new TypeError('no registry')
    return judged
  }
}

const blob = 'weumanaged15.blob.core.windows.net'

t.test('two weeks without a blob, with layers from a data endpoint that answers, are safe', async (t) => {
  const watched = new Watched().pull(blob).watch(14 * day).pull()
  t.match(watched.judge(), {
    verdict: 'safe',
    reasons: [
      'no blob was asked for in 14 days of watching; the last was seen 2026-11-01 00:00 UTC',
      'layers came from eastus, last 2026-11-15 00:00 UTC',
      `every data endpoint answers: ${dataHost}`,
    ],
    accounts: [{ host: blob, registry: loginServer, tunnels: 1, bytesFromUpstream: 1_000_000 }],
    endpoints: [{ host: dataHost, region: 'eastus', tunnels: 1 }],
  })
  t.match(watched.judge().next.join('\n'), /every other gateway(?:.*\n)+.*drop storage of contoso/)
})

t.test('it is not safe a minute before', async (t) => {
  const watched = new Watched().pull(blob).watch(14 * day - 4 * minute).pull()
  t.match(watched.judge(), { verdict: 'not_yet', reasons: [/^weumanaged15\.blob\..* was asked for once, last 2026-11-01 00:00 UTC$/, /watched for 13\.9 of 14 days/] })
  t.equal(watched.judge().next.at(-1), 'wait, and look again after 2026-11-15 00:00 UTC, if no blob is asked for until then')
})

t.test('time in which the gateway was not there does not count, before or after the last blob', async (t) => {
  t.match(new Watched().watch(7 * day).miss(30 * day).watch(6 * day).pull().judge(), {
    verdict: 'unknown', reasons: ['it was watched for 13 of 14 days'],
  })
  const away = new Watched().pull(blob).watch(day).miss(60 * day).watch(12 * day).pull()
  t.equal(away.judge().verdict, 'not_yet', 'the blob was 73 days ago, of which 13 were watched')
  t.equal(away.watch(day).judge().verdict, 'safe')
})

t.test('what nobody has seen is unknown: no time, no layer, or only handshakes', async (t) => {
  t.match(new Watched().judge(), { verdict: 'unknown', reasons: [/watched for 0 of 14/, /^no layer came from a data endpoint/] })
  const idle = new Watched().watch(20 * day)
  t.match(idle.judge(), { verdict: 'unknown', reasons: [/^no layer came/], next: [/^pull an image through the gateway/] })
  t.equal(idle.pull(dataHost, '10.0.0.1', { bytes: 8000 }).judge().verdict, 'unknown')
  t.equal(new Watched().pull().watch(15 * day).judge().verdict, 'unknown', 'the layer was more than two weeks ago')
})

t.test('a blob of clients that nobody knows counts against every registry; one of another registry does not', async (t) => {
  const unknown = new Watched().watch(20 * day).pull().pull(blob, '10.0.0.9', { isKnown: false })
  t.match(unknown.judge(), { verdict: 'not_yet', reasons: [/asked for once, last .*by clients that had not asked for a registry before/] })
  const other = new Watched().watch(20 * day).pull()
  const labels = { registry: 'fabrikam.azurecr.io', class: 'login', region: '' }
  other.sightings.opened({ client: '10.0.0.9:1', host: 'fabrikam.azurecr.io', labels, wouldRefuse: undefined })
  t.equal(other.pull(blob, '10.0.0.9', { isKnown: false }).judge().verdict, 'safe')
})

t.test('refused blobs, closed regions, no regions and an endpoint that does not answer are not yet', async (t) => {
  const good = () => new Watched().watch(20 * day).pull()
  t.match(good().refuse('new.blob.core.windows.net').judge({ ...contoso, storage: ['old'] }), {
    verdict: 'not_yet', reasons: [/^new\.blob\.core\.windows\.net was asked for once/],
  })
  t.match(good().refuse('contoso.westus.data.azurecr.io').judge(), {
    verdict: 'not_yet',
    reasons: [/^contoso\.westus\.data\.azurecr\.io was asked for once, .* is not among its regions$/],
    next: [/^write regions: \[eastus, westus\] for contoso\.azurecr\.io/],
  })
  t.match(good().judge(contoso, { ok: false, problem: 'there is no such name; Check it.' }), {
    verdict: 'not_yet', reasons: ['there is no such name; Check it.'], next: [/^mend contoso\.eastus\.data/],
  })
  t.match(new Watched().watch(20 * day).judge({ loginServer, storage: 'any' }), {
    verdict: 'not_yet', reasons: [/^it has no regions/, /^no layer/], next: [/^list the regions of .* az acr show-endpoints/, /^pull/],
  })
})

t.test('while blobs are asked for and no layer comes from data endpoints, these are to be turned on, last of all', async (t) => {
  const { next } = new Watched().watch(day).judge({ loginServer: 'contoso-a1b2.azurecr.io', storage: 'any' })
  t.match(next, [/^list the regions of contoso-a1b2\.azurecr\.io, .*: az acr show-endpoints --name contoso \|/, /^pull/])
  t.match(new Watched().pull(blob).watch(day).judge().next, [
    /^turn on dedicated data endpoints \(Premium\): az acr update --name contoso --data-endpoint-enabled; .* do what stands above first$/,
    'look again two weeks after the last blob',
  ])
})

t.test('a registry without storage is done, and told when its clients still ask for blobs', async (t) => {
  t.match(new Watched().judge({ ...contoso, storage: 'none' }), { verdict: 'done', reasons: ['storage is none already'], next: [] })
  t.match(new Watched().pull(blob).judge({ ...contoso, storage: 'none' }), {
    verdict: 'done', reasons: ['storage is none already', /^weumanaged15/], next: [/^turn on dedicated data endpoints/],
  })
})

t.test('an account that may have been forgotten, and an endpoint that was not tried, leave it unknown', async (t) => {
  const full = new Watched({ maxEntries: 1 }).watch(14 * day).pull('one.blob.core.windows.net')
    .pull('two.blob.core.windows.net').watch(13 * day).pull()
  t.equal(full.judge().verdict, 'not_yet')
  const watched = new Watched().watch(20 * day).pull()
  const state = watched.sightings.read()
  const forgotten = { ...state.forgotten, accounts: { count: 1, lastSeen: watched.now - day } }
  const source = { kind: 'daemon', file: '' } as const
  const registries = [readRegistry(contoso)]
  const seen = { ...state, forgotten }
  const untried = describeMigration({ registries, state: seen, source, checks: new Map(), now: watched.now })
  t.match(untried.registries, [{ verdict: 'unknown', reasons: [/not every data endpoint .* was tried/, /more names were seen than are remembered/] }])
})
