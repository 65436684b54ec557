/** What a resource group deployment takes, as far as it is made here. */
export interface TemplateParts {
  /** For the reader: JSON has no comments. Each value is a text, or a list of them. */
  readonly metadata: Readonly<Record<string, string | readonly string[]>>
  readonly parameters: Readonly<Record<string, TemplateParameter>>
  readonly resources: readonly object[]
}

/** A value that whoever deploys may give; without a default they must. */
export interface TemplateParameter {
  readonly type: 'string' | 'array' | 'int'
  readonly defaultValue?: string | number | readonly string[]
  readonly minValue?: number
  readonly maxValue?: number
  readonly metadata: { readonly description: string }
}

/** Both resource types have this version, in the three clouds (Azure Resource Manager template reference). */
export const networkApiVersion = '2023-11-01'

/** An Azure Resource Manager template, as text. */
export function renderTemplate ({ metadata, parameters, resources }: TemplateParts): string {
  return `${JSON.stringify({
    $schema: 'https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#',
    contentVersion: '1.0.0.0',
    metadata,
    parameters,
    resources,
  }, null, 2)}\n`
}
