import { STATUS_CODES } from 'node:http'
import type { LookupError } from '../dns/names.ts'
import { formatSocketAddress } from '../net/address.ts'
import { makePrintable } from '../net/printable.ts'
import type { ProxyUrl } from '../net/proxy-url.ts'
import { type Refusal, reasonWords, refuse } from '../refusal/reasons.ts'
import type { ParentError, ParentRefusal, ParentTrouble } from './parent.ts'

/** What the client is told when the parent opened no tunnel to `target`. */
export function describeParent ({ parent, trouble }: ParentError, target: string): Refusal {
  const what = `the parent proxy ${formatSocketAddress(parent.host, parent.port)}`
  switch (trouble.kind) {
    case 'name': return describeParentName(trouble.outcome, parent)
    case 'loop':
      return refuse('loop_detected', `the parent proxy ${parent.host} is at ${trouble.address}, where this gateway listens itself`,
        'Write the proxy that is between the gateway and the registries into upstreamProxy.url.')
    case 'connection': return describeConnection(trouble.outcome, what)
    case 'tls': return describeTls(trouble.code, what)
    case 'answer': return describeAnswer(trouble.code, what)
    case 'time':
      return refuse('parent_timeout', `${what} did not answer within tunnel.connectTimeout`,
        `See whether it has a way to ${target}: what it waits for is most likely its own connection.`)
    case 'refusal': return describeRefusal(trouble, parent, target)
  }
}

/** What is said when the parent's own name has no address. */
export function describeParentName (outcome: LookupError['outcome'], { host }: ProxyUrl): Refusal {
  if (outcome === 'timeout') {
    return refuse('parent_timeout', `the name servers did not answer for ${host}, the parent proxy`,
      'Look at the name servers the gateway asks (dns.servers), or write the proxy\'s address into upstreamProxy.url.')
  }
  return refuse('parent_unreachable', `the name of the parent proxy, ${host}, does not resolve (${outcome})`,
    'See that upstreamProxy.url has the right name, and that the gateway\'s name servers (dns.servers) know it.')
}

function describeConnection (outcome: Extract<ParentTrouble, { kind: 'connection' }>['outcome'], what: string): Refusal {
  switch (outcome) {
    case 'refused':
      return refuse('parent_unreachable', `${what} refused the connection`,
        'See that it runs, and that upstreamProxy.url has the right host and port.')
    case 'unreachable':
      return refuse('parent_unreachable', `there is no way to ${what} from the gateway`,
        'Look at the routes and packet filters of the gateway\'s host.')
    case 'timeout':
      return refuse('parent_timeout', `no connection to ${what} within tunnel.connectTimeout`,
        'See whether a firewall between it and the gateway drops packets, and that upstreamProxy.url has the right host and port.')
  }
}

function describeTls (code: string, what: string): Refusal {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return refuse('parent_failed', `the certificate of ${what} is for other names`,
      'Write upstreamProxy.url with a name that the certificate has.')
  }
  if (code.includes('CERT') || code.startsWith('UNABLE_TO_')) {
    return refuse('parent_failed', `the certificate of ${what} is not trusted (${code})`,
      'Name the file with the authority that issued it: upstreamProxy.caFile.')
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) {
    return refuse('parent_failed', `${what} does not speak TLS (${code})`,
      'Write http:// in upstreamProxy.url, if the proxy has no certificate.')
  }
  return refuse('parent_failed', `${what} hung up in the TLS handshake (${code})`,
    'See what its log says; write http:// in upstreamProxy.url, if it has no certificate.')
}

function describeAnswer (code: string, what: string): Refusal {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return refuse('parent_failed', `the head of the answer of ${what} is over 16 KiB`, 'See what it puts into its answers.')
  }
  if (code.startsWith('HPE_')) {
    return refuse('parent_failed', `what answers as ${what} is no HTTP proxy (${code})`,
      'See that upstreamProxy.url has the right port, and https:// if the proxy speaks TLS there.')
  }
  return refuse('parent_failed', `${what} hung up without an answer (${code})`,
    'See what its log says; and write https:// in upstreamProxy.url, if it speaks TLS there.')
}

// The gateway's own status lines have less than 200 characters.
const maxPhraseLength = 200

/**
 * The parent's own words are passed on, and first of all: the status line of a client ends soon. Its status is not: a
 * 407 would have the client send its passwords.
 */
function describeRefusal (refusal: ParentRefusal, parent: ProxyUrl, target: string): Refusal {
  const { status } = refusal
  const said = makePrintable(refusal.phrase.slice(0, maxPhraseLength)).trim()
  const phrase = said === '' ? STATUS_CODES[status] ?? '' : said
  return refuse('parent_refused', `the parent proxy says ${status} ${phrase}`.trimEnd(), adviseRefused(refusal, parent, target))
}

function adviseRefused (
  { status, phrase, challenge }: ParentRefusal, { credentials }: ProxyUrl, target: string,
): string {
  if (status === 407 && challenge !== '' && !/(?:^|,)\s*basic\b/i.test(challenge)) {
    return 'It takes no Basic authentication, which is all that the gateway speaks: have it let the gateway through by its address.'
  }
  // tinyproxy says 401 to the wrong password.
  if (status === 407 || status === 401) {
    return credentials === undefined
      ? 'It wants a user and a password: write the user into upstreamProxy.url, and passwordFile with the password.'
      : 'It does not take this user and password: see upstreamProxy.url and passwordFile.'
  }
  const word = reasonWords.find((reason) => phrase.startsWith(`${reason}:`))
  if (word !== undefined) return `The parent is such a gateway too: see what docs/refusals.md says of ${word}, for the parent.`
  if (status >= 500) return `See whether the parent has a way to ${target}, and what its log says.`
  return `Ask whoever runs that proxy to let ${target} through for this gateway.`
}
