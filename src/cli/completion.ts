import { UsageError, parseArguments, readAction } from './args.ts'
import type { Command, CommandEntry } from './command.ts'
import { renderBash } from './completion/bash.ts'
import { renderFish } from './completion/fish.ts'
import { type Place, listPlaces } from './completion/place.ts'
import { renderZsh } from './completion/zsh.ts'
import { exitCode } from './exit-code.ts'
import type { Help } from './help.ts'

const help = {
  paragraphs: [
    'Prints a script that lets a shell complete commands, actions, flags, the values of flags that have few, and files. ' +
      'Write it again after an update of acr-egress.',
  ],
  actions: {
    bash: { summary: 'a script for bash 4.4 or later' },
    zsh: { summary: 'a script for zsh, as _acr-egress in a folder of its fpath' },
    fish: { summary: 'a script for fish 3 or later' },
  },
  flags: {},
  exits: {
    [exitCode.ok]: 'the script is written',
    [exitCode.usage]: 'bad usage',
  },
  examples: [
    { purpose: 'Complete in this bash', line: 'source <(acr-egress completion bash)' },
    {
      purpose: 'Complete in every bash of this machine, which has the package bash-completion',
      line: 'acr-egress completion bash | sudo tee /etc/bash_completion.d/acr-egress > /dev/null',
    },
    {
      purpose: 'Complete in every new zsh of this machine',
      line: 'acr-egress completion zsh | sudo tee /usr/local/share/zsh/site-functions/_acr-egress > /dev/null',
    },
    {
      purpose: 'Complete in your fish',
      line: 'acr-egress completion fish > ~/.config/fish/completions/acr-egress.fish',
    },
  ],
} as const satisfies Help

const renderers: Readonly<Record<keyof typeof help.actions, (places: readonly Place[]) => string>> = {
  bash: renderBash, zsh: renderZsh, fish: renderFish,
}

/** `acr-egress completion` for these commands, all of which it loads. */
export function createCompletionCommand (commands: readonly CommandEntry[]): Command {
  return {
    help,

    async run (argv, { stdout }) {
      const { words: [word, ...more] } = parseArguments(argv, help)
      const shell = readAction('completion', help, word)
      if (more.length > 0) throw new UsageError(`completion ${shell}: ${more.join(' ')} is too much; write acr-egress completion ${shell}`)
      stdout.write(renderers[shell](await listPlaces(commands)))
      return exitCode.ok
    },
  }
}
