import t from 'tap'
import { endpointClasses } from '../../../src/acr/endpoints.ts'
import { cacheResults } from '../../../src/dns/names.ts'
import { queryOutcomes } from '../../../src/dns/resolver.ts'
import { attemptOutcomes } from '../../../src/proxy/dial.ts'
import { connectionLimits } from '../../../src/proxy/connections.ts'
import { handshakeFailures } from '../../../src/proxy/handshake-failure.ts'
import { reasonWords } from '../../../src/refusal/reasons.ts'
import { relayOutcomes } from '../../../src/relay/ends.ts'
import { tagUpdateResults } from '../../../src/tags/tag-keeper.ts'
import { type Metrics, createMetrics } from '../../../src/telemetry/metrics.ts'
import { type Sample, readExposition } from './exposition.ts'
import { tlsUpdateResults } from '../../../src/tls/tls-keeper.ts'
import { metricsOptions } from '../../support/metrics-options.ts'

/** The samples of a series, without the prefix in its name. */
async function readSeries (metrics: Metrics, name: string): Promise<Sample[]> {
  const { samples } = readExposition((await metrics.exposition()).body)
  return samples.filter((sample) => sample.name === `acr_egress_${name}`)
}

/** The values of a series, by its labels in the order of the text. */
async function readValues (metrics: Metrics, name: string): Promise<Record<string, number>> {
  const samples = await readSeries(metrics, name)
  return Object.fromEntries(samples.map(({ labels, value }) => [Object.values(labels).join(' '), value]))
}

function createTestMetrics (): Metrics {
  return createMetrics(metricsOptions)
}

const data = { registry: 'contoso.azurecr.io', class: 'data', region: 'eastus' }

/** Lets everything happen once. */
function exerciseAll (metrics: Metrics): void {
  metrics.connectionOpened()
  for (const failure of handshakeFailures) metrics.handshakeFailed(failure)
  for (const limit of connectionLimits) metrics.connectionDropped(limit)
  for (const outcome of attemptOutcomes) metrics.attempted(outcome)
  for (const outcome of queryOutcomes) metrics.queried(outcome)
  for (const result of cacheResults) metrics.lookedUp(result)
  for (const reason of reasonWords) {
    metrics.refused(reason)
    metrics.wouldRefuse(reason)
  }
  for (const result of tagUpdateResults) metrics.tagsUpdated(result)
  for (const result of tlsUpdateResults) metrics.tlsUpdated(result)
  metrics.addressesChanged()
  for (const outcome of relayOutcomes) {
    metrics.tunnelOpened(data, { fromClient: 1, fromUpstream: 2 }, 0.01)({ outcome, durationSeconds: 1 })
  }
  metrics.tunnelOpened({ registry: '', class: 'certificate', region: '' }, { fromClient: 1, fromUpstream: 2 }, 0.01)
}

t.test('every series has the prefix or is the process\'s own, and is explained', async (t) => {
  const metrics = createTestMetrics()
  exerciseAll(metrics)
  const { contentType, body } = await metrics.exposition()
  t.match(contentType, /^text\/plain; version=0\.0\.4/)
  const { families, samples } = readExposition(body)
  for (const { name, help, type } of families.values()) {
    t.match(name, /^(?:acr_egress|process|nodejs)_[a-z0-9_]+$/)
    t.not(help, '', name)
    t.ok(['counter', 'gauge', 'histogram'].includes(type), name)
    if (name.startsWith('acr_egress_')) t.equal(type === 'counter', name.endsWith('_total'), `${name} is a ${type}`)
  }
  for (const { name } of samples) t.ok(families.has(name.replace(/_(?:bucket|sum|count)$/, '')) || families.has(name), name)
})

t.test('the labels of our own series, and their values, are closed sets', async (t) => {
  const metrics = createTestMetrics()
  exerciseAll(metrics)
  const registries = ['contoso.azurecr.io', '']
  const closedSets: Record<string, Readonly<Record<string, readonly string[]>>> = {
    build_info: { version: ['1.2.3'], node: [process.version] },
    relay_engine_info: { engine: ['stream'] },
    upstream_info: { via: ['direct', 'parent'], resolver: ['gateway', 'parent'] },
    relay_pipes: { state: ['idle', 'lent'] },
    dns_cache_entries: {},
    refusals_total: { reason: reasonWords },
    tunnel_bytes_total: { registry: registries, class: endpointClasses, region: ['eastus', ''], direction: ['from_client', 'from_upstream'] },
    tunnels_active: { registry: registries, class: endpointClasses },
    client_connections_active: {},
    client_connections_dropped_total: { limit: connectionLimits },
    tls_handshake_failures_total: { reason: handshakeFailures },
    tls_reloads_total: { result: tlsUpdateResults },
    tls_expiry_timestamp_seconds: { kind: ['server'], file: ['/etc/acr-egress/tls.crt'] },
    connect_attempts_total: { outcome: attemptOutcomes },
    dns_queries_total: { outcome: queryOutcomes },
    dns_cache_total: { result: cacheResults },
    dns_address_changes_total: {},
    would_refuse_total: { reason: reasonWords },
    service_tags_updates_total: { result: tagUpdateResults },
    service_tags_age_seconds: {},
    service_tags_prefixes: { tag: ['AzureContainerRegistry'] },
    service_tags_change_number: { tag: ['AzureContainerRegistry'] },
    tunnels_total: { registry: registries, class: endpointClasses, outcome: relayOutcomes },
    tunnel_setup_seconds: {},
    tunnel_duration_seconds: {},
  }
  const { families, samples } = readExposition((await metrics.exposition()).body)
  const own = [...families.keys()].filter((name) => name.startsWith('acr_egress_'))
  t.same(own.map((name) => name.replace('acr_egress_', '')).sort(), Object.keys(closedSets).sort())
  for (const { name, labels } of samples.filter((sample) => sample.name.startsWith('acr_egress_'))) {
    const { le, ...ownLabels } = labels
    const sets = closedSets[name.replace('acr_egress_', '').replace(le === undefined ? /_(?:sum|count)$/ : /_bucket$/, '')] ?? {}
    t.same(Object.keys(ownLabels), Object.keys(sets), name)
    for (const [label, value] of Object.entries(ownLabels)) t.ok(sets[label]?.includes(value), `${name} ${label}=${value}`)
  }
})

t.test('every refusal stands at 0 before there is one, so that its rate is known from the first', async (t) => {
  const metrics = createTestMetrics()
  const zeros = Object.fromEntries(reasonWords.map((reason) => [reason, 0]))
  t.same(await readValues(metrics, 'refusals_total'), zeros)
  t.same(metrics.totals().refusals, {})
  metrics.refused('host_not_allowed')
  metrics.refused('host_not_allowed')
  metrics.refused('dns_timeout')
  const counted = { host_not_allowed: 2, dns_timeout: 1 }
  t.same(await readValues(metrics, 'refusals_total'), { ...zeros, ...counted })
  t.same(await readValues(metrics, 'refusals_total'), { ...zeros, ...counted }, 'reading counts nothing')
  t.same(metrics.totals().refusals, counted)
})

t.test('the bytes of a tunnel move while it runs, and are exact at its end', async (t) => {
  const metrics = createTestMetrics()
  const bytes = { fromClient: 0, fromUpstream: 0 }
  const end = metrics.tunnelOpened(data, bytes, 0.02)
  const readBytes = () => readValues(metrics, 'tunnel_bytes_total')
  const from = (client: number, upstream: number) => ({
    'contoso.azurecr.io data eastus from_client': client,
    'contoso.azurecr.io data eastus from_upstream': upstream,
  })
  t.same(await readBytes(), from(0, 0))
  bytes.fromClient = 517
  t.same(await readBytes(), from(517, 0))
  bytes.fromUpstream = 5_000_000_000
  t.same(await readBytes(), from(517, 5_000_000_000))
  t.same(await readValues(metrics, 'tunnels_active'), { 'contoso.azurecr.io data': 1 })
  t.same(await readValues(metrics, 'tunnels_total'), {})

  bytes.fromClient = 600
  end({ outcome: 'closed', durationSeconds: 12 })
  bytes.fromClient = 9_999
  end({ outcome: 'idle', durationSeconds: 13 })
  t.same(await readBytes(), from(600, 5_000_000_000), 'what comes after the end does not count')
  t.same(await readValues(metrics, 'tunnels_active'), { 'contoso.azurecr.io data': 0 })
  t.same(await readValues(metrics, 'tunnels_total'), { 'contoso.azurecr.io data closed': 1 }, 'a tunnel ends once')
  t.same(await readValues(metrics, 'tunnel_setup_seconds_sum'), { '': 0.02 })
  t.same(await readValues(metrics, 'tunnel_duration_seconds_sum'), { '': 12 })
})

t.test('tunnels with the same labels add up, those that run and those that ended', async (t) => {
  const metrics = createTestMetrics()
  const other = { ...data, region: 'westeurope' }
  const end = metrics.tunnelOpened(data, { fromClient: 1, fromUpstream: 10 }, 0)
  metrics.tunnelOpened(data, { fromClient: 2, fromUpstream: 20 }, 0)
  metrics.tunnelOpened(other, { fromClient: 4, fromUpstream: 40 }, 0)
  end({ outcome: 'closed', durationSeconds: 1 })
  t.same(await readValues(metrics, 'tunnel_bytes_total'), {
    'contoso.azurecr.io data eastus from_client': 3,
    'contoso.azurecr.io data eastus from_upstream': 30,
    'contoso.azurecr.io data westeurope from_client': 4,
    'contoso.azurecr.io data westeurope from_upstream': 40,
  })
  t.same(await readValues(metrics, 'tunnels_active'), { 'contoso.azurecr.io data': 2 })
  t.same(metrics.totals(), { tunnels: 3, tunnelsActive: 2, bytesFromClient: 7, bytesFromUpstream: 70, refusals: {} })
})

t.test('connections, handshakes, attempts, questions and look-ups are counted', async (t) => {
  const metrics = createTestMetrics()
  metrics.connectionOpened()
  metrics.connectionOpened()
  metrics.connectionClosed()
  metrics.handshakeFailed('timeout')
  metrics.connectionDropped('client')
  metrics.attempted('connected')
  metrics.attempted('connected')
  metrics.queried('answered')
  metrics.lookedUp('hit')
  t.same(await readValues(metrics, 'client_connections_active'), { '': 1 })
  t.same(await readValues(metrics, 'tls_handshake_failures_total'), { timeout: 1 })
  t.same(await readValues(metrics, 'client_connections_dropped_total'), { client: 1 })
  t.same(await readValues(metrics, 'connect_attempts_total'), { connected: 2 })
  t.same(await readValues(metrics, 'dns_queries_total'), { answered: 1 })
  t.same(await readValues(metrics, 'dns_cache_total'), { hit: 1 })
  t.same(await readValues(metrics, 'dns_cache_entries'), { '': 7 })
  t.same(await readValues(metrics, 'relay_engine_info'), { stream: 1 })
  t.same(await readValues(metrics, 'build_info'), { [`1.2.3 ${process.version}`]: 1 })
})

t.test('two gateways in one process count apart', async (t) => {
  const [one, other] = [createTestMetrics(), createTestMetrics()]
  one.handshakeFailed('timeout')
  t.same(await readValues(one, 'tls_handshake_failures_total'), { timeout: 1 })
  t.same(await readValues(other, 'tls_handshake_failures_total'), {})
})
