import { parseAddress } from '../net/address.ts'
import { parsePort } from '../net/authority.ts'
import { type Path, type Problem, quote } from './problem.ts'
import { type Settings, isMapping } from './settings.ts'
import { parseSocketAddress } from './socket-address.ts'

/** What the command line says about the configuration; each wins over the file. */
export interface ConfigurationFlags {
  /** Login servers; if there are any, they are all the registries. */
  readonly registries?: readonly string[]
  /** The regions of each of `registries`. */
  readonly regions?: readonly string[]
  /** `ADDR:PORT`, or `PORT` or `:PORT` for the address of the file. */
  readonly listen?: string
  readonly admin?: string
}

/** The flags, each read as far as it can be by itself. */
export interface ReadFlags {
  /** In the form of the file's `registries`; empty when there are no flags for them. */
  readonly registries: readonly object[]
  readonly listen: Endpoint | undefined
  readonly admin: Endpoint | undefined
  readonly problems: readonly Problem[]
}

/** Reads the flags; what is wrong with their registries is left to the check of the whole. */
export function readFlags (flags: ConfigurationFlags): ReadFlags {
  const problems: Problem[] = []
  const { registries = [], regions = [] } = flags
  if (regions.length > 0 && registries.length === 0) {
    // The file may hold several registries, and a region is a property of one.
    problems.push({ key: '--region', message: 'goes with --registry only; write --registry NAME.azurecr.io too, or regions: in the file' })
  }
  return {
    registries: registries.map((loginServer) => ({ loginServer, ...regions.length > 0 ? { regions } : {} })),
    listen: readEndpoint('--listen', flags.listen, problems),
    admin: readEndpoint('--admin', flags.admin, problems),
    problems,
  }
}

/** Lays the flags over the settings of a file. */
export function overrideSettings (settings: Settings, { registries, ...endpoints }: ReadFlags): Settings {
  // Of sections that could not be read nobody knows what the addresses of the flags would meet there.
  const { listen, admin } = isMapping(settings.value) ? endpoints : {}
  const value: Record<string, unknown> = isMapping(settings.value) ? { ...settings.value } : {}
  if (registries.length > 0) value.registries = registries
  override(value, 'listen', listen)
  override(value, 'admin', admin)
  return { value, locate: (path, isKey) => findFlag(path) ?? settings.locate(path, isKey) }

  /** The flag that the part at a path comes from. */
  function findFlag (path: Path): { readonly key: string } | undefined {
    const [first, second, third] = path
    if (first === 'registries' && registries.length > 0) return { key: third === 'regions' ? '--region' : '--registry' }
    if (first === 'listen' && typeof second === 'string' && listen !== undefined && second in listen) return { key: '--listen' }
    if (first === 'admin' && typeof second === 'string' && admin !== undefined && second in admin) return { key: '--admin' }
    return undefined
  }
}

/** Where a listener is to be; without an address, that of the file. */
export interface Endpoint {
  readonly address?: string
  readonly port: number
}

/** A value of another kind than a map stays, for the check to complain about. */
function override (value: Record<string, unknown>, key: string, endpoint: Endpoint | undefined): void {
  const written = value[key] ?? {}
  if (endpoint !== undefined && isMapping(written)) value[key] = { ...written, ...endpoint }
}

function readEndpoint (flag: string, text: string | undefined, problems: Problem[]): Endpoint | undefined {
  if (text === undefined) return undefined
  const endpoint = parseEndpoint(text)
  if (endpoint === undefined) {
    const what = parseAddress(text) === undefined ? 'is not ADDR:PORT' : 'has no port'
    problems.push({ key: flag, message: `${quote(text)} ${what}; write ${flag} 127.0.0.1:8443, ${flag} [::1]:8443 or ${flag} 8443` })
  }
  return endpoint
}

/** Port 0 is any free one; `parsePort` is about targets, which have none such. */
function parseEndpoint (text: string): Endpoint | undefined {
  const [, addressText = '', portText = ''] = /^(?:(.*):)?([0-9]{1,5})$/s.exec(text) ?? []
  const port = portText === '0' ? 0 : parsePort(portText)
  if (port === undefined) return undefined
  if (addressText === '') return { port }
  const written = parseSocketAddress(`${addressText}:1`)
  return written?.port === undefined ? undefined : { address: written.address.text, port }
}
