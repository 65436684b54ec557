import { type ConfigurationKey, listKeys } from './key-list.ts'

/** The reference page, docs/configuration.md, from the same schema that checks the file. */
export function createReference (): string {
  const keys = listKeys()
  const sections = keys
    .filter(({ path }) => !path.includes('.'))
    .map((section) => formatSection(section, keys.filter(({ path }) => path.startsWith(section.path) && /^(?:\[\])?\./.test(path.slice(section.path.length)))))
  return [introduction, ...sections].join('\n')
}

const introduction = `# Configuration

<!-- Generated from src/config by \`npm run generate\`; edit it there. -->

One YAML file, or a few flags, say what the gateway lets through:

\`\`\`yaml
registries:
  - loginServer: contoso.azurecr.io
    regions: [eastus, westeurope]
\`\`\`

is a whole configuration, and so is \`--registry contoso.azurecr.io --region eastus --region westeurope\`.
All other keys have defaults. [config/example.yaml](../config/example.yaml) shows every key, and
[config/schema.json](../config/schema.json) is the JSON Schema, for completion in an editor.

## Where it is read from

- \`--config FILE\`, or else \`/etc/acr-egress/config.yaml\` if it is there.
- Flags win over the file. \`--registry\` (several times) replaces all \`registries\`; each gets the regions of
  \`--region\`, which therefore goes with \`--registry\` only. \`--listen\` and \`--admin\` take \`ADDR:PORT\`,
  \`[IPV6]:PORT\`, or \`PORT\` alone, which leaves the address as it was.
- Nothing is read from the environment but \`STATE_DIRECTORY\`, which systemd sets (\`state.file\`).

## How it is checked

\`acr-egress check\` reads the configuration as \`serve\` would and prints the effective allowlist. Every problem
comes at once, one a line, and nothing is started while there is one:

\`\`\`
/etc/acr-egress/config.yaml:3:15: registries[0].regions[0]: "East US" is not an Azure region; write eastus
\`\`\`

- Unknown keys and keys given twice are errors, so that a slip of the hand is not a default.
- An empty list is an error: drop the key for its default.
- Durations are a whole number and a unit: \`500ms\`, \`10s\`, \`15m\`, \`1h\`, \`14d\`.
- It is YAML 1.2: booleans are \`true\` and \`false\`, and a text that ends with a colon or begins with \`*\`, \`[\` or
  \`@\` needs quotes. Anchors, aliases and tags are not used.
- Secrets are files, never values, and a key file that others may use is refused.
`

/** A heading, what the section is for, and a row for each key below it; the section's own row if it has none. */
function formatSection (section: ConfigurationKey, below: readonly ConfigurationKey[]): string {
  const rows = below.length === 0 ? [section] : below
  return [
    `## \`${section.path}\``,
    '',
    ...below.length === 0 ? [] : [section.description, ''],
    '| key | value | default | meaning |',
    '| --- | --- | --- | --- |',
    ...rows.map(formatRow),
    '',
  ].join('\n')
}

function formatRow ({ path, type, description, isRequired, default: value }: ConfigurationKey): string {
  const initial = isRequired ? 'required' : value === undefined ? '' : `\`${formatDefault(value)}\``
  return `| \`${path}\` | ${type} | ${initial} | ${description} |`
}

function formatDefault (value: unknown): string {
  return Array.isArray(value) ? `[${value.join(', ')}]` : String(value)
}
