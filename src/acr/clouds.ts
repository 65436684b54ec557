/** The names under which one Azure cloud serves its registries and blobs. */
export interface Cloud {
  readonly name: string
  /** Login servers are `<label>.<registrySuffix>`, and the suffix itself is asked for its certificate. */
  readonly registrySuffix: string
  /** Storage accounts are `<account>.<blobSuffix>`. */
  readonly blobSuffix: string
}

/**
 * The clouds that have registries. Azure Germany (azurecr.de) was closed in 2021.
 * Sources: `az cloud list` (suffixes acrLoginServerEndpoint and storageEndpoint), and the endpoint reference of Azure
 * Container Registry, 2026-05.
 */
export const clouds: readonly Cloud[] = [
  { name: 'AzureCloud', registrySuffix: 'azurecr.io', blobSuffix: 'blob.core.windows.net' },
  { name: 'AzureUSGovernment', registrySuffix: 'azurecr.us', blobSuffix: 'blob.core.usgovcloudapi.net' },
  { name: 'AzureChinaCloud', registrySuffix: 'azurecr.cn', blobSuffix: 'blob.core.chinacloudapi.cn' },
]
