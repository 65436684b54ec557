// Writes the files that are made from the configuration's schema. `npm run generate` builds first.
import { writeFile } from 'node:fs/promises'
import { createJsonSchema } from '../dist/config/key-list.js'
import { createReference } from '../dist/config/reference.js'

const files = {
  '../config/schema.json': `${JSON.stringify(createJsonSchema(), null, 2)}\n`,
  '../docs/configuration.md': createReference(),
}

for (const [file, text] of Object.entries(files)) await writeFile(new URL(file, import.meta.url), text)
