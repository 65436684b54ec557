import type { WouldRefuseHost, WouldRefuseView } from '../outlook/would-refuse.ts'
import { formatMinute, joinLines } from './plain-text.ts'

/** What enforce would refuse, as text; the lines to add come last, so that they are easy to copy. */
export function renderWouldRefuse ({ source, watchedSince, mode, hosts, forgotten, yaml }: WouldRefuseView): string {
  const where = source.kind === 'daemon' ? '' : ` (from ${source.file})`
  const since = `since ${formatMinute(watchedSince)}${where}`
  const head = hosts.length === 0
    ? [`Nothing was let through ${since} that policy.mode: enforce would have refused.`]
    : [`Let through ${since}, and refused by policy.mode: enforce:`, '', ...renderTable(hosts)]
  return joinLines([
    ...head,
    ...forgotten > 0 ? ['', `${forgotten} more were forgotten, because there were too many: those seen longest ago.`] : [],
    ...mode === 'enforce' ? ['', 'policy.mode is enforce now, so nothing new is added here; the log has what is refused.'] : [],
    ...renderAdvice(hosts, yaml),
  ])
}

/** Whether there is anything that enforce would refuse still. */
export function hasRefusals ({ hosts }: WouldRefuseView): boolean {
  return hosts.some(({ allowedBy }) => allowedBy === '')
}

function renderTable (hosts: readonly WouldRefuseHost[]): string[] {
  const rows = [['HOST', 'TIMES', 'FIRST', 'LAST', 'REASON'], ...hosts.map((host) => [
    host.host, String(host.count), formatMinute(host.firstSeen), formatMinute(host.lastSeen), describeNow(host),
  ])]
  const widths = rows.reduce<number[]>((most, row) => {
    return row.map((cell, index) => Math.max(most[index] ?? 0, cell.length))
  }, [])
  return rows.map((row) => `  ${row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  ').trimEnd()}`)
}

function describeNow ({ reason, allowedBy, refusal }: WouldRefuseHost): string {
  if (allowedBy !== '') return `allowed by now, by ${allowedBy}`
  return refusal?.reason ?? reason
}

function renderAdvice (hosts: readonly WouldRefuseHost[], yaml: string): string[] {
  const isByAddress = hosts.some(({ allowedBy, refusal }) => allowedBy === '' && refusal === undefined)
  return [
    ...isByAddress
      ? ['', 'Those with an address outside the service tags need a newer file of them: acr-egress tags refresh; see docs/service-tags.md.']
      : [],
    ...yaml === ''
      ? []
      : [
          '', 'These lines let the others through. Leave out what your devices do not need: names come from clients.', '',
          ...yaml.trimEnd().split('\n'),
        ],
  ]
}
