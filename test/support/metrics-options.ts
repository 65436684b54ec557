import type { MetricsOptions } from '../../src/telemetry/metrics.ts'

/** Metrics of a gateway that nothing else is known of. */
export const metricsOptions: MetricsOptions = {
  version: '1.2.3',
  engine: () => 'stream',
  upstream: { via: 'direct', resolver: 'gateway' },
  pipes: () => ({ idle: 3, lent: 2 }),
  dnsCacheEntries: () => 7,
  serviceTags: () => ({ ageSeconds: 60, tags: [{ tag: 'AzureContainerRegistry', prefixes: 5, changeNumber: 9 }] }),
  tlsFiles: () => [{ kind: 'server', file: '/etc/acr-egress/tls.crt', expiresAtSeconds: 1_800_000_000 }],
}
