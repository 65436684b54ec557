import { StepFailure } from './step.ts'

/** The code of an error of the system or of Node; '' when it has none. */
export function codeOf (error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** Whether an error says that the other side does not speak TLS. A proxy's client is told `EPROTO` for all of them. */
export function isNotTls (code: string): boolean {
  return code === 'EPROTO' || code.startsWith('ERR_SSL_')
}

/** Whether an error says that the other side does not speak HTTP: the codes of Node's parser. */
export function isNotHttp (code: string): boolean {
  return code.startsWith('HPE_')
}

/** A failed handshake with a host. What has no code is a bug, and thrown on. */
export function describeHandshakeFailure (error: unknown, host: string): unknown {
  const code = codeOf(error)
  if (error instanceof StepFailure || code === '') return error
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    return new StepFailure('the connection was cut during the TLS handshake',
      `A firewall on the way most likely cuts by the server name in it: have ${host} let through there, by name.`)
  }
  if (isNotTls(code)) {
    return new StepFailure(`what answers does not speak TLS as a registry does (${code})`,
      'See what is on the way: a firewall\'s block page, a portal to log in at, or a device that forbids TLS 1.2.')
  }
  return new StepFailure(`the TLS handshake failed (${code})`, `See what is between here and ${host}, and try again.`)
}

/** A request that failed on a connection that stood. What has no code is a bug, and thrown on. */
export function describeRequestFailure (error: unknown, host: string): unknown {
  const code = codeOf(error)
  if (error instanceof StepFailure || code === '') return error
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    return new StepFailure('the connection was cut before the answer was whole',
      `Try again; if it stays, see which firewall or proxy between here and ${host} cuts connections.`)
  }
  if (isNotHttp(code)) {
    return new StepFailure(`the answer is not HTTP (${code})`, `See what answers in the place of ${host}.`)
  }
  return new StepFailure(`the request failed (${code})`, `See what is between here and ${host}, and try again.`)
}
