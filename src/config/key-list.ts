import { z } from 'zod'
import { schema } from './schema.ts'

/** The JSON Schema of the configuration file (draft 7, which editors know best). */
export function createJsonSchema (): z.core.JSONSchema.BaseSchema {
  return z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-7',
    override ({ jsonSchema }) {
      // A section's default is that of its keys.
      if (jsonSchema.type === 'object') delete jsonSchema.default
    },
  })
}

/** One key of the configuration, for messages and the reference page. */
export interface ConfigurationKey {
  /** `listen.tls.certFile`; `[]` stands for each part of a list: `registries[].regions`. */
  readonly path: string
  /** What kind of value, in words. */
  readonly type: string
  readonly isRequired: boolean
  /** Absent for a key without a default. */
  readonly default?: unknown
  readonly description: string
}

// Made once it is asked for: a good configuration needs no list of what could have been written.
let keys: readonly ConfigurationKey[] | undefined

/** Every key, a section before its keys, in the order of the schema. */
export function listKeys (): readonly ConfigurationKey[] {
  keys ??= listKeysBelow(createJsonSchema(), '')
  return keys
}

type JsonSchema = z.core.JSONSchema.BaseSchema

function listKeysBelow (parent: JsonSchema, prefix: string): ConfigurationKey[] {
  return Object.entries(parent.properties ?? {}).flatMap(([name, property]) => {
    if (typeof property === 'boolean') return []
    const path = `${prefix}${name}`
    const key: ConfigurationKey = {
      path,
      type: describeType(property),
      isRequired: parent.required?.includes(name) === true,
      ...property.default === undefined ? {} : { default: property.default },
      description: property.description ?? '',
    }
    const item = itemOf(property)
    return [key, ...item === undefined ? listKeysBelow(property, `${path}.`) : listKeysBelow(item, `${path}[].`)]
  })
}

function describeType (property: JsonSchema): string {
  const item = itemOf(property)
  if (property.anyOf !== undefined) return property.anyOf.map((branch) => describeType(branch)).join(' or ')
  if (item !== undefined) return `[${describeType(item)}, …]`
  if (property.title !== undefined) return property.title
  if (property.enum !== undefined) return property.enum.map((word) => `\`${String(word)}\``).join(' or ')
  if (property.type === 'integer') return `${property.minimum} to ${property.maximum}`
  if (property.type === 'boolean') return '`true` or `false`'
  const values = property.additionalProperties
  return typeof values === 'object' ? `{name: ${describeType(values)}, …}` : 'map'
}

function itemOf (property: JsonSchema): JsonSchema | undefined {
  const { items } = property
  return typeof items === 'object' && !Array.isArray(items) ? items : undefined
}
