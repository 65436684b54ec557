import { type Address, parseAddress } from '../net/address.ts'
import { parsePort } from '../net/authority.ts'

/** An address with a port, where one was written. */
export interface AddressWithPort {
  readonly address: Address
  readonly port?: number
}

/** Reads `IP`, `IPV4:PORT` or `[IPV6]:PORT`; brackets without a port are allowed too. */
export function parseSocketAddress (text: string): AddressWithPort | undefined {
  const bare = parseAddress(text)
  if (bare !== undefined) return { address: bare }
  const [, ipv6, ipv4, portText] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/s.exec(text) ?? []
  const address = parseAddress(ipv6 ?? ipv4 ?? '')
  if (address === undefined || (address.family === 6) !== (ipv6 !== undefined)) return undefined
  if (portText === undefined) return { address }
  const port = parsePort(portText)
  return port === undefined ? undefined : { address, port }
}
