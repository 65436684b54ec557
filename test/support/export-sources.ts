import type { Rule } from '../../src/policy/rule.ts'
import type { ExportSources } from '../../src/export/sources.ts'
import { type WrittenRegistry, policyOver, readAddress, readCidr } from '../unit/policy/sources.ts'
import { type WrittenTags, tagsOf } from './service-tags.ts'

/** What an export is made from, as a person would write it. */
export interface WrittenSources extends Partial<Omit<ExportSources, 'rules' | 'clients' | 'nameServers' | 'tags'>> {
  readonly registries?: readonly WrittenRegistry[]
  readonly extraHosts?: readonly string[]
  /** Names at port 80. */
  readonly plainHosts?: readonly string[]
  readonly clients?: readonly string[]
  /** At port 53, unless told: `10.0.0.53 5353`. */
  readonly nameServers?: readonly string[]
  readonly tags?: WrittenTags
}

/** The registry that most tests are about. */
export const contoso: WrittenRegistry = { loginServer: 'contoso.azurecr.io', regions: ['eastus'] }

/** Sources for a renderer; contoso and nothing else, unless told. */
export function exportSources (written: WrittenSources = {}): ExportSources {
  const {
    registries = [contoso], extraHosts = [], plainHosts = [], clients = ['10.0.0.0/8'], nameServers = [], tags, ...more
  } = written
  const serviceTags = tags === undefined ? undefined : tagsOf(tags)
  const tagScope = written.tagScope ?? 'global'
  const { rules } = policyOver(registries, extraHosts, { tagScope })
  const plain = policyOver(registries, plainHosts).rules.filter(({ class: kind }) => kind === 'extra')
  return {
    version: '1.2.3',
    configuration: '/etc/acr-egress/config.yaml',
    command: 'acr-egress export FORMAT',
    listen: { address: '127.0.0.1', port: 3128 },
    rules: [
      ...rules.map((rule): Rule => ({ ...rule, port: 443 })),
      ...plain.map((rule): Rule => ({ ...rule, port: 80 })),
    ],
    clients: clients.map(readCidr),
    hasPasswords: false,
    nameServers: nameServers.map((text) => {
      const [address = '', port = '53'] = text.split(' ')
      return { address: readAddress(address), port: Number(port) }
    }),
    tagScope,
    ...more,
    ...serviceTags === undefined ? {} : { tags: { file: '/var/lib/tags.json', day: '2025-10-28', serviceTags } },
  }
}
