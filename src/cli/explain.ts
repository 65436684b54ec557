import { loadConfiguration } from '../config/load.ts'
import { createConfiguredNames, createConfiguredPolicy, createExplainLookup } from '../gateway-parts.ts'
import { type Explanation, explainTarget } from '../policy/explain.ts'
import { findAdminAddress } from './admin-address.ts'
import { type Arguments, UsageError, parseArguments } from './args.ts'
import type { Command, Terminal } from './command.ts'
import { configurationFlags, jsonFlag, printProblems, readLoadOptions } from './configuration-flags.ts'
import { readExplanation, readMigration, readWouldRefuse } from './daemon-answers.ts'
import { askDaemon } from './daemon-request.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import type { Help } from './help.ts'
import { renderMigration } from './migration-text.ts'
import { formatJson, joinLines } from './plain-text.ts'
import { withStoredSightings } from './stored-sightings.ts'
import { hasRefusals, renderWouldRefuse } from './would-refuse-text.ts'

const help = {
  words: { form: '[HOST[:PORT]]' },
  paragraphs: [
    'Says whether the gateway would let a client through to HOST, by which rule, and to which addresses; for a host that ' +
      'is refused also the line of the configuration that would change it, and what that line would open. Decides as the ' +
      'running gateway does, from the same configuration; the name is resolved here and now. With --running the gateway ' +
      'that runs is asked instead, through its admin listener. A host that begins with http:// is judged as plain HTTP.',
    '--would-refuse lists what was let through only because policy.mode is report, and the lines of the configuration ' +
      'that would let it through. --migration says for each registry whether its blob storage can be closed, by what the ' +
      'gateway has seen, and tries its data endpoints. Both ask the gateway that runs, and take no HOST.',
  ],
  flags: {
    ...configurationFlags,
    running: { type: 'boolean', description: 'ask the gateway that runs, at its admin listener' },
    'would-refuse': { type: 'boolean', description: 'what policy.mode: enforce would have refused' },
    migration: { type: 'boolean', description: 'from blob storage to data endpoints: how far each registry is' },
    state: {
      type: 'string',
      value: 'FILE',
      takes: 'file',
      description: 'with the two before: read what a gateway has written (state.file), and ask none',
    },
    json: jsonFlag,
  },
  exits: {
    [exitCode.ok]: 'it is allowed, nothing would be refused, or every registry is safe or done',
    [exitCode.denied]: 'it is denied, or not so',
    [exitCode.usage]: 'bad usage or configuration, or the gateway does not answer',
  },
  examples: [
    { purpose: 'Ask by this machine\'s configuration', line: 'acr-egress explain contoso.azurecr.io' },
    {
      purpose: 'Ask whether another region would be let through',
      line: 'acr-egress explain contoso.westus.data.azurecr.io --registry contoso.azurecr.io --region eastus',
    },
    {
      purpose: 'Ask the gateway that runs',
      line: 'acr-egress explain contoso.azurecr.io --running --admin 127.0.0.1:9180',
    },
    { purpose: 'List what enforce would refuse, with the lines to add', line: 'acr-egress explain --would-refuse' },
    {
      purpose: 'Say whether blob storage can be closed yet',
      line: 'acr-egress explain --migration --json | jq -r \'.registries[] | .registry + ": " + .verdict\'',
    },
  ],
} satisfies Help

type Given = Arguments<keyof typeof help.flags>

/** `acr-egress explain`: one decision, or what the gateway has seen, with its grounds. */
export const explainCommand: Command = {
  help,

  async run (argv, terminal) {
    const given = parseArguments(argv, help)
    checkWords(given)
    if (given.has('migration')) return await explainMigration(given, terminal)
    if (given.has('would-refuse')) return await explainWouldRefuse(given, terminal)
    const target = given.words[0] ?? ''
    return given.has('running') ? await askForTarget(target, given, terminal) : await explainHere(target, given, terminal)
  },
}

/** What does not go together is said before anything is asked. */
function checkWords (given: Given): void {
  const topics = (['migration', 'would-refuse'] as const).filter((flag) => given.has(flag))
  const [topic, second] = topics
  const [target, ...rest] = given.words
  if (second !== undefined) throw new UsageError(`--${topic} and --${second} are two questions; ask one at a time`)
  if (topic === undefined) {
    if (target === undefined || rest.length > 0) throw new UsageError('explain takes one HOST[:PORT], --migration or --would-refuse')
    if (given.has('state')) throw new UsageError('--state goes with --migration or --would-refuse only')
    return
  }
  if (target !== undefined) throw new UsageError(`${target}: --${topic} is about all hosts; leave the word out, or the flag`)
  if (given.has('running') && given.has('state')) throw new UsageError('--state reads a file and --running asks the gateway; write one of them')
}

async function explainHere (target: string, given: Given, terminal: Terminal): Promise<ExitCode> {
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
    const lookup = createExplainLookup(configuration, names, connectTimeoutMs)
    return showExplanation(await explainTarget(policy, target, lookup), given, terminal)
  } finally {
    names.close()
  }
}

async function askForTarget (target: string, given: Given, terminal: Terminal): Promise<ExitCode> {
  const explanation = await ask(`/api/explain?target=${encodeURIComponent(target)}`, readExplanation, given, terminal)
  return explanation === undefined ? exitCode.usage : showExplanation(explanation, given, terminal)
}

async function explainMigration (given: Given, terminal: Terminal): Promise<ExitCode> {
  const view = given.has('state')
    ? await withStoredSightings(given, terminal, async ({ outlook, state, source }) => {
      return await outlook.describeMigration(state, source)
    })
    : await ask('/api/migration', readMigration, given, terminal)
  if (view === undefined) return exitCode.usage
  terminal.stdout.write(given.has('json') ? formatJson(view) : renderMigration(view))
  return view.registries.every(({ verdict }) => verdict === 'safe' || verdict === 'done') ? exitCode.ok : exitCode.denied
}

async function explainWouldRefuse (given: Given, terminal: Terminal): Promise<ExitCode> {
  const view = given.has('state')
    ? await withStoredSightings(given, terminal, async ({ outlook, state, source }) => {
      return outlook.describeWouldRefuse(state, source)
    })
    : await ask('/api/would-refuse', readWouldRefuse, given, terminal)
  if (view === undefined) return exitCode.usage
  terminal.stdout.write(given.has('json') ? formatJson(view) : renderWouldRefuse(view))
  return hasRefusals(view) ? exitCode.denied : exitCode.ok
}

/** The daemon's answer; `undefined` when there is none that can be used, which has been said then. */
async function ask<T> (
  path: string, read: (value: unknown) => T | undefined, given: Given, terminal: Terminal,
): Promise<T | undefined> {
  const admin = await findAdminAddress(given, terminal)
  if (admin === undefined) return undefined
  const answer = await askDaemon(admin, path)
  const value = answer.ok ? read(answer.value) : undefined
  if (value !== undefined) return value
  const problem = answer.ok ? 'the daemon is of another version; restart it with the version of this command' : answer.problem
  const isOfRecord = given.has('migration') || given.has('would-refuse')
  terminal.stderr.write(`acr-egress explain: ${problem}${isOfRecord ? '; or read what it has written: --state FILE' : ''}\n`)
  return undefined
}

function showExplanation (explanation: Explanation, given: Given, { stdout }: Terminal): ExitCode {
  stdout.write(given.has('json') ? formatJson(explanation) : renderExplanation(explanation))
  return explanation.allow ? exitCode.ok : exitCode.denied
}

function renderExplanation (explanation: Explanation): string {
  const { target, canonical, allow, rule, refusal, wouldRefuse, advice, addresses, resolver } = explanation
  const lines = [`${canonical ?? JSON.stringify(target)}: ${allow ? 'allowed' : 'denied'}`]
  if (rule !== undefined) {
    const facts = [rule.class, rule.registry, rule.region].filter((fact) => fact !== '').join(', ')
    lines.push(`  rule      ${rule.pattern} (${facts}), from ${rule.source}`)
  }
  for (const { address, allow: mayDial, ground } of addresses ?? []) {
    lines.push(`  address   ${address}: ${mayDial ? 'allowed' : 'denied'}, ${ground}`)
  }
  if (resolver !== undefined) lines.push(`  resolved  by ${resolver}, so that no address is judged`)
  if (refusal !== undefined) {
    lines.push(`  reason    ${refusal.reason}: ${refusal.detail}`, `  to do     ${refusal.hint}`)
  }
  if (wouldRefuse !== undefined) {
    lines.push(`  reported  only because policy.mode is report; else ${wouldRefuse.reason}: ${wouldRefuse.detail}`)
  }
  if (advice !== undefined) {
    lines.push(`  allow by  ${advice.line}, in ${advice.key}`, `  opens     ${advice.opens}`)
  }
  return joinLines(lines)
}
