// Writes the files that are made from the configuration's schema and from the help of the commands. `npm run generate`
// builds first.
import { mkdir, writeFile } from 'node:fs/promises'
import { commands } from '../dist/cli/commands.js'
import { createConfigurationManual } from '../dist/cli/configuration-manual.js'
import { createManual } from '../dist/cli/manual.js'
import { createJsonSchema } from '../dist/config/key-list.js'
import { createReference } from '../dist/config/reference.js'
import { version } from '../dist/version.js'

const files = {
  '../config/schema.json': `${JSON.stringify(createJsonSchema(), null, 2)}\n`,
  '../docs/configuration.md': createReference(),
  '../man/acr-egress.1': await createManual({ version, commands }),
  '../man/acr-egress-config.5': createConfigurationManual(version),
}

await mkdir(new URL('../man/', import.meta.url), { recursive: true })
for (const [file, text] of Object.entries(files)) await writeFile(new URL(file, import.meta.url), text)
