import type { Socket } from 'node:net'
import type { HostName } from '../net/host-name.ts'
import type { Rule } from '../policy/rule.ts'
import type { Refusal } from '../refusal/reasons.ts'
import { type DirectPathOptions, walkToAddresses } from './direct-path.ts'
import type { Route } from './route.ts'
import { failByRefusal } from './step.ts'
import type { Walk } from './walk.ts'

/** The proxy that the gateway itself goes through, and with it doctor. */
export interface ParentPath {
  /** Its URL, without a user. */
  readonly text: string
  /** Who resolves the names of registries. */
  readonly resolver: 'gateway' | 'parent'
  /** Has it open a tunnel as the gateway does; or says what a tunnel would be refused with. */
  readonly open: (host: HostName, rule: Rule, signal: AbortSignal) => Promise<Socket | Refusal>
}

/** The parent may take as long as a connection of its own takes, and says then what was the matter. */
const patience = 2

/** Goes as the gateway does that has a parent proxy, and in no other way: three steps. */
export async function walkThroughParent (
  walk: Walk, rule: Rule, host: HostName, parent: ParentPath, options: DirectPathOptions,
): Promise<Route> {
  const { text, resolver } = parent
  if (resolver === 'gateway') await walkToAddresses(walk, rule, host, options)
  else for (const step of ['name', 'address'] as const) walk.skip({ step, host }, describeAffair(parent))
  const route: Route = { host, open: async (signal) => await openOrFail(parent, rule, host, signal) }
  await walk.take({
    step: 'proxy',
    host,
    late: {
      found: `parent_timeout: the parent proxy ${text} did not answer`,
      toDo: `See that it runs, that nothing between it and here drops packets, and that it has a way to ${host}.`,
      reason: 'parent_timeout',
    },
    patience,
    take: async (signal) => {
      const tunnel = await route.open(signal)
      tunnel.destroy()
      return { value: undefined, found: `the parent proxy ${text} opened a tunnel` }
    },
  })
  return route
}

/** Why a step is not taken here. */
export function describeAffair ({ text }: ParentPath): string {
  return `the affair of the parent proxy ${text}`
}

async function openOrFail (parent: ParentPath, rule: Rule, host: HostName, signal: AbortSignal): Promise<Socket> {
  const opened = await parent.open(host, rule, signal)
  if ('reason' in opened) throw failByRefusal(opened)
  opened.on('error', () => {})
  return opened
}
