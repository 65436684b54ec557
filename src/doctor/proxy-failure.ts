import { type ProxyUrl, describeProxyUrl } from '../net/proxy-url.ts'
import { ProxyRefusedError } from '../outbound/tunnel-client.ts'
import { type Reason, reasonWords } from '../refusal/reasons.ts'
import { codeOf, isNotHttp, isNotTls } from './connection-failure.ts'
import { StepFailure } from './step.ts'

/** What was asked of which proxy. */
export interface ProxyAttempt {
  readonly proxy: ProxyUrl
  /** `HOST:PORT`. */
  readonly target: string
  /** Whether a proxy with an http:// URL speaks TLS. */
  readonly isTls: boolean
}

// The gateway's own status lines have less than 200 characters.
const maxQuoted = 200

/** Why there is no tunnel. What has no code is a bug, and thrown on. */
export function describeProxyFailure (error: unknown, attempt: ProxyAttempt): unknown {
  if (error instanceof ProxyRefusedError) return describeRefusal(error, attempt)
  const code = codeOf(error)
  if (code === '') return error
  return attempt.proxy.scheme === 'https' ? describeSecure(code, attempt) : describePlain(code, attempt)
}

/** The gateway says itself what is wrong; of another proxy there is its status line. */
function describeRefusal (error: ProxyRefusedError, attempt: ProxyAttempt): StepFailure {
  const { proxy, target } = attempt
  const text = describeProxyUrl(proxy)
  const { statusCode, statusText } = error
  const line = `${statusCode} ${statusText}`.slice(0, maxQuoted).trim()
  if (statusCode === 407) {
    const toDo = 'Write --proxy with the right one, percent-encoded: http://USER:PASSWORD@HOST:PORT.'
    return proxy.credentials === undefined
      ? new StepFailure(`the proxy ${text} wants a user and a password (${line})`, toDo)
      : new StepFailure(`the proxy ${text} does not take this user and password (${line})`, toDo)
  }
  const own = readProblem(error)
  if (own !== undefined) return new StepFailure(`the gateway refuses ${target}: ${own.reason}: ${own.detail}`, own.hint, own.reason)
  return new StepFailure(`the proxy ${text} refuses ${target}: ${line}`,
    `Ask whoever runs that proxy to let ${target} through.`)
}

/** The problem document (RFC 9457) of a refusal of the gateway; `undefined` for what another proxy sends. */
function readProblem ({ headers, body }: ProxyRefusedError): Record<'detail' | 'hint', string> & { reason: Reason } | undefined {
  if (headers['content-type'] !== 'application/problem+json') return undefined
  const { reason, detail, hint } = parseObject(body)
  const word = reasonWords.find((one) => one === reason)
  if (word === undefined || typeof detail !== 'string' || typeof hint !== 'string') return undefined
  return { reason: word, detail: detail.slice(0, maxQuoted), hint: hint.slice(0, 2 * maxQuoted) }
}

function parseObject (text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text))
  } catch {
    return {}
  }
}

function describePlain (code: string, attempt: ProxyAttempt): StepFailure {
  const { proxy } = attempt
  const text = describeProxyUrl(proxy)
  if (attempt.isTls) {
    return new StepFailure(`the proxy ${text} speaks TLS, and was asked without`, `Write --proxy ${describeProxyUrl({ ...proxy, scheme: 'https' })}.`)
  }
  if (isNotHttp(code)) {
    return new StepFailure(`what answers at ${text} is no HTTP proxy (${code})`, 'See that host and port of --proxy are right.')
  }
  return describeUnreachable(code, attempt)
}

function describeSecure (code: string, attempt: ProxyAttempt): StepFailure {
  const { proxy } = attempt
  const text = describeProxyUrl(proxy)
  const plain = describeProxyUrl({ ...proxy, scheme: 'http' })
  if (isNotTls(code) || isNotHttp(code)) {
    return new StepFailure(`the proxy ${text} does not speak TLS (${code})`,
      `Write --proxy ${plain}, or give the gateway a certificate (listen.tls).`)
  }
  if (code === 'ECONNRESET') {
    return new StepFailure(`the proxy ${text} hung up during the TLS handshake`,
      `If it has no certificate, write --proxy ${plain}; else see what its log says.`)
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new StepFailure(`the certificate of the proxy ${text} is for other names`,
      'Write --proxy with a name that the certificate has, or issue one with this name (acr-egress certs init --host).')
  }
  if (code.includes('CERT') || code.startsWith('UNABLE_TO_')) {
    return new StepFailure(`the certificate of the proxy ${text} is not trusted here (${code})`,
      'Write --ca FILE with the authority that issued it; the clients need it too.')
  }
  return describeUnreachable(code, attempt)
}

function describeUnreachable (code: string, { proxy }: ProxyAttempt): StepFailure {
  const text = describeProxyUrl(proxy)
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new StepFailure(`the name of the proxy ${text} does not resolve (${code})`,
        `See that ${proxy.host} is spelt right, and what this machine's name servers say of it.`)
    case 'ECONNREFUSED':
      return new StepFailure(`nothing listens at the proxy ${text} (${code})`,
        'See that the gateway runs there (systemctl status acr-egress), and that host and port of --proxy are right.')
    case 'ECONNRESET':
    case 'EPIPE':
      return new StepFailure(`the proxy ${text} hung up without an answer`,
        'See what its log says, and which firewall is between here and it.')
    default:
      return new StepFailure(`the proxy ${text} is not reached (${code})`,
        'Look at the routes and firewalls between this machine and it.')
  }
}
