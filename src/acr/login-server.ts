import { type HostName, canonicalHostName, parentName } from '../net/host-name.ts'
import { type Cloud, clouds } from './clouds.ts'

/** A registry's login server, taken apart: everything else that the registry is reached at follows from it. */
export interface LoginServer {
  readonly host: HostName
  /** The first label: the registry's name, with the hash of a domain name label scope if it has one. */
  readonly label: string
  readonly cloud: Cloud
}

/** The name that az knows a registry by: the label without the hash of a domain name label scope. */
export function registryName ({ label }: Pick<LoginServer, 'label'>): string {
  return label.replace(/-.*$/, '')
}

/** A text that is not what it should be, for a person: what is wrong with it, and what to write instead. */
export interface Mistake {
  readonly what: string
  readonly write: string
}

export type ParsedLoginServer =
  | { readonly ok: true, readonly loginServer: LoginServer }
  | { readonly ok: false, readonly mistake: Mistake }

// A registry's name is 5 to 50 letters and digits; a login server with a domain name label scope adds one hyphen
// and a hash. The hash's length is not documented, so only the label's own limit of 63 bounds it.
const labelForm = /^(?=.{5,63}$)[a-z0-9]{5,50}(?:-[a-z0-9]+)?$/

/** Reads the login server of a registry as `az acr show` prints it; case and a trailing dot do not matter. */
export function parseLoginServer (text: string): ParsedLoginServer {
  const host = canonicalHostName(text)
  if (host === undefined) return mistaken(`'${text}' is not a host name`, guessFromText(text))
  const suffix = parentName(host)
  const cloud = clouds.find(({ registrySuffix }) => registrySuffix === suffix)
  if (cloud === undefined) return mistaken(`'${text}' is not a login server`, guessFromHost(host))
  const label = host.slice(0, host.indexOf('.'))
  if (!labelForm.test(label)) {
    return mistaken(
      `'${label}' is not a registry name`,
      'write 5 to 50 letters and digits, with at most one hyphen before a hash, as az acr show prints it')
  }
  return { ok: true, loginServer: { host, label, cloud } }
}

function mistaken (what: string, write: string): ParsedLoginServer {
  return { ok: false, mistake: { what, write } }
}

const general = 'write the registry\'s full name, like contoso.azurecr.io'

/** The usual slip is a pasted URL or image reference. */
function guessFromText (text: string): string {
  const pasted = /^(?:[a-z]+:\/\/)?([^/:@]+)(?::[0-9]+)?(?:\/.*)?$/i.exec(text)?.[1]
  const parsed = pasted === undefined || pasted === text ? undefined : parseLoginServer(pasted)
  return parsed?.ok === true ? `write ${parsed.loginServer.host}` : general
}

function guessFromHost (host: HostName): string {
  const first = host.split('.')[0] ?? ''
  if (!host.includes('.')) return labelForm.test(host) ? `write ${host}.azurecr.io` : general
  const cloud = clouds.find(({ registrySuffix }) => host.endsWith(`.${registrySuffix}`))
  if (cloud !== undefined && labelForm.test(first)) {
    return `write the login server, ${first}.${cloud.registrySuffix}; its other endpoints follow from regions and regionalEndpoints`
  }
  // A frequent typo, also in Microsoft's own documents.
  if (host.endsWith('.azureacr.io')) return `write ${first}.azurecr.io (azurecr, not azureacr)`
  return general
}
