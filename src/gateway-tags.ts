import type { Logger } from 'pino'
import { listTagNeed } from './acr/address-tags.ts'
import type { ServiceTags } from './acr/service-tags.ts'
import type { Configuration } from './config/configuration.ts'
import type { TagFile } from './tags/tag-file.ts'
import { type TagKeeper, type TagUpdate, createTagKeeper } from './tags/tag-keeper.ts'
import type { Metrics } from './telemetry/metrics.ts'
import type { TagReading } from './telemetry/series.ts'

/** The service tags of a running gateway. */
export interface GatewayTags {
  /** Watches the file from now on. */
  start (): void
  /** What is in force, for the metrics. */
  read (): TagReading
  readonly tagFile: TagFile
  /** Why the file, as it is now, was not taken. */
  readonly problem: string | undefined
  close (): void
}

export interface GatewayTagsOptions {
  readonly configuration: Configuration
  readonly logger: Logger
  readonly metrics: Metrics
  /** New tags are to be in force from now on. */
  readonly onApplied: (serviceTags: ServiceTags) => void
}

/** Nothing, when the configuration names no file of service tags or has no use for it. */
export function createGatewayTags (options: GatewayTagsOptions): GatewayTags | undefined {
  const { configuration: { registries, bundles, addresses }, logger, metrics, onApplied } = options
  const first = addresses.tagFile
  if (first === undefined) return undefined
  let keeper: TagKeeper | undefined

  function onUpdate (update: TagUpdate): void {
    metrics.tagsUpdated(update.result)
    if (update.result === 'applied') {
      onApplied(update.tagFile.serviceTags)
      logger.info({ ...describe(update.tagFile), changes: describeChanges(update.changes) }, 'service_tags_updated')
    } else {
      logger.error({ file: first?.file, problem: update.problem }, `service_tags_${update.result}`)
    }
  }

  const current = (): TagFile => keeper?.current ?? first
  return {
    start () {
      logger.info(describe(first), 'service_tags_loaded')
      const need = listTagNeed({ registries, bundles }, addresses.scope)
      keeper = createTagKeeper({ tagFile: first, need, onUpdate })
    },
    read: () => ({
      ageSeconds: (Date.now() - current().datedAt) / 1000,
      tags: current().serviceTags.tags.map(({ name, blocks, changeNumber }) => {
        return { tag: name, prefixes: blocks.blocks.length, changeNumber }
      }),
    }),
    get tagFile () { return current() },
    get problem () { return keeper?.problem },
    close: () => keeper?.close(),
  }
}

function describe ({ file, datedAt, serviceTags }: TagFile): object {
  return {
    file,
    dated: new Date(datedAt).toISOString(),
    cloud: serviceTags.cloud,
    changeNumber: serviceTags.changeNumber,
    prefixes: Object.fromEntries(serviceTags.tags.map(({ name, blocks }) => [name, blocks.blocks.length])),
  }
}

function describeChanges (changes: Extract<TagUpdate, { result: 'applied' }>['changes']): object {
  return Object.fromEntries(changes.map(({ tag, added, removed }) => {
    return [tag, { added: added.map(({ text }) => text), removed: removed.map(({ text }) => text) }]
  }))
}
