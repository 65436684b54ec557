import { type AlertDescription, renderAlert } from '../tls/client-hello.ts'
import { type Reason, reasons } from '../refusal/reasons.ts'
import { type Voice, sendLast } from './reply.ts'

/**
 * The voice towards a client that speaks TLS, or should: behind a 200, and where there is no CONNECT. A tunnel opens
 * without a word; of a refusal the client gets an alert in place of a ServerHello, which it prints by its name.
 */
export const alertVoice: Voice = {
  open () {},
  refuse: (stream, { reason }) => sendLast(stream, renderAlert(describeReason(reason))),
}

/**
 * RFC 8446 §6.2: `unrecognized_name` says that the name is not served here, `access_denied` that the server will not
 * go on, and `internal_error` that it cannot, which is nobody's decision.
 */
function describeReason (reason: Reason): AlertDescription {
  if (namesRefused.has(reason)) return 'unrecognized_name'
  return reasons[reason].status >= 500 ? 'internal_error' : 'access_denied'
}

const namesRefused = new Set<Reason>([
  'server_name_mismatch', 'host_not_allowed', 'storage_not_enabled', 'region_not_configured', 'regional_not_enabled',
])
