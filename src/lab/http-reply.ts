import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { pipeline, Readable } from 'node:stream'

/** An HTTP answer as a value, so that how it is chosen and how it is sent are two things. */
export interface Reply {
  readonly status: number
  readonly headers: OutgoingHttpHeaders
  /** Opened only when it is to be sent; a HEAD request never opens it. */
  readonly open?: () => Readable
}

/** Error codes of the OCI distribution specification 1.1, and what a registry says with each. */
const errors = {
  BLOB_UNKNOWN: { status: 404, message: 'blob unknown to registry' },
  DENIED: { status: 403, message: 'requested access to the resource is denied' },
  MANIFEST_UNKNOWN: { status: 404, message: 'manifest unknown to registry' },
  NAME_UNKNOWN: { status: 404, message: 'repository name not known to registry' },
  UNAUTHORIZED: { status: 401, message: 'authentication required, visit https://aka.ms/acr/authorization for more information.' },
  UNSUPPORTED: { status: 405, message: 'the operation is unsupported' },
} as const

export type RegistryErrorCode = keyof typeof errors

/** A whole answer in memory. */
export function createReply (status: number, headers: OutgoingHttpHeaders, content: Buffer): Reply {
  return {
    status,
    headers: { ...headers, 'content-length': content.length },
    open: () => Readable.from([content], { objectMode: false }),
  }
}

/** An error in the registry's JSON form. */
export function createErrorReply (code: RegistryErrorCode, headers: OutgoingHttpHeaders = {}): Reply {
  const { status, message } = errors[code]
  const content = Buffer.from(JSON.stringify({ errors: [{ code, message }] }))
  return createReply(status, { ...headers, 'content-type': 'application/json; charset=utf-8' }, content)
}

/** Sends an answer; to a HEAD request its headers alone. A client that leaves ends the reading. */
export function sendReply (response: ServerResponse, reply: Reply): void {
  response.writeHead(reply.status, reply.headers)
  if (reply.open === undefined || response.req.method === 'HEAD') {
    response.end()
    return
  }
  pipeline(reply.open(), response, () => {
    // Either all is sent, or the client has left and both ends are destroyed: nothing remains to be done.
  })
}
