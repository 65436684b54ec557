import { UsageError, suggestion } from './args.ts'
import type { Command } from './command.ts'
import { diffTags } from './tags-diff.ts'
import { refreshTags } from './tags-refresh.ts'
import { showTags } from './tags-show.ts'

const help = `\
Usage: acr-egress tags show [TAG] [--file FILE] [--json]
       acr-egress tags diff OLD NEW [--tag TAG]... [--all] [--json]
       acr-egress tags refresh [--file FILE --cloud CLOUD] [--from URL] [--force] [--dry-run] [--json]

Microsoft's service tags: the address prefixes of Azure's services, in a file that is new each week.

show      the prefixes of a tag, or all tags with their numbers of prefixes. The file is that of the configuration
          (addresses.serviceTagsFile), or FILE.
diff      what two files have different, for AzureContainerRegistry and Storage, for each TAG, or for all tags.
refresh   fetches the newest file, says what is different for the tags in use, and puts it in the place of the old one.
          Not when it is for another cloud, lacks a tag in use, or takes more than a quarter of one away. A gateway that
          runs takes it by itself. Goes through HTTPS_PROXY; needs www.microsoft.com and download.microsoft.com.

Flags:
  --config FILE    the configuration; else /etc/acr-egress/config.yaml, if it is there
  --file FILE      a file of service tags, in place of that of the configuration
  --cloud CLOUD    with --file: Public (when it is left out), AzureGovernment or China
  --from URL       refresh: your own mirror of the file, or a page that links to it
  --force          refresh: take the file although it takes more than a quarter of a tag away
  --dry-run        refresh: say what is different, and write nothing
  --json           one JSON document

Exit code: 0 when it is done; 1 when there is no such tag, or the new file could not be had or was not taken; 2 for bad
usage, a bad configuration, or a file that cannot be read.

Examples:
  acr-egress tags refresh
  acr-egress tags refresh --file /var/lib/acr-egress-tags/service-tags.json
  acr-egress tags show AzureContainerRegistry.WestEurope
  acr-egress tags diff ServiceTags_Public_20250714.json ServiceTags_Public_20250721.json
`

const actions = { show: showTags, diff: diffTags, refresh: refreshTags } as const

/** `acr-egress tags`: the file of service tags, looked at, compared and fetched. */
export const tagsCommand: Command = {
  help,

  async run ([action, ...argv], terminal) {
    if (action === undefined) throw new UsageError('tags: say what to do; write acr-egress tags refresh, show or diff')
    if (!Object.hasOwn(actions, action)) {
      throw new UsageError(`tags ${action}: no such action${suggestion(action, Object.keys(actions), '')}`)
    }
    return await actions[action as keyof typeof actions](argv, terminal)
  },
}
