import { type ConfigurationKey, listKeys } from '../config/key-list.ts'
import { defaultFile } from '../config/load.ts'
import { escapeTroff, renderEntries, renderLiteral, renderTitle } from './troff.ts'

/** The manual page acr-egress-config(5), in the macros of man(7), from the schema that checks the file. */
export function createConfigurationManual (version: string): string {
  const keys = listKeys()
  const sections = keys.filter(({ path }) => !path.includes('.'))
  const lines = [
    ...renderTitle('acr-egress-config', 5, { version, source: 'src/config' }),
    ...introduction,
    '.SH KEYS',
    ...sections.flatMap(({ path }) => [
      `.SS ${escapeTroff(path)}`,
      ...keys.filter((key) => key.path.split(/\[\]|\./)[0] === path).flatMap(renderKey),
    ]),
    ...ending,
  ]
  return `${lines.join('\n')}\n`
}

const introduction = [
  '.SH NAME',
  'acr\\-egress\\-config \\- the configuration of acr\\-egress(1)',
  '.SH SYNOPSIS',
  `\\fI${escapeTroff(defaultFile)}\\fR`,
  '.SH DESCRIPTION',
  escapeTroff('One YAML file says what the gateway lets through. All keys but registries have defaults; flags win over the ' +
    'file, and nothing is read from the environment.'),
  '.PP',
  escapeTroff('Unknown keys, keys given twice and empty lists are errors. Durations are a whole number and a unit: 500ms, ' +
    '10s, 15m, 1h, 14d. Secrets are files, never values.'),
  '.PP',
  escapeTroff('acr-egress check says at once all that is wrong with a file, or what it lets through.'),
]

const ending = [
  '.SH EXAMPLES',
  'A whole configuration:',
  '.PP',
  ...renderLiteral('registries:\n  - loginServer: contoso.azurecr.io\n    regions: [eastus, westeurope]'),
  '.PP',
  'The same for a private endpoint:',
  '.PP',
  ...renderLiteral('registries:\n  - loginServer: contoso.azurecr.io\n    regions: [eastus]\n    privateEndpoints: [10.1.0.0/16]'),
  '.SH FILES',
  ...renderEntries([[defaultFile, 'is read when --config names no other file']]),
  '.SH SEE ALSO',
  '.BR acr\\-egress (1)',
  '.PP',
  escapeTroff('In the package: config/example.yaml shows every key, and config/schema.json is the schema for editors.'),
]

function renderKey ({ path, type, description, isRequired, default: value }: ConfigurationKey): readonly string[] {
  const initial = isRequired ? '; required' : value === undefined ? '' : `; default ${formatDefault(value)}`
  return ['.TP', `\\fB${escapeTroff(path)}\\fR`, renderCode(`(${type}${initial})`), '.br', renderCode(description)]
}

function formatDefault (value: unknown): string {
  return Array.isArray(value) ? `[${value.join(', ')}]` : String(value)
}

/** The code in a text of the schema in bold, which is between backticks there. */
function renderCode (text: string): string {
  return text.split('`').map((part, index) => index % 2 === 0 ? escapeTroff(part) : `\\fB${escapeTroff(part)}\\fR`).join('')
}
