import { existsSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'

const asked = process.env['ACR_EGRESS_SERVICE_TAGS_DIR']
const root = resolve(import.meta.dirname, '../..')
const folder = resolve(root, asked === undefined || asked === '' ? '../shared/data' : asked)

/** Files of service tags as Microsoft has published them: three of the public cloud, one of the US government's. */
export const publishedFiles = {
  public20250714: join(folder, 'ServiceTags_Public_20250714.json'),
  public20250721: join(folder, 'ServiceTags_Public_20250721.json'),
  public20251028: join(folder, 'ServiceTags_Public_20251028.json'),
  government20260720: join(folder, 'ServiceTags_AzureGovernment_20260720.json'),
} as const

const absent = Object.values(publishedFiles).filter((file) => !existsSync(file))

/** For `t.test(name, { skip: missingFiles }, …)`: a test whose files are missing is left out, and says what to do. */
export const missingFiles: string | false = absent.length === 0
  ? false
  : `needs ${absent.map((file) => basename(file)).join(', ')} in ${folder}: put them there, or name their folder in ACR_EGRESS_SERVICE_TAGS_DIR`
