import { readAction } from './args.ts'
import type { Command, Terminal } from './command.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import type { Help } from './help.ts'
import { diffHelp, diffTags } from './tags-diff.ts'
import { refreshHelp, refreshTags } from './tags-refresh.ts'
import { showHelp, showTags } from './tags-show.ts'

const help = {
  paragraphs: [
    'Microsoft\'s service tags: the address prefixes of Azure\'s services, in a file that is new each week.',
  ],
  actions: { show: showHelp, diff: diffHelp, refresh: refreshHelp },
  flags: {},
  exits: {
    [exitCode.ok]: 'it is done',
    [exitCode.denied]: 'there is no such tag, or the new file could not be had or was not taken',
    [exitCode.usage]: 'bad usage, a bad configuration, or a file that cannot be read',
  },
  examples: [
    { purpose: 'Fetch the newest file that this machine\'s configuration needs', line: 'acr-egress tags refresh' },
    {
      purpose: 'Fetch it where there is no configuration',
      line: 'acr-egress tags refresh --file /var/lib/acr-egress-tags/service-tags.json --cloud Public',
    },
    { purpose: 'List the registry service\'s addresses in one region', line: 'acr-egress tags show AzureContainerRegistry.WestEurope' },
    {
      purpose: 'See what a week has changed',
      line: 'acr-egress tags diff ServiceTags_Public_20250714.json ServiceTags_Public_20250721.json',
    },
  ],
} as const satisfies Help

type Run = (argv: readonly string[], terminal: Terminal) => Promise<ExitCode>
const runs: Readonly<Record<keyof typeof help.actions, Run>> = { show: showTags, diff: diffTags, refresh: refreshTags }

/** `acr-egress tags`: the file of service tags, looked at, compared and fetched. */
export const tagsCommand: Command = {
  help,

  async run ([action, ...argv], terminal) {
    return await runs[readAction('tags', help, action)](argv, terminal)
  },
}
