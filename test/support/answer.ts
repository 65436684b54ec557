/** An HTTP answer of the gateway, taken apart. */
export interface Answer {
  readonly statusLine: string
  readonly status: number
  /** The first word of the reason phrase: `host_not_allowed`. */
  readonly reason: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Takes an answer apart, head and body. */
export function parseAnswer (bytes: Buffer | string): Answer {
  const text = bytes.toString('latin1')
  const end = text.indexOf('\r\n\r\n')
  const [statusLine = '', ...fields] = text.slice(0, end).split('\r\n')
  const [, status, reason = ''] = /^HTTP\/1\.1 ([0-9]{3}) ([a-z_]*)/.exec(statusLine) ?? []
  const headers = Object.fromEntries(fields.map((field) => {
    const colon = field.indexOf(':')
    return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()]
  }))
  return { statusLine, status: Number(status), reason, headers, body: text.slice(end + 4) }
}

/** The head of a CONNECT as most clients write it. */
export function writeConnect (target: string): string {
  return `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`
}
