/** The names under which one Azure cloud serves its registries and blobs. */
export interface Cloud {
  readonly name: string
  /** Login servers are `<label>.<registrySuffix>`, and the suffix itself is asked for its certificate. */
  readonly registrySuffix: string
  /** Storage accounts are `<account>.<blobSuffix>`. */
  readonly blobSuffix: string
  /** How Microsoft's file of service tags names the cloud. */
  readonly tagsName: string
  /** The page of Microsoft's download centre that links to that file (service tags overview). */
  readonly tagsPageId: number
  /** Where `az acr login` gets a token of Microsoft Entra and asks Azure's management for the registry. */
  readonly signInHosts: readonly string[]
  /** Whether Microsoft's own registry has its addresses in that file. */
  readonly hasMcrTags: boolean
}

/**
 * The clouds that have registries. Azure Germany (azurecr.de) was closed in 2021.
 * Sources: `az cloud list` (suffixes acrLoginServerEndpoint and storageEndpoint, endpoints activeDirectory and
 * resourceManager), and the endpoint reference of Azure Container Registry, 2026-05.
 */
export const clouds: readonly [Cloud, ...Cloud[]] = [
  {
    name: 'AzureCloud',
    registrySuffix: 'azurecr.io',
    blobSuffix: 'blob.core.windows.net',
    tagsName: 'Public',
    tagsPageId: 56519,
    signInHosts: ['login.microsoftonline.com', 'management.azure.com'],
    hasMcrTags: true,
  },
  {
    name: 'AzureUSGovernment',
    registrySuffix: 'azurecr.us',
    blobSuffix: 'blob.core.usgovcloudapi.net',
    tagsName: 'AzureGovernment',
    tagsPageId: 57063,
    signInHosts: ['login.microsoftonline.us', 'management.usgovcloudapi.net'],
    hasMcrTags: false,
  },
  {
    name: 'AzureChinaCloud',
    registrySuffix: 'azurecr.cn',
    blobSuffix: 'blob.core.chinacloudapi.cn',
    tagsName: 'China',
    tagsPageId: 57062,
    signInHosts: ['login.chinacloudapi.cn', 'management.chinacloudapi.cn'],
    hasMcrTags: false,
  },
]
