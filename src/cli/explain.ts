import { loadConfiguration } from '../config/load.ts'
import { lookupForExplanation } from '../gateway-views.ts'
import { createConfiguredNames, createConfiguredPolicy } from '../gateway.ts'
import { type ExplainLookup, type Explanation, explainTarget } from '../policy/explain.ts'
import { UsageError, parseArguments } from './args.ts'
import type { Command } from './command.ts'
import { configurationFlags, jsonFlag, printProblems, readLoadOptions } from './configuration-flags.ts'
import { exitCode } from './exit-code.ts'
import type { Help } from './help.ts'

const help = {
  words: { form: 'HOST[:PORT]' },
  paragraphs: [
    'Says whether the gateway would let a client through to HOST, by which rule, and to which addresses. Decides as the ' +
      'running gateway does, from the same configuration; the name is resolved here and now.',
  ],
  flags: { ...configurationFlags, json: jsonFlag },
  exits: {
    [exitCode.ok]: 'it is allowed',
    [exitCode.denied]: 'it is denied',
    [exitCode.usage]: 'bad usage or configuration',
  },
  examples: [
    { purpose: 'Ask by this machine\'s configuration', line: 'acr-egress explain contoso.azurecr.io' },
    {
      purpose: 'Ask whether another region would be let through',
      line: 'acr-egress explain contoso.westus.data.azurecr.io --registry contoso.azurecr.io --region eastus',
    },
  ],
} satisfies Help

/** `acr-egress explain`: one decision, with its grounds. */
export const explainCommand: Command = {
  help,

  async run (argv, terminal) {
    const given = parseArguments(argv, help)
    const [target, ...rest] = given.words
    if (target === undefined || rest.length > 0) throw new UsageError('explain takes one HOST[:PORT]')
    const loaded = await loadConfiguration(readLoadOptions(given))
    if (!loaded.ok) {
      printProblems(terminal, loaded.problems)
      return exitCode.usage
    }
    const { configuration } = loaded
    const { connectTimeoutMs } = configuration.tunnel
    const names = createConfiguredNames(configuration)
    try {
      const policy = createConfiguredPolicy(configuration)
      const lookup: ExplainLookup = (host) => lookupForExplanation(names, host, connectTimeoutMs)
      const explanation = await explainTarget(policy, target, lookup)
      terminal.stdout.write(given.has('json') ? `${JSON.stringify(explanation, null, 2)}\n` : renderExplanation(explanation))
      return explanation.allow ? exitCode.ok : exitCode.denied
    } finally {
      names.close()
    }
  },
}

function renderExplanation (explanation: Explanation): string {
  const { target, canonical, allow, rule, refusal, wouldRefuse, advice, addresses } = explanation
  const lines = [`${canonical ?? JSON.stringify(target)}: ${allow ? 'allowed' : 'denied'}`]
  if (rule !== undefined) {
    const facts = [rule.class, rule.registry, rule.region].filter((fact) => fact !== '').join(', ')
    lines.push(`  rule      ${rule.pattern} (${facts}), from ${rule.source}`)
  }
  for (const { address, allow: mayDial, ground } of addresses ?? []) {
    lines.push(`  address   ${address}: ${mayDial ? 'allowed' : 'denied'}, ${ground}`)
  }
  if (refusal !== undefined) {
    lines.push(`  reason    ${refusal.reason}: ${refusal.detail}`, `  to do     ${refusal.hint}`)
  }
  if (wouldRefuse !== undefined) {
    lines.push(`  reported  only because policy.mode is report; else ${wouldRefuse.reason}: ${wouldRefuse.detail}`)
  }
  if (advice !== undefined) {
    lines.push(`  allow by  ${advice.line}, in ${advice.key}`, `  opens     ${advice.opens}`)
  }
  return `${lines.join('\n')}\n`
}
