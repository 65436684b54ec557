import { isRevocationHost } from '../acr/bundles.ts'
import type { Authority } from '../net/authority.ts'
import type { HostName } from '../net/host-name.ts'
import type { ParsedPlainTarget } from '../net/plain-target.ts'
import { type Refusal, refuse } from '../refusal/reasons.ts'

/** The target of a CONNECT is no `HOST:PORT`. */
export function refuseMalformed (): Refusal {
  return refuse('bad_request',
    'the target of CONNECT must be HOST:PORT, like contoso.azurecr.io:443',
    'Check the proxy setting of the client; a host name has letters, digits, dots and hyphens only.')
}

/** The host is an address, in whatever spelling. */
export function refuseIpLiteral (): Refusal {
  return refuse('ip_literal_not_allowed',
    'the target is an IP address; ask for the registry by its name',
    'Use the registry\'s name in the image reference, and let the gateway resolve it.')
}

/** A host that is let through, at another port. */
export function refusePort ({ host, port }: Authority): Refusal {
  return refuse('port_not_allowed',
    `port ${port} of ${host} is not served; registries are reached at 443 only`,
    'Drop the port from the image reference.')
}

/** A host that is let through by plain HTTP only. */
export function refuseTunnelToPlain (host: HostName): Refusal {
  return refuse('port_not_allowed',
    `${host} is let through by plain HTTP at port 80 only, and not by CONNECT`,
    `Ask for http://${host}/; if devices need it over https too, add it to extraHosts in the gateway's configuration.`)
}

/** A request other than CONNECT whose target cannot be read. */
export function refusePlainTarget ({ problem }: Extract<ParsedPlainTarget, { ok: false }>): Refusal {
  switch (problem) {
    case 'not_absolute':
      return refuse('method_not_allowed', 'this is a proxy; it takes CONNECT only',
        'Set HTTPS_PROXY of the client to this address; the status page is on the admin port.')
    case 'ip_literal': return refuseIpLiteral()
    case 'malformed':
      return refuse('bad_request',
        'the target of a plain request must be http://HOST/PATH',
        'Check what the client asks for; a host name has letters, digits, dots and hyphens only.')
  }
}

/** A host that plain HTTP is not carried to; `hasTunnelRule`: it is reached by CONNECT. */
export function refusePlainHost (host: HostName, hasTunnelRule: boolean): Refusal {
  if (hasTunnelRule || !isRevocationHost(host)) {
    return refuse('method_not_allowed',
      `plain http:// is not carried to ${host}; registries are reached over https://`,
      'Use https:// for the registry, and set HTTPS_PROXY rather than HTTP_PROXY.')
  }
  return refuse('host_not_allowed',
    `${host} has revocation lists, and the gateway does not let them through`,
    'If devices check certificates against it, add revocation to bundles in the gateway\'s configuration.')
}

/** A host that plain HTTP is carried to, at another port. */
export function refusePlainPort ({ host, port }: Authority): Refusal {
  return refuse('port_not_allowed',
    `port ${port} of ${host} is not served; plain http:// is carried to 80 only`,
    `Ask for http://${host}/ without a port.`)
}
