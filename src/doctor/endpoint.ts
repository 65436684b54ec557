import type { HostName } from '../net/host-name.ts'
import type { Policy } from '../policy/policy.ts'
import type { Rule } from '../policy/rule.ts'
import { type DirectPathOptions, findDestinations, judgeDestinations, lateNames } from './direct-path.ts'
import { type Outcome, StepFailure } from './step.ts'
import type { Walk } from './walk.ts'

/** The data and regional endpoints of a registry that a pull did not come by. */
export function listOtherEndpoints (policy: Policy, loginHost: HostName, seen: HostName | undefined): readonly Rule[] {
  return policy.rules.filter((rule) => {
    return rule.registry === loginHost && (rule.class === 'data' || rule.class === 'regional') && rule.host !== seen
  })
}

/**
 * Looks endpoints up, and judges their addresses: a step each. A name that is not there is only warned of, because no
 * replica sends anybody there either.
 */
export async function checkEndpoints (
  walk: Walk, rules: readonly Rule[], options: DirectPathOptions,
): Promise<void> {
  for (const rule of rules) {
    await walk.run(async () => {
      await walk.take({
        step: 'endpoint',
        host: rule.host,
        late: lateNames(rule.host),
        take: async (signal) => await checkEndpoint(rule, options, signal),
      })
    })
  }
}

async function checkEndpoint (rule: Rule, options: DirectPathOptions, signal: AbortSignal): Promise<Outcome<void>> {
  try {
    const { value } = await findDestinations(rule.host, options, signal)
    const { found, toDo } = judgeDestinations(value, rule, options.policy)
    return { value: undefined, found, ...toDo === undefined ? {} : { toDo } }
  } catch (error) {
    if (!(error instanceof StepFailure) || error.advice.reason !== 'dns_failed') throw error
    const kind = rule.class === 'data' ? 'data' : 'regional'
    const toDo = `If ${rule.region} has no replica or the registry no ${kind} endpoints, change ${rule.source}; else pulls from ` +
      'there fail: look at the name servers.'
    return { value: undefined, found: error.advice.found, toDo }
  }
}
